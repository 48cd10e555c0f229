//! Copies audit records to where trails want them, as AWS CloudTrail delivers to a bucket:
//! `trails/BUCKET/PREFIX/AWSLogs/ACCOUNT/CloudTrail/REGION/YYYY/MM/DD/….json.gz`, and to log groups.
//!
//! A position is kept for each trail, in `trails/.positions`, and written after the copies. What a
//! crash makes it copy again gets the same file name, and the log store knows how far it has come.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ::audit::{AuditLog, Entry};
use base::{Clock, Scope, Timestamp};
use flate2::Compression;
use flate2::write::GzEncoder;
use iam::Trail;
use logstore::{Durability, EventRef, LogError, LogStore};
use serde::Deserialize;
use service_cloudtrail::{Deliveries, directory_of};
use state::State;

/// How often new records are copied.
const INTERVAL: Duration = Duration::from_secs(30);
/// Records of one file, in bytes, about.
const MAX_FILE_BYTES: usize = 4 << 20;
/// Events written to a log group at once, in bytes; a record more is still fewer than it takes.
const MAX_BATCH_BYTES: usize = 512 << 10;

/// What copying works with.
#[derive(Debug)]
pub(crate) struct Copier {
    pub(crate) directory: PathBuf,
    pub(crate) log: AuditLog,
    pub(crate) logs: Arc<LogStore>,
    pub(crate) state: Arc<State>,
    pub(crate) deliveries: Arc<Deliveries>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) scope: Scope,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Facts {
    recipient_account_id: String,
    read_only: bool,
}

/// Copies now and then. Never ends.
pub(crate) async fn run(copier: Copier) {
    let copier = Arc::new(copier);
    loop {
        tokio::time::sleep(INTERVAL).await;
        let copier = Arc::clone(&copier);
        if let Err(error) = tokio::task::spawn_blocking(move || copier.pass()).await {
            tracing::error!(%error, "copying for trails failed");
        }
    }
}

impl Copier {
    /// Copies for every trail what it has not copied yet.
    pub(crate) fn pass(&self) {
        let trails: Vec<Arc<Trail>> = {
            let view = self.state.view();
            view.identities().trails().map(|row| Arc::clone(&row.value)).collect()
        };
        let keys: Vec<String> =
            trails.iter().map(|trail| iam::key(&trail.account, &trail.name)).collect();
        self.deliveries.retain(|key| keys.iter().any(|known| known == key));
        for (trail, key) in trails.iter().zip(&keys) {
            if let Err(reason) = self.copy(trail, key) {
                tracing::warn!(trail = key, reason, "records are not copied: tried again later");
                self.deliveries.note(key, |delivery| delivery.file_error = Some(reason));
            }
        }
    }

    fn copy(&self, trail: &Trail, key: &str) -> Result<(), String> {
        let Some(started_at) = trail.started_at else { return Ok(()) };
        let path = self.directory.join(".positions").join(key.replace('/', "-"));
        let known = read_position(&path).map_err(|error| error.to_string())?;
        let mut position = known.unwrap_or(0).max(self.log.last_before(started_at));
        loop {
            let entries =
                self.log.read(position, MAX_FILE_BYTES).map_err(|error| error.reason())?;
            let Some(last) = entries.last() else { return Ok(()) };
            position = last.sequence;
            let wanted: Vec<&Entry> =
                entries.iter().filter(|entry| is_wanted(trail, started_at, entry)).collect();
            if let Some(first) = wanted.first() {
                self.write_file(trail, first, &wanted)
                    .map_err(|error| format!("the file cannot be written: {error}"))?;
                let now = self.clock.now();
                self.deliveries.note(key, |delivery| {
                    (delivery.file_at, delivery.file_error) = (Some(now), None);
                });
                // A log group that is not there stops neither files nor the position.
                let outcome = self.to_log_group(trail, &wanted);
                self.deliveries.note(key, |delivery| match outcome {
                    Ok(false) => {}
                    Ok(true) => {
                        (delivery.log_group_at, delivery.log_group_error) = (Some(now), None);
                    }
                    Err(error) => delivery.log_group_error = Some(error.to_string()),
                });
            }
            write(&path, position.to_string().as_bytes()).map_err(|error| error.to_string())?;
        }
    }

