//! From calls and events to records.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use base::{Clock, IdSource, Scope};
use futures_util::future::BoxFuture;
use iam::Finding;
use operation::{CallRecord, NoRecord, Recorder, Slot, Who, is_weighty};
use policy::PrincipalKind;
use serde_json::Map;

use crate::event::{self, ServiceEvent};
use crate::flood::Flood;
use crate::usage::Use;
use crate::{AuditError, AuditLog, Durability, Findings, Reservation};

/// Writes calls and events to an [`AuditLog`].
pub struct AuditRecorder {
    log: AuditLog,
    scope: Scope,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdSource>,
    findings: Arc<dyn Findings>,
    flood: Arc<Flood>,
}

impl fmt::Debug for AuditRecorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuditRecorder").field("log", &self.log).finish_non_exhaustive()
    }
}

struct Room {
    reservation: Reservation,
    scope: Scope,
    event_id: String,
    flood: Arc<Flood>,
}

impl AuditRecorder {
    /// Writes to `log`. `scope` is the server's own account and region.
    pub fn new(
        log: AuditLog,
        scope: Scope,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn IdSource>,
        findings: Arc<dyn Findings>,
    ) -> Self {
        Self { log, scope, clock, ids, findings, flood: Arc::default() }
    }

    /// Records something that was no call; do it before it takes effect. The future is done when the
    /// record is on disk; it is written also when the future is dropped.
    ///
    /// # Errors
    /// [`AuditError`]: what was to be recorded must not happen.
    pub fn record_event(&self, event: &ServiceEvent) -> BoxFuture<'static, Result<(), AuditError>> {
        match self.log.reserve() {
            Ok(reservation) => {
                let text = event::of_event(event, &self.ids.uuid());
                reservation.append(text, event.time, Durability::Synced, None)
            }
            Err(error) => Box::pin(std::future::ready(Err(error))),
        }
    }

    /// Records how many refused calls got no record of their own in the minutes that have passed; with
    /// `all`, also in this one. To be called every few seconds, and before the log is closed.
    ///
    /// # Errors
    /// [`AuditError`]: the counts are kept for the next time.
    pub async fn flush(&self, all: bool) -> Result<(), AuditError> {
        let now = self.clock.now();
        let mut outcome = Ok(());
        for (address, count) in self.flood.take(now, all) {
            let mut details = Map::new();
            details.insert("furtherRefusedCalls".to_owned(), count.into());
            let event = ServiceEvent {
                name: "RefuseCalls",
                source: "portcullis.amazonaws.com",
                account: self.scope.account.clone(),
                region: self.scope.region.clone(),
                who: Some(Who::default()),
                source_ip: Some(address),
                resources: Vec::new(),
                details,
                error: None,
                time: now,
            };
            if let Err(error) = self.record_event(&event).await {
                self.flood.give_back(address, count);
                outcome = Err(error);
            }
        }
        outcome
    }

    fn bound_elsewhere(&self, call: &CallRecord, task_arn: &str) {
        let about = format!("DET-005 {task_arn}");
        let principal = call.who.principal.as_ref().map(|principal| principal.arn.clone());
        let evidence = [
            ("sourceIPAddress", call.source_ip.to_string()),
            ("accessKeyId", call.who.access_key_id.to_string()),
            ("eventSource", format!("{}.amazonaws.com", call.api.endpoint_prefix)),
            ("eventName", call.operation.to_owned()),
            ("requestID", call.request_id.to_string()),
        ];
        let evidence = evidence.into_iter().map(|(name, value)| (name.to_owned(), value));
        self.findings.raise(Finding {
            id: uuid_of(&about),
            rule: "DET-005".to_owned(),
            severity: "HIGH".to_owned(),
            title: "The credentials of a task were used from outside of it".to_owned(),
            resource: task_arn.to_owned(),
            principal,
            evidence: evidence.collect(),
            first_seen_at: call.time,
            last_seen_at: call.time,
            archived: false,
        });
    }
}

/// A UUID (version 8) that says what it is about to nobody, and is always the same for it.
pub fn uuid_of(about: &str) -> String {
    let hash = digest(&SHA256, about.as_bytes());
    let mut bytes = [0; 16];
    for (byte, from) in bytes.iter_mut().zip(hash.as_ref()) {
        *byte = *from;
    }
    let bits = u128::from_be_bytes(bytes);
    let bits = bits & !(0xf << 76) | (0x8 << 76);
    let bits = bits & !(0b11 << 62) | (0b10 << 62);
    let text = format!("{bits:032x}");
    let part = |from: usize, to: usize| text.get(from..to).unwrap_or_default();
    [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-")
}

/// What callers of ours are told: what is wrong with the log, and no paths.
fn unavailable(error: &AuditError) -> NoRecord {
    tracing::error!(reason = error.reason(), "a call is refused: it would have no record");
    NoRecord::Unavailable { reason: told(error) }
}

fn told(error: &AuditError) -> String {
    let text = match error {
        AuditError::Full { .. } => "there is no room on the disk",
        AuditError::Busy => "too many calls wait for it",
        AuditError::Closed => "the server is ending",
        AuditError::Io { .. }
        | AuditError::Key { .. }
        | AuditError::Broken(_)
        | AuditError::Failed { .. }
        | AuditError::Retention { .. } => "it is not writable; the server's log says more",
    };
    text.to_owned()
}

fn lost(
    written: BoxFuture<'static, Result<(), AuditError>>,
) -> BoxFuture<'static, Result<(), NoRecord>> {
    Box::pin(async move {
        written.await.map_err(|error| {
            tracing::error!(reason = error.reason(), "an audit record may be lost");
            NoRecord::Lost { reason: told(&error) }
        })
    })
}

impl Recorder for AuditRecorder {
    fn reserve(&self) -> Result<Box<dyn Slot>, NoRecord> {
        let reservation = self.log.reserve().map_err(|error| unavailable(&error))?;
        let (scope, event_id) = (self.scope.clone(), self.ids.uuid());
        Ok(Box::new(Room { reservation, scope, event_id, flood: Arc::clone(&self.flood) }))
    }

    fn refused(&self, call: CallRecord) -> BoxFuture<'static, Result<(), NoRecord>> {
        if let Some(task_arn) = &call.who.bound_elsewhere {
            self.bound_elsewhere(&call, task_arn);
        }
        if !self.flood.admits(call.source_ip, self.clock.now()) {
            return Box::pin(std::future::ready(Ok(())));
        }
        match self.log.reserve() {
            Ok(reservation) => {
                let text = event::of_call(&call, false, &self.scope.account, &self.ids.uuid());
                lost(reservation.append(text, call.time, Durability::Synced, None))
            }
            Err(error) => Box::pin(std::future::ready(Err(unavailable(&error)))),
        }
    }
}

impl Slot for Room {
    fn record(self: Box<Self>, call: CallRecord) -> BoxFuture<'static, Result<(), NoRecord>> {
        let is_stranger = call.error.is_some()
            && call.who.principal.as_ref().is_none_or(|who| who.kind == PrincipalKind::Anonymous);
        if is_stranger && !self.flood.admits(call.source_ip, call.time) {
            return Box::pin(std::future::ready(Ok(())));
        }
        let text = event::of_call(&call, true, &self.scope.account, &self.event_id);
        let is_denied = call.decisions.iter().any(|decided| !decided.decision.is_allowed());
        let durability = if is_denied || is_weighty(call.operation) {
            Durability::Synced
        } else {
            Durability::Written
        };
        lost(self.reservation.append(text, call.time, durability, Use::of(&call)))
    }
}
