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
        let row = state.view().identities().finding(&finding.id).cloned();
        let mut change = Change::new();
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
