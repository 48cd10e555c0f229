//! Taking in what happened.

use base::Timestamp;
use domain::{ContainerSpec, HealthStatus, StopCode, TaskSpec};

use crate::state::{
    ContainerPhase, ContainerState, Event, FoundContainer, Health, SandboxPhase, TaskState,
};

/// ECS's words for the end of a task whose essential container ended.
const ESSENTIAL_EXITED: &str = "Essential container in task exited";

/// Takes in one event. Events of another start of a container than the current one, and events
/// that cannot follow the state, change nothing.
pub fn apply(spec: &TaskSpec, state: &mut TaskState, event: Event, now: Timestamp) {
    match event {
        Event::ImagesResolved { digests } => {
            for (container, digest) in state.containers.iter_mut().zip(digests) {
                container.image_digest = Some(digest);
            }
            state.images_resolved = true;
            state.pull_stopped_at.get_or_insert(now);
        }
        Event::ImageFailed { container, reason } => {
            if let Some(container) = state.containers.get_mut(container)
                && container.phase == ContainerPhase::Waiting
            {
                container.stop_before_start(&reason, now);
                state.stop_with(StopCode::TaskFailedToStart, reason);
            }
        }
        Event::SandboxReady { address, mac_address, bindings } => {
            if state.sandbox == SandboxPhase::Absent {
                state.sandbox = SandboxPhase::Ready;
                state.address = address;
                state.mac_address = mac_address;
                for (container, binding) in bindings {
                    if let Some(container) = state.containers.get_mut(container) {
                        container.network_bindings.push(binding);
                    }
                }
            }
        }
        Event::SandboxFailed { reason } => {
            // One that was ready may be found missing after the machine was restarted.
            if state.sandbox != SandboxPhase::Removed {
                let code = if state.has_run {
                    StopCode::EssentialContainerExited
                } else {
                    StopCode::TaskFailedToStart
                };
                state.stop_with(code, reason);
            }
        }
        Event::SandboxRemoved => {
            state.sandbox = SandboxPhase::Removed;
            state.stopped_at.get_or_insert(now);
        }
        Event::ContainerStarted { container, attempt, runtime_id, at } => {
            started(state, container, attempt, Some(runtime_id), at);
        }
        Event::ContainerFailed { container, attempt, reason } => {
            let starting = current(state, container, attempt)
                .is_some_and(|container| container.phase == ContainerPhase::Starting);
            if starting {
                could_not_start(spec, state, container, &reason, now);
            }
        }
        Event::ContainerExited { container, attempt, exit_code, reason, at } => {
            exited(spec, state, container, attempt, (exit_code, reason, at));
        }
        Event::HealthProbed { container, attempt, passed, at } => {
            probed(spec, state, container, attempt, passed, at);
        }
    }
}

/// Takes in what the runtime has after a restart of the agent. A container that should be alive
/// and is not there has ended without a witness; one that was being started waits for its turn
/// again, under the same number.
pub fn recover(spec: &TaskSpec, state: &mut TaskState, found: &[FoundContainer], now: Timestamp) {
    for index in 0..state.containers.len() {
        let Some(container) = state.containers.get_mut(index) else { continue };
        let (attempt, phase) = (container.attempt, container.phase);
        let survivor =
            found.iter().find(|found| found.container == index && found.attempt == attempt);
        match survivor {
            Some(found) => {
                let runtime_id = Some(found.runtime_id.clone());
                started(state, index, attempt, runtime_id, found.started_at);
                if let Some(exit) = &found.exit {
                    exited(spec, state, index, attempt, exit.clone());
                }
            }
            None => match phase {
                ContainerPhase::Running | ContainerPhase::Stopping { .. } => {
                    let reason = "the container was gone when the agent came back".to_owned();
                    exited(spec, state, index, attempt, (137, Some(reason), now));
                }
                // Not left as it is: a task that should stop would start it only to stop it.
                ContainerPhase::Starting => {
                    container.phase = ContainerPhase::Waiting;
                    container.attempt = attempt.saturating_sub(1);
                }
                ContainerPhase::Waiting | ContainerPhase::Stopped => {}
            },
        }
    }
}

