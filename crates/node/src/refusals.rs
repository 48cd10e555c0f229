//! Tells the control plane who was refused what: counted by task and reason, so that a busy attacker makes
//! large numbers, not many messages.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base::Timestamp;
use node_proto::{ControlPlane, RefusalReason, RefusedAttempt, RefusedAttempts};
use tokio::sync::Notify;

use crate::live_tasks::LiveTask;

/// Counters that wait to be told; further ones are not kept.
const MAX_WAITING: usize = 1024;
/// Told at once.
const MAX_BATCH: usize = 128;
/// Pause between two messages.
const PAUSE: Duration = Duration::from_secs(1);

type Counts = BTreeMap<(String, RefusalReason), RefusedAttempt>;

/// What was refused and not told yet.
#[derive(Debug, Default)]
pub(crate) struct Refusals {
    counts: Mutex<Counts>,
    news: Notify,
}

impl Refusals {
    /// Counts an attempt of a task.
    pub(crate) fn count(&self, task: &LiveTask, reason: RefusalReason, now: Timestamp) {
        let attempt = RefusedAttempt {
            task_id: task.assignment.task_id.clone(),
            source_ip: task.address,
            reason,
            count: 1,
            first_at: now,
            last_at: now,
        };
        add(&mut self.lock(), attempt);
        self.news.notify_one();
    }

    /// Tells them, until it is dropped.
    pub(crate) async fn run(&self, control_plane: Arc<dyn ControlPlane>, instance_id: String) {
        loop {
            self.news.notified().await;
            while let Some(attempts) = self.take() {
                let (instance_id, told) = (instance_id.clone(), attempts.clone());
                let told = RefusedAttempts { instance_id, attempts: told };
                if let Err(error) = control_plane.refused(told).await {
                    tracing::warn!(%error, "refused attempts are told later");
                    let mut counts = self.lock();
                    attempts.into_iter().for_each(|attempt| add(&mut counts, attempt));
                }
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    fn take(&self) -> Option<Vec<RefusedAttempt>> {
        let mut counts = self.lock();
        let mut attempts = Vec::new();
        while attempts.len() < MAX_BATCH {
            let Some((_, attempt)) = counts.pop_first() else { break };
            attempts.push(attempt);
        }
        (!attempts.is_empty()).then_some(attempts)
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn add(counts: &mut Counts, attempt: RefusedAttempt) {
    let full = counts.len() >= MAX_WAITING;
    match counts.entry((attempt.task_id.clone(), attempt.reason)) {
        Entry::Occupied(mut known) => {
            let known = known.get_mut();
            known.count = known.count.saturating_add(attempt.count);
            known.first_at = known.first_at.min(attempt.first_at);
            known.last_at = known.last_at.max(attempt.last_at);
        }
        Entry::Vacant(_) if full => {
            tracing::warn!(task = attempt.task_id, reason = attempt.reason.as_str(), "not told");
        }
        Entry::Vacant(vacant) => drop(vacant.insert(attempt)),
    }
}
