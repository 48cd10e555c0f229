//! When a service whose tasks do not come up may start the next ones.

use base::Timestamp;
use domain::{Deployment, Task, TaskStatus};

/// The longest delay: 27 minutes.
const MAX_DELAY_MS: i64 = 27 * 60 * 1000;
/// The delay after the first round of failures.
const FIRST_DELAY_MS: i64 = 10_000;

/// How long to wait after `failures_in_a_row` tasks of one deployment stopped without having run.
///
/// AWS does not publish the curve; ours: a round is as many failures as the service has tasks, the
/// first round costs 10 s, each further one doubles that, up to 27 minutes; up to a fifth more as
/// jitter, drawn from `seed`.
pub fn start_delay_ms(failures_in_a_row: u32, desired_count: u32, seed: u64) -> i64 {
    let rounds = failures_in_a_row / desired_count.max(1);
    if rounds == 0 {
        return 0;
    }
    let doublings = (rounds - 1).min(16);
    let delay_ms = FIRST_DELAY_MS.saturating_mul(1_i64 << doublings).min(MAX_DELAY_MS);
    let jitter = i64::try_from(seed % 1000).unwrap_or(0);
    (delay_ms + delay_ms * jitter / 5000).min(MAX_DELAY_MS)
}

/// Failures in a row of a deployment, and the moment before which it starts nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Throttle {
    pub(crate) failures_in_a_row: u32,
    pub(crate) not_before: Option<Timestamp>,
}

impl Throttle {
    /// Derived from the tasks themselves, so that it needs no memory: those that stopped without
    /// having run, after the last one that ran. Tasks that once ran do not count.
    pub(crate) fn of(deployment: &Deployment, tasks: &[&Task], desired_count: u32) -> Self {
        let own = || {
            tasks.iter().filter(|task| task.started_by.as_deref() == Some(deployment.id.as_str()))
        };
        let last_success = own().filter_map(|task| task.started_at).max();
        let failed_at = own()
            .filter(|task| never_ran(task))
            .filter_map(|task| task.stopped_at)
            .filter(|stopped_at| last_success.is_none_or(|success| *stopped_at > success));
        let (mut count, mut last) = (0_u32, None);
        for stopped_at in failed_at {
            count = count.saturating_add(1);
            last = last.max(Some(stopped_at));
        }
        let delay_ms = start_delay_ms(count, desired_count, seed(&deployment.id));
        let not_before = last.filter(|_| delay_ms > 0).map(|last| last.plus_ms(delay_ms));
        Self { failures_in_a_row: count, not_before }
    }
}

/// Whether the task is over and was never RUNNING, through no wish of the service or a user.
pub(crate) fn never_ran(task: &Task) -> bool {
    use domain::StopCode;
    let failed = match task.stop_code {
        Some(StopCode::TaskFailedToStart | StopCode::EssentialContainerExited) => true,
        Some(
            StopCode::UserInitiated
            | StopCode::ServiceSchedulerInitiated
            | StopCode::InfrastructureHealth,
        )
        | None => false,
    };
    failed && task.last_status == TaskStatus::Stopped && task.started_at.is_none()
}

/// A number that is the same for the same text, to draw jitter and ties from (FNV-1a).
pub(crate) fn seed(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
