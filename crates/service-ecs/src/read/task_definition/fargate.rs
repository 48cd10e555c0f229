//! What Fargate takes.

use api_ecs::types::{
    Compatibility, ContainerDefinition, IpcMode, LogDriver, PidMode, RegisterTaskDefinitionRequest,
};
use domain::NetworkMode;

use super::Surroundings;
use super::problems::Problems;
use crate::read::amount;

/// The longest start and stop time-out, in seconds.
const MAX_TIMEOUT_SECONDS: i32 = 120;

/// Whether the definition can run as FARGATE. Where it asks for that, what stands against it is
/// a problem.
pub(super) fn compatible(
    input: &RegisterTaskDefinitionRequest,
    surroundings: Surroundings<'_>,
    problems: &mut Problems,
) -> bool {
    let required = input.requires_compatibilities.as_deref().unwrap_or_default();
    let required = required.contains(&Compatibility::Fargate);
    if !required && surroundings.network_mode != NetworkMode::Awsvpc {
        return false;
    }
    let mut found = Problems::default();
    check(input, surroundings, &mut found);
    let compatible = found.is_empty();
    if required {
        problems.append(found);
    }
    compatible
}

fn check(
    input: &RegisterTaskDefinitionRequest,
    surroundings: Surroundings<'_>,
    problems: &mut Problems,
) {
    if surroundings.network_mode != NetworkMode::Awsvpc {
        problems.push("Fargate only supports network mode 'awsvpc'.");
    }
    if input.cpu.is_none() {
        problems.push("Fargate requires that 'cpu' be defined at the task level.");
    }
    if input.memory.is_none() {
        problems.push("Fargate requires that 'memory' be defined at the task level.");
    }
    if let (Some(cpu_units), Some(memory_mib)) = (surroundings.cpu_units, surroundings.memory_mib) {
        problems.take(amount::check_fargate_combination(cpu_units, memory_mib));
    }
    if input.placement_constraints.as_ref().is_some_and(|list| !list.is_empty()) {
        problems.push("Fargate does not support 'placementConstraints' in a task definition.");
    }
    match &input.pid_mode {
        Some(PidMode::Host | PidMode::Unrecognized(_)) => {
            problems.push("Fargate supports the pidMode 'task' only.");
        }
        Some(PidMode::Task) | None => {}
    }
    match &input.ipc_mode {
        Some(IpcMode::Host | IpcMode::Task | IpcMode::Unrecognized(_)) => {
            problems.push("Fargate does not support 'ipcMode'.");
        }
        Some(IpcMode::None) | None => {}
    }
    for volume in surroundings.volumes {
        if volume.host.as_ref().is_some_and(|host| host.source_path.is_some()) {
            problems.push(format!(
                "Fargate does not support host.sourcePath: volume '{}'.",
                volume.name.as_deref().unwrap_or_default()
            ));
        }
    }
    for container in surroundings.containers {
        check_container(container, problems);
    }
}

fn check_container(container: &ContainerDefinition, problems: &mut Problems) {
    let name = container.name.as_deref().unwrap_or_default();
    let linux = container.linux_parameters.clone().unwrap_or_default();
    let given = |length: Option<usize>| length.is_some_and(|length| length > 0);
    let refused = [
        ("privileged", container.privileged == Some(true)),
        ("dockerSecurityOptions", given(container.docker_security_options.as_ref().map(Vec::len))),
        ("linuxParameters.devices", given(linux.devices.as_ref().map(Vec::len))),
        ("linuxParameters.sharedMemorySize", linux.shared_memory_size.is_some()),
        ("linuxParameters.maxSwap", linux.max_swap.is_some()),
        ("linuxParameters.swappiness", linux.swappiness.is_some()),
    ];
    for (field, _) in refused.into_iter().filter(|(_, given)| *given) {
        problems.of_container(name, format_args!("Fargate does not support '{field}'."));
    }
    let added = linux.capabilities.and_then(|both| both.add).unwrap_or_default();
    if added.iter().any(|capability| capability != "SYS_PTRACE") {
        problems.of_container(name, "Fargate supports adding the capability SYS_PTRACE only.");
    }
    let timeouts =
        [("startTimeout", container.start_timeout), ("stopTimeout", container.stop_timeout)];
    for (field, seconds) in timeouts {
        if seconds.is_some_and(|seconds| seconds > MAX_TIMEOUT_SECONDS) {
            problems.of_container(
                name,
                format_args!(
                    "Fargate supports a '{field}' of at most {MAX_TIMEOUT_SECONDS} seconds."
                ),
            );
        }
    }
    let Some(logs) = &container.log_configuration else { return };
    match &logs.log_driver {
        Some(LogDriver::Awslogs) => {
            let options = logs.options.as_ref();
            if !options.is_some_and(|options| options.contains_key("awslogs-stream-prefix")) {
                problems.of_container(
                    name,
                    "Log driver awslogs requires options: awslogs-stream-prefix.",
                );
            }
        }
        Some(LogDriver::Splunk | LogDriver::Awsfirelens) | None => {}
        Some(
            driver @ (LogDriver::JsonFile
            | LogDriver::Syslog
            | LogDriver::Journald
            | LogDriver::Gelf
            | LogDriver::Fluentd
            | LogDriver::Unrecognized(_)),
        ) => problems.of_container(
            name,
            format_args!(
                "Fargate supports the log drivers awslogs, splunk and awsfirelens, not {driver}."
            ),
        ),
    }
}
