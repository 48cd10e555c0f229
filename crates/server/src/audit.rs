//! The audit log's place in the server: opened first, closed last.

use std::sync::Arc;
use std::time::Duration;

use ::audit::{AuditError, AuditLog, AuditRecorder, Config, Findings, ServiceEvent};
use base::{Clock, IdSource, Scope};
use futures_util::future::BoxFuture;
use iam::Finding;
use node_link::{NodeAudit, NodeEvent};
use operation::ErrorFacts;
use serde_json::{Map, Value};
use service_cloudtrail::Deliveries;
use state::{Change, State, StateError};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// Findings that wait to be kept. More at a time are logged only.
const MAX_WAITING: usize = 1000;
/// Findings that are kept. A new one beyond that takes the place of one that is archived, or else of
/// the one that was not seen for longest: the audit log has them all.
const MAX_KEPT: usize = 10_000;
/// How often a finding that goes on is renewed, in milliseconds.
const RENEWAL_MS: i64 = 60_000;
/// How often a conflicting change of a finding is tried again.
const ATTEMPTS: usize = 3;
/// How often counts of refused calls are recorded.
const FLUSH_INTERVAL: Duration = Duration::from_secs(10);

/// The audit log and what writes to it.
#[derive(Debug, Clone)]
pub(crate) struct Audit {
    pub(crate) log: AuditLog,
    pub(crate) recorder: Arc<AuditRecorder>,
    pub(crate) findings: Arc<dyn Findings>,
    pub(crate) deliveries: Arc<Deliveries>,
    scope: Scope,
}

impl Audit {
    /// Opens the log in `directory`. The second value is what [`keep`] takes.
    pub(crate) fn open(
        directory: &std::path::Path,
        scope: Scope,
        clock: &Arc<dyn Clock>,
        ids: &Arc<dyn IdSource>,
    ) -> Result<(Self, Receiver<Finding>), AuditError> {
        let log = AuditLog::open(directory, Config::default(), Arc::clone(clock), ids.as_ref())?;
        let (send, findings) = channel(MAX_WAITING);
        let sink: Arc<dyn Findings> = Arc::new(Sink(send));
        let recorder = AuditRecorder::new(
            log.clone(),
            scope.clone(),
            Arc::clone(clock),
            Arc::clone(ids),
            Arc::clone(&sink),
        );
        Ok((
            Self {
                log,
                recorder: Arc::new(recorder),
                findings: sink,
                deliveries: Arc::default(),
                scope,
            },
            findings,
        ))
    }

    /// Records the last counts and closes the log.
    pub(crate) async fn close(self) {
        if let Err(error) = self.recorder.flush(true).await {
            tracing::warn!(reason = error.reason(), "refused calls were counted and not recorded");
        }
        if let Err(error) = tokio::task::spawn_blocking(move || self.log.close()).await {
            tracing::error!(%error, "closing the audit log failed");
        }
    }
}

#[derive(Debug)]
struct Sink(Sender<Finding>);

impl Findings for Sink {
    fn raise(&self, finding: Finding) {
        tracing::warn!(
            rule = finding.rule,
            severity = finding.severity,
            resource = finding.resource,
            principal = finding.principal,
            "{}",
            finding.title
        );
        match self.0.try_send(finding) {
            Ok(()) => {}
            Err(TrySendError::Full(finding) | TrySendError::Closed(finding)) => {
                tracing::error!(?finding, "a finding was not kept");
            }
        }
    }
}

impl NodeAudit for Audit {
    fn record(&self, event: NodeEvent) -> BoxFuture<'_, Result<(), String>> {
        let NodeEvent { kind, at, source_ip, instance_id, join_token, reason } = event;
        let mut details = Map::new();
        for (name, value) in [("containerInstanceId", instance_id), ("joinTokenId", join_token)] {
            details.extend(value.map(|value| (name.to_owned(), Value::from(value))));
        }
        let error = reason.map(|message| ErrorFacts { code: "AccessDenied".into(), message });
        let event = ServiceEvent {
            name: kind.as_str(),
            source: "portcullis.amazonaws.com",
            account: self.scope.account.clone(),
            region: self.scope.region.clone(),
            who: None,
            source_ip: Some(source_ip),
            resources: Vec::new(),
            details,
            error,
            time: at,
        };
        let recorded = self.recorder.record_event(&event);
        Box::pin(async move { recorded.await.map_err(|error| error.reason()) })
    }
}

