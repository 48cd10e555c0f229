//! The tasks that may speak to the agent now, by the address they speak from.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base::Timestamp;
use node_proto::Assignment;
use task_engine::{SandboxPhase, TaskState};
use tokio::sync::watch;

/// Requests that a task may make at once after a pause, and each second: the ECS agent's limits.
const BURST: i64 = 60;
const PER_SECOND: i64 = 40;

/// A task as the endpoint shows it.
#[derive(Debug)]
pub(crate) struct LiveTask {
    pub(crate) assignment: Arc<Assignment>,
    pub(crate) address: Ipv4Addr,
    pub(crate) state: TaskState,
}

/// What the actors publish of their tasks. A task is here from when it has its network until its last container
/// has ended; its address is given to no other task before it is gone.
#[derive(Debug, Default)]
pub(crate) struct LiveTasks(Mutex<BTreeMap<Ipv4Addr, Entry>>);

#[derive(Debug)]
struct Entry {
    task: Arc<LiveTask>,
    /// Whether the control plane knows the task's address.
    reported: watch::Sender<bool>,
    rate: Rate,
}

impl LiveTasks {
    /// Shows a task as it is now; returns whether it is live.
    pub(crate) fn publish(&self, assignment: &Arc<Assignment>, state: &TaskState) -> bool {
        let address = state.address.as_deref().and_then(|text| text.parse::<Ipv4Addr>().ok());
        let Some(address) = address else { return false };
        let live = state.sandbox == SandboxPhase::Ready && !state.all_stopped();
        let mut entries = self.lock();
        let known = entries.get_mut(&address);
        let known = known.filter(|entry| entry.task.assignment.task_id == assignment.task_id);
        if !live {
            if known.is_some() {
                entries.remove(&address);
            }
            return false;
        }
        let (assignment, state) = (Arc::clone(assignment), state.clone());
        let task = Arc::new(LiveTask { assignment, address, state });
        match known {
            Some(entry) => entry.task = task,
            None => {
                let (reported, rate) = (watch::Sender::new(false), Rate::default());
                entries.insert(address, Entry { task, reported, rate });
            }
        }
        true
    }

    /// Notes that the control plane has taken in where these tasks are.
    pub(crate) fn reported<'a>(&self, task_ids: impl IntoIterator<Item = &'a str>) {
        let entries = self.lock();
        for task_id in task_ids {
            let entry = entries.values().find(|entry| entry.task.assignment.task_id == task_id);
            if let Some(entry) = entry {
                entry.reported.send_if_modified(|reported| !std::mem::replace(reported, true));
            }
        }
    }

    /// The task that speaks from an address, and whether the control plane knows that.
    pub(crate) fn at(&self, address: Ipv4Addr) -> Option<(Arc<LiveTask>, watch::Receiver<bool>)> {
        let entries = self.lock();
        let entry = entries.get(&address)?;
        Some((Arc::clone(&entry.task), entry.reported.subscribe()))
    }

    /// Takes one request off what the task at an address may make now; false when there is none left.
    pub(crate) fn may_ask(&self, address: Ipv4Addr, now: Timestamp) -> bool {
        self.lock().get_mut(&address).is_some_and(|entry| entry.rate.take(now))
    }

    /// All of them.
    pub(crate) fn all(&self) -> Vec<Arc<LiveTask>> {
        self.lock().values().map(|entry| Arc::clone(&entry.task)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Ipv4Addr, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A bucket of requests, counted in thousandths.
#[derive(Debug)]
struct Rate {
    left: i64,
    at: Option<Timestamp>,
}

impl Default for Rate {
    fn default() -> Self {
        Self { left: BURST * 1000, at: None }
    }
}

impl Rate {
    fn take(&mut self, now: Timestamp) -> bool {
        let passed_ms = self.at.map_or(0, |at| now.ms_since(at).max(0));
        self.at = Some(now);
        let refilled = self.left.saturating_add(passed_ms.saturating_mul(PER_SECOND));
        self.left = refilled.min(BURST * 1000);
        let enough = self.left >= 1000;
        if enough {
            self.left -= 1000;
        }
        enough
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_come_in_bursts_and_then_at_a_steady_rate() {
        let mut rate = Rate::default();
        let mut taken = |now_ms, tries| {
            (0..tries).filter(|_| rate.take(Timestamp::from_epoch_ms(now_ms))).count()
        };
        assert_eq!(taken(0, 100), 60);
        assert_eq!(taken(1_000, 100), 40);
        assert_eq!(taken(1_025, 100), 1);
        // A clock that steps back gives nothing.
        assert_eq!(taken(0, 100), 0);
        assert_eq!(taken(100_000, 100), 60);
    }
}
