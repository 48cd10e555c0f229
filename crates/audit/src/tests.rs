//! The log with real files.

mod damage;
mod records;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base::{Clock, ManualClock, SeededIds, Timestamp};

use crate::{AuditError, AuditLog, Config, Durability, PublicKey, Report, verify};

pub(super) const NOW: Timestamp = Timestamp::from_epoch_ms(1_772_323_170_000);

/// A log in a directory of its own.
pub(super) struct Bench {
    pub(super) root: tempfile::TempDir,
    pub(super) clock: Arc<ManualClock>,
    pub(super) config: Config,
}

impl Bench {
    pub(super) fn new() -> Self {
        let clock = Arc::new(ManualClock::new(NOW));
        let config = Config { segment_bytes: 4096, ..Config::default() };
        Self { root: tempfile::tempdir().unwrap(), clock, config }
    }

    pub(super) fn directory(&self) -> PathBuf {
        self.root.path().join("audit")
    }

    pub(super) fn try_open(&self) -> Result<AuditLog, AuditError> {
        let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
        AuditLog::open(&self.directory(), self.config.clone(), clock, &SeededIds::new(1))
    }

    pub(super) fn open(&self) -> AuditLog {
        self.try_open().unwrap()
    }

    pub(super) fn verify(&self) -> Result<Report, AuditError> {
        verify(&self.directory(), &public_key(&self.directory()))
    }

    /// The segments' files, in order.
    pub(super) fn segments(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.directory()).unwrap();
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.retain(|path| path.file_name().unwrap().to_str().unwrap().starts_with("segment-"));
        paths.sort();
        paths
    }
}

pub(super) fn public_key(directory: &Path) -> PublicKey {
    let pem = fs::read_to_string(directory.join("public-key.pem")).unwrap();
    PublicKey::from_pem(&pem).unwrap()
}

/// Appends records named by their numbers, each a second after the one before.
pub(super) fn append(bench: &Bench, log: &AuditLog, numbers: std::ops::Range<u32>) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for number in numbers {
        bench.clock.advance_ms(1000);
        let event = format!("{{\"number\":{number},\"padding\":\"{}\"}}", "x".repeat(200));
        let written =
            log.reserve().unwrap().append(event, bench.clock.now(), Durability::Synced, None);
        runtime.block_on(written).unwrap();
    }
}

/// The numbers of the records in the log.
pub(super) fn numbers(log: &AuditLog) -> Vec<u64> {
    let entries = log.read(0, usize::MAX).unwrap();
    let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    entries.iter().map(|entry| value(&entry.text)["number"].as_u64().unwrap()).collect()
}

#[test]
fn what_was_appended_is_there_after_every_restart_and_proven() {
    let bench = Bench::new();
    for (from, to) in [(0, 30), (30, 31), (31, 60)] {
        let log = bench.open();
        append(&bench, &log, from..to);
        assert_eq!(numbers(&log), (0..u64::from(to)).collect::<Vec<_>>());
        log.close();
        let refused = log.reserve().unwrap_err();
        assert!(matches!(refused, AuditError::Closed), "{refused:?}");
        let report = bench.verify().unwrap();
        assert_eq!((report.records, report.unsealed), (u64::from(to), 0), "{report:?}");
        assert_eq!(report.last, report.sealed, "{report:?}");
    }
    assert!(bench.segments().len() > 3, "{:?}", bench.segments());
    use std::os::unix::fs::PermissionsExt as _;
    for entry in fs::read_dir(bench.directory()).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{entry:?}");
    }
}

#[test]
fn a_log_in_use_can_be_verified() {
    let bench = Bench::new();
    let log = bench.open();
    append(&bench, &log, 0..20);
    assert_eq!(bench.verify().unwrap().records, 20);
}