fn current(state: &mut TaskState, index: usize, attempt: u32) -> Option<&mut ContainerState> {
    state.containers.get_mut(index).filter(|container| container.attempt == attempt)
}

/// `runtime_id` is `None` when only the end of the process was witnessed.
fn started(
    state: &mut TaskState,
    index: usize,
    attempt: u32,
    runtime_id: Option<String>,
    at: Timestamp,
) {
    let Some(container) = current(state, index, attempt) else { return };
    if container.phase != ContainerPhase::Starting {
        return;
    }
    container.phase = ContainerPhase::Running;
    container.runtime_id = runtime_id.or(container.runtime_id.take());
    container.started_at = Some(at);
    container.stopped_at = None;
    container.exit_code = None;
    container.reason = None;
    container.health = Health::default();
    state.note_running(at);
}

/// A container could not be started: the end of the task, where it is essential. (`essential`:
/// the failure of another one does not affect the rest of the task.)
pub(crate) fn could_not_start(
    spec: &TaskSpec,
    state: &mut TaskState,
    index: usize,
    reason: &str,
    now: Timestamp,
) {
    let (Some(container), Some(spec)) =
        (state.containers.get_mut(index), spec.containers.get(index))
    else {
        return;
    };
    container.stop_before_start(reason, now);
    if !spec.essential {
        state.note_running(now);
    } else if state.has_run {
        state.stop_with(StopCode::EssentialContainerExited, ESSENTIAL_EXITED.to_owned());
    } else {
        state.stop_with(StopCode::TaskFailedToStart, reason.to_owned());
    }
}

fn exited(
    spec: &TaskSpec,
    state: &mut TaskState,
    index: usize,
    attempt: u32,
    (exit_code, reason, at): (i32, Option<String>, Timestamp),
) {
    let stopping = state.stop.is_some();
    started(state, index, attempt, None, at);
    let Some(container) = current(state, index, attempt) else { return };
    if !container.may_be_alive() {
        return;
    }
    let asked_to_stop = matches!(container.phase, ContainerPhase::Stopping { .. });
    container.phase = ContainerPhase::Stopped;
    container.exit_code = Some(exit_code);
    container.reason = reason;
    container.stopped_at = Some(at);
    container.health = Health::default();
    let ran_ms = at.ms_since(container.started_at.unwrap_or(at));
    let Some(container_spec) = spec.containers.get(index) else { return };
    if asked_to_stop || stopping {
        return;
    }
    if may_restart(container_spec, exit_code, ran_ms) {
        container.phase = ContainerPhase::Waiting;
    } else if container_spec.essential {
        state.stop_with(StopCode::EssentialContainerExited, ESSENTIAL_EXITED.to_owned());
    }
}

fn may_restart(spec: &ContainerSpec, exit_code: i32, ran_ms: i64) -> bool {
    spec.restart_policy.as_ref().is_some_and(|policy| {
        let period_ms = i64::from(policy.attempt_period_seconds).saturating_mul(1000);
        ran_ms >= period_ms && !policy.ignored_exit_codes.contains(&exit_code)
    })
}

fn probed(
    spec: &TaskSpec,
    state: &mut TaskState,
    index: usize,
    attempt: u32,
    passed: bool,
    at: Timestamp,
) {
    let Some(check) = spec.containers.get(index).and_then(|spec| spec.health_check.as_ref()) else {
        return;
    };
    let Some(container) = current(state, index, attempt) else { return };
    if container.phase != ContainerPhase::Running {
        return;
    }
    let health = &mut container.health;
    health.probed_at = Some(at);
    if passed {
        health.failures_in_a_row = 0;
        health.status = HealthStatus::Healthy;
        return;
    }
    let ran_ms = at.ms_since(container.started_at.unwrap_or(at));
    let start_period_ms = i64::from(check.start_period_seconds).saturating_mul(1000);
    // A container that has been healthy once is past its start, whatever the clock says.
    if ran_ms < start_period_ms && health.status == HealthStatus::Unknown {
        return;
    }
    health.failures_in_a_row = health.failures_in_a_row.saturating_add(1);
    if health.failures_in_a_row >= check.retries {
        health.status = HealthStatus::Unhealthy;
    }
}
