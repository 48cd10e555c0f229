//! Stops all tasks before the program ends.

use std::time::Duration;

use base::{Clock, Timestamp};
use domain::{DesiredStatus, StopCode, TaskStatus};
use state::{Change, State, StateError, View};

/// How long tasks may take: ECS's longest stop time-out is 120 s.
const LIMIT: Duration = Duration::from_secs(150);
/// How often the state is looked at while they stop.
const INTERVAL: Duration = Duration::from_millis(100);
/// Tasks in one transaction at most (two operations each).
const MAX_TASKS: usize = 60;
const REASON: &str = "Portcullis was stopped with --stop-tasks";

/// Asks all tasks to stop and waits until they have, for a limited time.
pub(crate) async fn stop_tasks(state: &State, clock: &dyn Clock) {
    let stopped = tokio::time::timeout(LIMIT, async {
        loop {
            let (change, left) = stops(&state.view(), clock.now());
            if left == 0 {
                return;
            }
            match state.commit(change).await {
                // Others write too, at the latest when the tasks' reports come in.
                Ok(_) | Err(StateError::Conflict { .. }) => {}
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(error, "tasks cannot be asked to stop now");
                }
            }
            tokio::time::sleep(INTERVAL).await;
        }
    });
    if stopped.await.is_err() {
        let limit_s = LIMIT.as_secs();
        tracing::warn!(limit_s, "some tasks did not stop in time and go on");
    }
}

/// What asks tasks to stop, and how many have not stopped.
fn stops(view: &View, now: Timestamp) -> (Change, usize) {
    let mut change = Change::new();
    let (mut asked, mut left) = (0_usize, 0_usize);
    for row in view.tasks().filter(|task| task.last_status != TaskStatus::Stopped) {
        left = left.saturating_add(1);
        if asked < MAX_TASKS && row.desired_status != DesiredStatus::Stopped {
            let mut task = row.value.as_ref().clone();
            if task.request_stop(StopCode::UserInitiated, REASON, now) {
                change.update(row, &task);
                asked = asked.saturating_add(1);
            }
        }
    }
    (change, left)
}