/// Records counts of refused calls now and then. Never ends.
pub(crate) async fn flush(recorder: Arc<AuditRecorder>) {
    loop {
        tokio::time::sleep(FLUSH_INTERVAL).await;
        if let Err(error) = recorder.flush(false).await {
            tracing::warn!(reason = error.reason(), "counts of refused calls wait for the disk");
        }
    }
}

/// Keeps findings in the state. Never ends while there is somebody to raise any.
pub(crate) async fn keep(state: Arc<State>, mut findings: Receiver<Finding>) {
    while let Some(finding) = findings.recv().await {
        if let Err(error) = keep_one(&state, &finding).await {
            let error = &error as &dyn std::error::Error;
            tracing::error!(error, ?finding, "a finding was not kept");
        }
    }
}

async fn keep_one(state: &State, finding: &Finding) -> Result<(), StateError> {
    let mut attempt = 1_usize;
    loop {
        let (row, superfluous) = {
            let view = state.view();
            let identities = view.identities();
            let row = identities.finding(&finding.id).cloned();
            let is_full = row.is_none() && identities.findings().count() >= MAX_KEPT;
            let oldest =
                || identities.findings().min_by_key(|row| (!row.archived, row.last_seen_at));
            (row, is_full.then(oldest).flatten().cloned())
        };
        let mut change = Change::new();
        if let Some(superfluous) = &superfluous {
            change.delete(superfluous);
        }
        match &row {
            Some(row) => {
                let known = row.value.as_ref();
                let since_ms = finding.last_seen_at.ms_since(known.last_seen_at);
                if (0..RENEWAL_MS).contains(&since_ms) {
                    return Ok(());
                }
                let first_seen_at = known.first_seen_at;
                change.update(row, &Finding { first_seen_at, ..finding.clone() });
            }
            None => change.create(finding),
        }
        match state.commit(change).await {
            Err(StateError::Conflict { .. }) if attempt < ATTEMPTS => {
                attempt = attempt.saturating_add(1);
            }
            Ok(_) => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use base::Timestamp;
    use store_redb::{Options, RedbStore};

    use super::*;

    fn finding(number: usize) -> Finding {
        let seen_at = Timestamp::from_epoch_ms(i64::try_from(number).unwrap());
        Finding {
            id: format!("{number:05}"),
            rule: "DET-004".to_owned(),
            severity: "HIGH".to_owned(),
            title: String::new(),
            resource: String::new(),
            principal: None,
            evidence: std::collections::BTreeMap::new(),
            first_seen_at: seen_at,
            last_seen_at: seen_at,
            archived: number == 7,
        }
    }

    #[tokio::test]
    async fn findings_take_no_more_room_than_is_stated() {
        let root = tempfile::tempdir().unwrap();
        let store = RedbStore::open(&root.path().join("store"), Options::default()).unwrap();
        let (state, follower) = State::open(Arc::new(store)).await.unwrap();
        tokio::spawn(follower.run());
        for first in (0..MAX_KEPT).step_by(50) {
            let mut change = Change::new();
            (first..first + 50).for_each(|number| change.create(&finding(number)));
            state.commit(change).await.unwrap();
        }
        for new in [MAX_KEPT, MAX_KEPT + 1] {
            keep_one(&state, &finding(new)).await.unwrap();
        }
        let view = state.view();
        let is_there = |number| view.identities().finding(&format!("{number:05}")).is_some();
        assert_eq!(view.identities().findings().count(), MAX_KEPT);
        assert!(!is_there(7), "the archived one goes first");
        assert!(!is_there(0) && is_there(1), "then the oldest");
        assert!(is_there(MAX_KEPT) && is_there(MAX_KEPT + 1));
    }
}