#[test]
fn a_torn_end_is_cut_off_and_that_is_on_record() {
    let bench = Bench::new();
    let log = bench.open();
    append(&bench, &log, 0..3);
    // As after a kill: what follows was never acknowledged.
    let copy = Bench { root: tempfile::tempdir().unwrap(), ..Bench::new() };
    fs::create_dir(copy.directory()).unwrap();
    for entry in fs::read_dir(bench.directory()).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, copy.directory().join(path.file_name().unwrap())).unwrap();
    }
    let last = copy.segments().pop().unwrap();
    let mut bytes = fs::read(&last).unwrap();
    bytes.extend_from_slice(b"{\"number\":3,\"portcu");
    fs::write(&last, bytes).unwrap();
    let log = copy.open();
    append(&copy, &log, 3..5);
    assert_eq!(numbers(&log), [0, 1, 2, 3, 4]);
    log.close();
    let text = fs::read_to_string(copy.segments().pop().unwrap()).unwrap();
    assert!(text.contains("\"openedCuttingBytes\":19"), "{text}");
    assert_eq!(copy.verify().unwrap().records, 5);
}

#[test]
fn what_is_too_old_is_removed_and_the_rest_still_proven() {
    let mut bench = Bench::new();
    bench.config.retention_days = 1;
    let log = bench.open();
    append(&bench, &log, 0..40);
    let before = bench.segments().len();
    bench.clock.advance_ms(25 * 60 * 60 * 1000);
    append(&bench, &log, 40..42);
    crate::writer::tidy(log.shared()).unwrap();
    assert!(bench.segments().len() < before, "{:?}", bench.segments());
    let left = numbers(&log);
    assert!(left.len() < 42 && left.last() == Some(&41), "{left:?}");
    log.close();
    let report = bench.verify().unwrap();
    assert!(report.first > 1, "{report:?}");
    assert_eq!(report.records, left.len() as u64, "{report:?}");
    let log = bench.open();
    assert_eq!(numbers(&log), left);
    log.close();
    fs::remove_file(bench.directory().join("pruned")).unwrap();
    assert!(bench.verify().unwrap_err().to_string().contains("missing before it"));
}

#[test]
fn room_that_is_not_used_is_given_back_and_too_many_wait() {
    let mut bench = Bench::new();
    bench.config.max_outstanding = 2;
    let log = bench.open();
    let (first, second) = (log.reserve().unwrap(), log.reserve().unwrap());
    assert!(matches!(log.reserve().unwrap_err(), AuditError::Busy));
    drop(first);
    let third = log.reserve().unwrap();
    assert!(matches!(log.reserve().unwrap_err(), AuditError::Busy));
    drop((second, third));
    append(&bench, &log, 0..10);
}

/// Mounts a file system of 4 MiB; `None` where that is not allowed.
fn small_disk(path: &Path) -> Option<()> {
    fs::create_dir(path).unwrap();
    let mount = std::process::Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=6m", "tmpfs"])
        .arg(path)
        .output();
    mount.ok()?.status.success().then_some(())
}

#[test]
fn on_a_full_disk_nothing_is_reserved_and_nothing_is_lost() {
    let bench = Bench::new();
    if small_disk(&bench.directory()).is_none() {
        eprintln!("not allowed to mount: the test of a full disk is left out");
        return;
    }
    let outcome = std::panic::catch_unwind(|| {
        let log = bench.open();
        append(&bench, &log, 0..3);
        let filler = bench.directory().join("filler");
        // Everything that is left.
        let _full = fs::write(&filler, vec![1; 8 << 20]);
        let mut held = Vec::new();
        let refused = loop {
            match log.reserve() {
                Ok(reservation) => held.push(reservation),
                Err(error) => break error,
            }
        };
        assert!(matches!(refused, AuditError::Full { .. }), "{refused:?}");
        // What was promised is kept.
        drop(held);
        append(&bench, &log, 3..6);
        fs::remove_file(&filler).unwrap();
        append(&bench, &log, 6..9);
        assert_eq!(numbers(&log).len(), 9);
        log.close();
        assert_eq!(bench.verify().unwrap().records, 9);
    });
    let unmounted =
        std::process::Command::new("umount").arg("-l").arg(bench.directory()).status().unwrap();
    assert!(unmounted.success());
    outcome.unwrap();
}