    fn write_file(&self, trail: &Trail, first: &Entry, entries: &[&Entry]) -> io::Result<()> {
        let time = jiff::Timestamp::from_millisecond(first.time.as_epoch_ms());
        let time = time.map_err(io::Error::other)?;
        let name = format!(
            "{account}_CloudTrail_{region}_{minute}_{sequence:016x}.json.gz",
            account = trail.account,
            region = self.scope.region,
            minute = time.strftime("%Y%m%dT%H%MZ"),
            sequence = first.sequence,
        );
        let mut directory = self.directory.join(directory_of(trail, &self.scope.region));
        directory.push(time.strftime("%Y/%m/%d").to_string());
        let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
        gzip.write_all(b"{\"Records\":[")?;
        for (index, entry) in entries.iter().enumerate() {
            if index > 0 {
                gzip.write_all(b",")?;
            }
            gzip.write_all(entry.text.as_bytes())?;
        }
        gzip.write_all(b"]}")?;
        write(&directory.join(name), &gzip.finish()?)
    }

    /// Returns whether the trail has a log group.
    fn to_log_group(&self, trail: &Trail, entries: &[&Entry]) -> Result<bool, LogError> {
        let Some(group) = &trail.log_group else { return Ok(false) };
        let stream = format!("{}_CloudTrail_{}", trail.account, self.scope.region);
        match self.logs.create_stream(group, &stream) {
            Ok(()) | Err(LogError::StreamExists { .. }) => {}
            Err(error) => return Err(error),
        }
        let known = self.logs.source_position(group, &stream)?;
        let known: u64 = known.and_then(|position| position.parse().ok()).unwrap_or(0);
        let mut batch: Vec<EventRef<'_>> = Vec::new();
        let mut bytes = 0_usize;
        let mut position = String::new();
        for entry in entries.iter().filter(|entry| entry.sequence > known) {
            if bytes >= MAX_BATCH_BYTES {
                self.logs.append(group, &stream, &batch, &position, Durability::Fsync)?;
                batch.clear();
                bytes = 0;
            }
            bytes = bytes.saturating_add(entry.text.len());
            position = entry.sequence.to_string();
            let timestamp_ms = entry.time.as_epoch_ms();
            batch.push(EventRef { timestamp_ms, message: entry.text.as_bytes() });
        }
        if !batch.is_empty() {
            self.logs.append(group, &stream, &batch, &position, Durability::Fsync)?;
        }
        Ok(true)
    }
}

fn is_wanted(trail: &Trail, started_at: Timestamp, entry: &Entry) -> bool {
    let is_before_end =
        trail.logging || trail.stopped_at.is_some_and(|stopped_at| entry.time < stopped_at);
    if entry.time < started_at || !is_before_end {
        return false;
    }
    serde_json::from_str(&entry.text).is_ok_and(|facts: Facts| {
        facts.recipient_account_id == trail.account.as_str()
            && if facts.read_only { trail.read_events } else { trail.write_events }
    })
}

