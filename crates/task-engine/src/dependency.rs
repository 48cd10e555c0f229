//! When a container may start, and when it may be told to stop.

use base::Timestamp;
use domain::{ContainerSpec, DependencyCondition, HealthStatus, TaskSpec};

use crate::state::{ContainerPhase, ContainerState, TaskState};

/// Whether a container may start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Readiness {
    /// Now.
    Ready,
    /// Not yet; at the moment given, if any, waiting is over.
    Wait(Option<Timestamp>),
    /// Never. The text begins with ECS's error name.
    Never(String),
}

/// Whether `container`'s dependencies are met at `now`.
pub(crate) fn readiness(
    spec: &TaskSpec,
    state: &TaskState,
    container: &ContainerSpec,
    now: Timestamp,
) -> Readiness {
    let mut deadline: Option<Timestamp> = None;
    let mut waiting = false;
    for (name, condition) in conditions(container) {
        let (Some(dependency), Some(dependency_spec)) =
            (state.container(name), spec.container(name))
        else {
            continue;
        };
        match satisfied(dependency, condition) {
            Some(true) => {}
            Some(false) => {
                return Readiness::Never(format!(
                    "TaskDependencyError: container `{}` waits for `{name}` to reach {}, which it \
                     no longer can: it stopped{}",
                    container.name,
                    condition.as_str(),
                    exit_words(dependency),
                ));
            }
            None => {
                waiting = true;
                if let Some(end) = gives_up_at(dependency, dependency_spec, condition) {
                    if end <= now {
                        return Readiness::Never(format!(
                            "TaskDependencyError: container `{}` gave up waiting for `{name}` to \
                             reach {} within its startTimeout of {} s",
                            container.name,
                            condition.as_str(),
                            dependency_spec.start_timeout_seconds.unwrap_or(0),
                        ));
                    }
                    deadline = Some(deadline.map_or(end, |known| known.min(end)));
                }
            }
        }
    }
    if waiting { Readiness::Wait(deadline) } else { Readiness::Ready }
}

/// Names of the containers that `container` needs, directly: `dependsOn` and `volumesFrom`.
pub(crate) fn conditions(
    container: &ContainerSpec,
) -> impl Iterator<Item = (&str, DependencyCondition)> {
    let depends_on = container
        .depends_on
        .iter()
        .map(|depends_on| (depends_on.container_name.as_str(), depends_on.condition));
    let volumes_from =
        container.volumes_from.iter().map(|(name, _)| (name.as_str(), DependencyCondition::Start));
    depends_on.chain(volumes_from)
}

/// Whether every container that needs `name` has stopped, so that it may be stopped too.
pub(crate) fn dependants_stopped(spec: &TaskSpec, state: &TaskState, name: &str) -> bool {
    spec.containers
        .iter()
        .zip(&state.containers)
        .filter(|(dependant, _)| conditions(dependant).any(|(needed, _)| needed == name))
        .all(|(_, dependant)| dependant.phase == ContainerPhase::Stopped)
}

/// `Some(true)`: met. `Some(false)`: can never be met. `None`: not yet.
fn satisfied(dependency: &ContainerState, condition: DependencyCondition) -> Option<bool> {
    let stopped = dependency.phase == ContainerPhase::Stopped;
    let exit_code = if stopped { dependency.exit_code } else { None };
    match condition {
        DependencyCondition::Start => match dependency.phase {
            ContainerPhase::Running | ContainerPhase::Stopping { .. } => Some(true),
            ContainerPhase::Stopped => Some(dependency.has_run()),
            ContainerPhase::Waiting | ContainerPhase::Starting => None,
        },
        DependencyCondition::Complete => match (stopped, exit_code) {
            (true, Some(_)) => Some(true),
            (true, None) => Some(false),
            (false, _) => None,
        },
        DependencyCondition::Success => match (stopped, exit_code) {
            (true, code) => Some(code == Some(0)),
            (false, _) => None,
        },
        DependencyCondition::Healthy => match (stopped, dependency.health.status) {
            (true, _) => Some(false),
            (false, HealthStatus::Healthy) => Some(true),
            (false, HealthStatus::Unknown | HealthStatus::Unhealthy) => None,
        },
    }
}

/// `startTimeout` of the dependency counts from its start, for all conditions but START.
fn gives_up_at(
    dependency: &ContainerState,
    spec: &ContainerSpec,
    condition: DependencyCondition,
) -> Option<Timestamp> {
    let timeout_seconds = spec.start_timeout_seconds?;
    let started_at = dependency.started_at?;
    match condition {
        DependencyCondition::Start => None,
        DependencyCondition::Complete
        | DependencyCondition::Success
        | DependencyCondition::Healthy => Some(started_at.plus_seconds(i64::from(timeout_seconds))),
    }
}

fn exit_words(dependency: &ContainerState) -> String {
    match (dependency.exit_code, &dependency.reason) {
        (Some(code), _) => format!(" with exit code {code}"),
        (None, Some(reason)) => format!(" before it ran ({reason})"),
        (None, None) => " before it ran".to_owned(),
    }
}
