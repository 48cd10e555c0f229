//! When a service whose tasks do not come up may start the next ones.

use base::Timestamp;
use domain::{Deployment, StopCode, Task, TaskStatus};

use crate::service::FAILED_HEALTH_CHECKS;
use crate::tally::HEALTHY_AFTER_MS;

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

/// The moment before which a deployment starts nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Throttle {
    /// While its tasks do not come up.
    pub(crate) not_before: Option<Timestamp>,
    /// As `not_before`, for tasks that do start, but do not stay.
    pub(crate) paced_until: Option<Timestamp>,
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
            .filter(|task| task.started_at.is_none() && ended_by_itself(task))
            .filter_map(|task| ended_at(task))
            .filter(|stopped_at| last_success.is_none_or(|success| *stopped_at > success));
        let (mut count, mut last) = (0_u32, None);
        for stopped_at in failed_at {
            count = count.saturating_add(1);
            last = last.max(Some(stopped_at));
        }
        let delay_ms = start_delay_ms(count, desired_count, seed(&deployment.id));
        let not_before = last.filter(|_| delay_ms > 0).map(|last| last.plus_ms(delay_ms));
        let paced_until = pace(own().copied(), desired_count);
        Self { not_before, paced_until }
    }

    /// The moment before which nothing is started.
    pub(crate) fn until(&self) -> Option<Timestamp> {
        self.not_before.max(self.paced_until)
    }
}

/// Tasks that run and end by themselves again and again do not fail to start (ECS: they do not
/// count), but on a fast machine they would be replaced many times a second. Ours: once three
/// rounds of them have lived for less than 40 s each, the next round waits for 10 s.
fn pace<'a>(own: impl Iterator<Item = &'a Task>, desired_count: u32) -> Option<Timestamp> {
    let (mut short_lives, mut last) = (Vec::new(), None);
    let mut last_long_life = None;
    for task in own {
        let Some(started_at) = task.started_at else { continue };
        let by_itself = task.stop_code == Some(StopCode::EssentialContainerExited);
        match ended_at(task) {
            Some(stopped_at) if stopped_at.ms_since(started_at) < HEALTHY_AFTER_MS => {
                if by_itself {
                    short_lives.push(stopped_at);
                    last = last.max(Some(stopped_at));
                }
            }
            ended => last_long_life = last_long_life.max(ended),
        }
    }
    let since = short_lives.iter().filter(|stopped_at| Some(**stopped_at) > last_long_life).count();
    let free = usize::try_from(desired_count.max(1).saturating_mul(3)).unwrap_or(usize::MAX);
    last.filter(|_| since >= free).map(|last| last.plus_ms(FIRST_DELAY_MS))
}

/// Whether the task is one that a deployment's circuit breaker counts.
pub fn counts_as_failure(task: &Task) -> bool {
    never_ran(task) || task.stopped_reason.as_deref() == Some(FAILED_HEALTH_CHECKS)
}

/// Whether the task is over and was never RUNNING, through no wish of the service or a user.
pub(crate) fn never_ran(task: &Task) -> bool {
    ended_by_itself(task) && task.last_status == TaskStatus::Stopped && task.started_at.is_none()
}

fn ended_by_itself(task: &Task) -> bool {
    match task.stop_code {
        Some(StopCode::TaskFailedToStart | StopCode::EssentialContainerExited) => true,
        Some(
            StopCode::UserInitiated
            | StopCode::ServiceSchedulerInitiated
            | StopCode::InfrastructureHealth,
        )
        | None => false,
    }
}

/// When a task was over. One that ends by itself makes room for the next as soon as that is seen, not
/// only when all of it is taken down: a delay that began later would come too late.
fn ended_at(task: &Task) -> Option<Timestamp> {
    let seen = task.stopping_at.filter(|_| ended_by_itself(task));
    task.stopped_at.or(seen)
}

/// A number that is the same for the same text, to draw jitter and ties from (FNV-1a).
pub(crate) fn seed(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
