//! What should be under way now.

use base::Timestamp;
use domain::{DesiredStatus, TaskSpec};

use crate::apply::could_not_start;
use crate::dependency::{Readiness, dependants_stopped, readiness};
use crate::state::{ContainerPhase, SandboxPhase, TaskState};

/// Seconds between the stop signal and the kill where the definition says nothing (the ECS agent's
/// `ECS_CONTAINER_STOP_TIMEOUT`).
pub const DEFAULT_STOP_TIMEOUT_SECONDS: u32 = 30;

/// Something the node does for a task. Idempotent; at most one of each kind, container and attempt
/// is under way.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// Find every container's image.
    ResolveImages,
    /// Make namespaces and network.
    CreateSandbox,
    /// Create and start a container.
    StartContainer {
        /// Index of the container.
        container: usize,
        /// Which start.
        attempt: u32,
    },
    /// Send the stop signal.
    StopContainer {
        /// Index of the container.
        container: usize,
        /// Which start.
        attempt: u32,
    },
    /// Kill, after the stop time-out.
    KillContainer {
        /// Index of the container.
        container: usize,
        /// Which start.
        attempt: u32,
    },
    /// Run the health check once.
    ProbeHealth {
        /// Index of the container.
        container: usize,
        /// Which start.
        attempt: u32,
    },
    /// Collect the last output, delete the containers, take down network and namespaces.
    RemoveSandbox,
}

/// What should be under way, and when to ask again without an event.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// In the order in which they should begin.
    pub effects: Vec<Effect>,
    /// The next moment at which time alone changes the plan.
    pub wake_at: Option<Timestamp>,
}

impl Plan {
    fn wake_at(&mut self, moment: Timestamp) {
        self.wake_at = Some(self.wake_at.map_or(moment, |known| known.min(moment)));
    }
}

/// Moves the task as far as `desired` and the time allow, and says what should be under way.
pub fn plan(
    spec: &TaskSpec,
    desired: DesiredStatus,
    state: &mut TaskState,
    now: Timestamp,
) -> Plan {
    let mut plan = Plan::default();
    if desired == DesiredStatus::Running && state.stop.is_none() {
        plan_running(spec, state, now, &mut plan);
    }
    // Not `else`: a dependency that can never be met stops the task in this very step.
    if desired == DesiredStatus::Stopped || state.stop.is_some() {
        plan = Plan::default();
        plan_stopping(spec, state, now, &mut plan);
    }
    plan
}

fn plan_running(spec: &TaskSpec, state: &mut TaskState, now: Timestamp, plan: &mut Plan) {
    if !state.images_resolved {
        state.pull_started_at.get_or_insert(now);
        plan.effects.push(Effect::ResolveImages);
    }
    if state.sandbox == SandboxPhase::Absent {
        plan.effects.push(Effect::CreateSandbox);
    }
    if state.images_resolved && state.sandbox == SandboxPhase::Ready {
        // One that can never start decides over those that wait for it: again until none is left.
        while start_those_ready(spec, state, now, plan) {}
    }
    for (index, container_spec) in spec.containers.iter().enumerate() {
        let Some(container) = state.containers.get(index) else { continue };
        let attempt = container.attempt;
        match container.phase {
            ContainerPhase::Starting => {
                plan.effects.push(Effect::StartContainer { container: index, attempt });
            }
            ContainerPhase::Running => {
                if let Some(check) = &container_spec.health_check {
                    let last = container.health.probed_at.or(container.started_at).unwrap_or(now);
                    // A clock that was put back does not keep a container from being looked at.
                    let last = last.min(now);
                    let due = last.plus_seconds(i64::from(check.interval_seconds));
                    if due <= now {
                        plan.effects.push(Effect::ProbeHealth { container: index, attempt });
                    } else {
                        plan.wake_at(due);
                    }
                }
            }
            ContainerPhase::Waiting | ContainerPhase::Stopping { .. } | ContainerPhase::Stopped => {
            }
        }
    }
}

/// Returns whether a container was given up.
fn start_those_ready(
    spec: &TaskSpec,
    state: &mut TaskState,
    now: Timestamp,
    plan: &mut Plan,
) -> bool {
    let mut given_up = false;
    for (index, container_spec) in spec.containers.iter().enumerate() {
        let Some(container) = state.containers.get(index) else { continue };
        if container.phase != ContainerPhase::Waiting {
            continue;
        }
        // Dependencies are for the task's start; a restart of the container does not wait.
        let restart = container.attempt > 0;
        let readiness =
            if restart { Readiness::Ready } else { readiness(spec, state, container_spec, now) };
        match readiness {
            Readiness::Ready => {
                if let Some(container) = state.containers.get_mut(index) {
                    container.phase = ContainerPhase::Starting;
                    container.attempt = container.attempt.saturating_add(1);
                }
            }
            Readiness::Wait(Some(deadline)) => plan.wake_at(deadline),
            Readiness::Wait(None) => {}
            Readiness::Never(reason) => {
                could_not_start(spec, state, index, &reason, now);
                given_up = true;
            }
        }
    }
    given_up
}

fn plan_stopping(spec: &TaskSpec, state: &mut TaskState, now: Timestamp, plan: &mut Plan) {
    for container in &mut state.containers {
        if container.phase == ContainerPhase::Waiting {
            container.phase = ContainerPhase::Stopped;
            container.stopped_at.get_or_insert(now);
        }
    }
    for (index, container_spec) in spec.containers.iter().enumerate() {
        let may_stop = dependants_stopped(spec, state, &container_spec.name);
        let Some(container) = state.containers.get_mut(index) else { continue };
        let attempt = container.attempt;
        let timeout = container_spec.stop_timeout_seconds.unwrap_or(DEFAULT_STOP_TIMEOUT_SECONDS);
        let latest = now.plus_seconds(i64::from(timeout));
        // A clock that was put back does not give a container more time than it has.
        if let ContainerPhase::Stopping { kill_at } = &mut container.phase {
            *kill_at = latest.min(*kill_at);
        }
        match container.phase {
            // Its start must end one way or the other before it can be stopped.
            ContainerPhase::Starting => {
                plan.effects.push(Effect::StartContainer { container: index, attempt });
            }
            ContainerPhase::Running if may_stop => {
                container.phase = ContainerPhase::Stopping { kill_at: latest };
                plan.effects.push(Effect::StopContainer { container: index, attempt });
                plan.wake_at(latest);
            }
            ContainerPhase::Stopping { kill_at } if kill_at <= now => {
                plan.effects.push(Effect::KillContainer { container: index, attempt });
            }
            ContainerPhase::Stopping { kill_at } => {
                plan.effects.push(Effect::StopContainer { container: index, attempt });
                plan.wake_at(kill_at);
            }
            ContainerPhase::Running | ContainerPhase::Waiting | ContainerPhase::Stopped => {}
        }
    }
    if state.all_stopped() {
        state.execution_stopped_at.get_or_insert(now);
        if state.sandbox != SandboxPhase::Removed {
            plan.effects.push(Effect::RemoveSandbox);
        }
    }
}
