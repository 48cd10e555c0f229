//! The guard's rules on a definition.

use api_ecs::types::{ContainerDefinition, RegisterTaskDefinitionRequest, TaskDefinition, Volume};
use guard::{
    ContainerView, DeviceView, Mode, MountPointView, TaskDefinitionView, VolumeView, evaluate,
};

use super::Surroundings;
use super::problems::Problems;

/// Applies the rules. What is refused is a problem; what is let pass is returned, one line each.
pub(super) fn check(
    input: &RegisterTaskDefinitionRequest,
    surroundings: Surroundings<'_>,
    mode: Mode,
    problems: &mut Problems,
) -> Vec<String> {
    let view = TaskDefinitionView {
        network_mode: input.network_mode.as_ref().map(ToString::to_string),
        pid_mode: input.pid_mode.as_ref().map(ToString::to_string),
        ipc_mode: input.ipc_mode.as_ref().map(ToString::to_string),
        containers: surroundings.containers.iter().map(container).collect(),
        volumes: surroundings.volumes.iter().map(volume).collect(),
    };
    let verdict = evaluate(&view, mode);
    if let Some(text) = verdict.error_text() {
        problems.push(format!("{text}."));
        return Vec::new();
    }
    let notes = verdict.findings.iter();
    let notes: Vec<String> = notes
        .map(|finding| format!("{} at {}: {}", finding.rule_id, finding.path, finding.message))
        .collect();
    for note in &notes {
        let family = input.family.as_deref().unwrap_or_default();
        tracing::warn!(family, note, "a task definition breaks a guard rule and was let pass");
    }
    notes
}

/// Why a registered definition may not start now, if so: it may have been let pass, or the rules
/// may have been others.
pub(crate) fn refusal(definition: &TaskDefinition, mode: Mode) -> Option<String> {
    let containers = definition.container_definitions.iter().flatten();
    let view = TaskDefinitionView {
        network_mode: definition.network_mode.as_ref().map(ToString::to_string),
        pid_mode: definition.pid_mode.as_ref().map(ToString::to_string),
        ipc_mode: definition.ipc_mode.as_ref().map(ToString::to_string),
        containers: containers.map(container).collect(),
        volumes: definition.volumes.iter().flatten().map(volume).collect(),
    };
    evaluate(&view, mode).error_text()
}

fn container(definition: &ContainerDefinition) -> ContainerView {
    let linux = definition.linux_parameters.as_ref();
    let devices = linux.and_then(|linux| linux.devices.as_deref()).unwrap_or_default();
    let mounts = definition.mount_points.as_deref().unwrap_or_default();
    ContainerView {
        name: definition.name.clone().unwrap_or_default(),
        privileged: definition.privileged == Some(true),
        devices: devices
            .iter()
            .map(|device| DeviceView { host_path: device.host_path.clone().unwrap_or_default() })
            .collect(),
        mount_points: mounts
            .iter()
            .map(|mount| MountPointView {
                source_volume: mount.source_volume.clone().unwrap_or_default(),
            })
            .collect(),
    }
}

fn volume(volume: &Volume) -> VolumeView {
    VolumeView {
        name: volume.name.clone().unwrap_or_default(),
        host_source_path: volume.host.as_ref().and_then(|host| host.source_path.clone()),
    }
}