fn read_position(path: &Path) -> io::Result<Option<u64>> {
    match fs::read_to_string(path) {
        Ok(text) => text.trim().parse().map(Some).map_err(io::Error::other),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Writes a file of mode 0600 in one step, durably, with the directories it needs.
fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    let temporary = path.with_extension("tmp");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(&temporary)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use ::audit::{AuditRecorder, Config, Findings, ServiceEvent};
    use base::{ManualClock, SeededIds};
    use iam::TrailOptions;
    use serde_json::Value;
    use state::Change;
    use store_redb::{Options, RedbStore};

    use super::*;

    #[derive(Debug)]
    struct Nobody;

    impl Findings for Nobody {
        fn raise(&self, finding: iam::Finding) {
            panic!("{finding:?}");
        }
    }

    const NOW: Timestamp = Timestamp::from_epoch_ms(1_772_323_170_000);

    fn trail() -> Trail {
        Trail {
            account: "123456789012".parse().unwrap(),
            name: "all".to_owned(),
            bucket: "copies".to_owned(),
            key_prefix: Some("p/q".to_owned()),
            log_group: Some("/audit".to_owned()),
            log_group_role_arn: None,
            logging: true,
            started_at: Some(NOW),
            stopped_at: None,
            read_events: true,
            write_events: true,
            options: TrailOptions::default(),
            tags: iam::Tags::new(),
        }
    }

    /// The names of the events in every file below `directory`, by file.
    fn files(directory: &Path) -> Vec<(String, Vec<String>)> {
        let mut found = Vec::new();
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                found.extend(files(&path));
            } else if path.extension().is_some_and(|extension| extension == "gz") {
                let mut text = String::new();
                let mut gzip = flate2::read::GzDecoder::new(File::open(&path).unwrap());
                gzip.read_to_string(&mut text).unwrap();
                let value: Value = serde_json::from_str(&text).unwrap();
                let names = value["Records"].as_array().unwrap().iter();
                let names = names.map(|one| one["eventName"].as_str().unwrap().to_owned());
                found.push((path.display().to_string(), names.collect()));
            }
        }
        found.sort();
        found
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn records_are_copied_once_also_when_the_position_was_lost() {
        let root = tempfile::tempdir().unwrap();
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(NOW));
        let ids = Arc::new(SeededIds::new(1));
        let (directory, config) = (root.path().join("audit"), Config::default());
        let log = AuditLog::open(&directory, config, Arc::clone(&clock), ids.as_ref()).unwrap();
        let logs = LogStore::open(&root.path().join("logs"), Arc::clone(&clock)).unwrap();
        logs.create_group("/audit", std::collections::BTreeMap::new()).unwrap();
        let store = RedbStore::open(&root.path().join("store"), Options::default()).unwrap();
        let (state, follower) = State::open(Arc::new(store)).await.unwrap();
        tokio::spawn(follower.run());
        let mut change = Change::new();
        change.create(&trail());
        state.commit(change).await.unwrap();
        let scope = Scope { account: trail().account, region: "us-east-1".parse().unwrap() };
        let recorder = AuditRecorder::new(
            log.clone(),
            scope.clone(),
            Arc::clone(&clock),
            ids,
            Arc::new(Nobody),
        );
        let event = |name| ServiceEvent {
            name,
            source: "ecs.amazonaws.com",
            account: scope.account.clone(),
            region: scope.region.clone(),
            who: None,
            source_ip: None,
            resources: Vec::new(),
            details: serde_json::Map::new(),
            error: None,
            time: NOW,
        };
        let directory = root.path().join("trails");
        let copier = Copier {
            directory: directory.clone(),
            log,
            logs: Arc::new(logs),
            state,
            deliveries: Arc::default(),
            clock,
            scope: scope.clone(),
        };
        recorder.record_event(&event("First")).await.unwrap();
        copier.pass();
        let first = files(&directory);
        assert_eq!(first.len(), 1, "{first:?}");
        assert_eq!(first[0].1, ["First"]);
        let expected = "copies/p/q/AWSLogs/123456789012/CloudTrail/us-east-1/2026/02/28/123456789012_CloudTrail_us-east-1_20260228T2359Z_";
        assert!(first[0].0.contains(expected), "{first:?}");

        recorder.record_event(&event("Second")).await.unwrap();
        // As after a crash between the copies and the position.
        fs::remove_file(directory.join(".positions/123456789012-all")).unwrap();
        copier.pass();
        copier.pass();
        let second = files(&directory);
        assert_eq!(second.len(), 1, "{second:?}");
        assert_eq!(second[0], (first[0].0.clone(), vec!["First".to_owned(), "Second".to_owned()]));
        let stream = "123456789012_CloudTrail_us-east-1";
        let position = copier.logs.source_position("/audit", stream).unwrap();
        assert_eq!(position, Some("4".to_owned()));
        let delivery = copier.deliveries.of("123456789012/all");
        assert_eq!((delivery.file_error, delivery.log_group_error), (None, None));
        assert_eq!(delivery.log_group_at, Some(NOW));
    }
}
