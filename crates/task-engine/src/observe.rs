//! What the control plane is told.

use domain::{
    ContainerStatus, DesiredStatus, HealthStatus, TaskContainer, TaskObservation, TaskSpec,
    TaskStatus,
};

use crate::state::{ContainerPhase, ContainerState, SandboxPhase, TaskState};

/// The task as the control plane should know it. `sequence` must rise with every report.
pub fn observe(
    spec: &TaskSpec,
    desired: DesiredStatus,
    state: &TaskState,
    sequence: u64,
) -> TaskObservation {
    let containers = state.containers.iter().zip(&spec.containers);
    TaskObservation {
        sequence,
        last_status: status(desired, state),
        containers: containers
            .map(|(container, spec)| observe_container(container, &spec.image))
            .collect(),
        health_status: health(spec, state),
        address: state.address.clone(),
        mac_address: state.mac_address.clone(),
        stop: state.stop.clone(),
        pull_started_at: state.pull_started_at,
        pull_stopped_at: state.pull_stopped_at,
        started_at: state.started_at,
        execution_stopped_at: state.execution_stopped_at,
        stopped_at: state.stopped_at,
    }
}

fn status(desired: DesiredStatus, state: &TaskState) -> TaskStatus {
    let stopping = desired == DesiredStatus::Stopped || state.stop.is_some();
    match (state.sandbox, stopping) {
        (SandboxPhase::Removed, _) => TaskStatus::Stopped,
        (_, true) if state.all_stopped() => TaskStatus::Deprovisioning,
        (_, true) => TaskStatus::Stopping,
        (_, false) if state.has_run => TaskStatus::Running,
        (_, false) => TaskStatus::Pending,
    }
}

fn observe_container(container: &ContainerState, image: &str) -> TaskContainer {
    TaskContainer {
        name: container.name.clone(),
        id: container.id.clone(),
        image: image.to_owned(),
        image_digest: container.image_digest.clone(),
        runtime_id: container.runtime_id.clone(),
        last_status: match container.phase {
            ContainerPhase::Waiting | ContainerPhase::Starting => ContainerStatus::Pending,
            ContainerPhase::Running | ContainerPhase::Stopping { .. } => ContainerStatus::Running,
            ContainerPhase::Stopped => ContainerStatus::Stopped,
        },
        exit_code: container.exit_code,
        reason: container.reason.clone(),
        health_status: container.health.status,
        network_bindings: container.network_bindings.clone(),
        restart_count: container.attempt.saturating_sub(1),
    }
}

/// Essential containers with a health check decide: unhealthy if one is, unknown if one is, else
/// healthy; unknown when there is no check. (As the ECS agent does; containers without a check say
/// nothing about a task's health.)
fn health(spec: &TaskSpec, state: &TaskState) -> HealthStatus {
    let checked = spec
        .containers
        .iter()
        .zip(&state.containers)
        .filter(|(spec, _)| spec.essential && spec.health_check.is_some())
        .map(|(_, container)| container.health.status);
    let mut result = None;
    for status in checked {
        result = Some(match (result, status) {
            (_, HealthStatus::Unhealthy) | (Some(HealthStatus::Unhealthy), _) => {
                HealthStatus::Unhealthy
            }
            (_, HealthStatus::Unknown) | (Some(HealthStatus::Unknown), _) => HealthStatus::Unknown,
            (None | Some(HealthStatus::Healthy), HealthStatus::Healthy) => HealthStatus::Healthy,
        });
    }
    result.unwrap_or_default()
}
