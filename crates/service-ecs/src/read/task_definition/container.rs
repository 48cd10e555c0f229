//! One container definition: defaults, and the checks that need little else.

use std::collections::BTreeSet;

use api_ecs::types::{ContainerDefinition, LogDriver};
use domain::NetworkMode;

use super::problems::Problems;
use super::{Surroundings, linux, network, storage};

/// The least memory of a container, in MiB (Docker's, by the ECS model).
const MIN_MEMORY_MIB: i32 = 6;

/// The most characters of an image reference.
const MAX_IMAGE_CHARACTERS: usize = 512;

/// Fills in what ECS fills in.
pub(super) fn fill(container: &mut ContainerDefinition, network_mode: NetworkMode) {
    container.cpu.get_or_insert(0);
    container.essential.get_or_insert(true);
    container.environment.get_or_insert_default();
    container.mount_points.get_or_insert_default();
    container.volumes_from.get_or_insert_default();
    container.system_controls.get_or_insert_default();
    for mapping in container.port_mappings.get_or_insert_default() {
        network::fill(mapping, network_mode);
    }
    if let Some(check) = &mut container.health_check {
        check.interval.get_or_insert(30);
        check.timeout.get_or_insert(5);
        check.retries.get_or_insert(3);
    }
}

/// Checks one container.
pub(super) fn check(
    container: &ContainerDefinition,
    surroundings: Surroundings<'_>,
    problems: &mut Problems,
) {
    let name = container.name.as_deref().unwrap_or_default();
    if name.is_empty() {
        problems.push("Container.name should not be null or empty.");
    } else if let Err(error) = crate::name::check(name, "container") {
        problems.push(error.message);
    }
    check_image(container, problems);
    check_resources(name, container, surroundings, problems);
    check_times(name, container, problems);
    check_health(name, container, problems);
    check_restart(name, container, problems);
    check_environment(name, container, problems);
    check_logs(name, container, problems);
    check_paths(name, container, problems);
    linux::check(name, container, surroundings.network_mode, problems);
    network::check(name, container, surroundings, problems);
    storage::check(name, container, surroundings, problems);
}

fn check_image(container: &ContainerDefinition, problems: &mut Problems) {
    let image = container.image.as_deref().unwrap_or_default();
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_:./#@+".contains(&byte);
    if image.is_empty() {
        problems.push("Container.image should not be null or empty.");
    } else if !image.bytes().all(allowed) {
        problems.push(format!(
            "Container.image repository name contains invalid characters: `{image}`."
        ));
    } else if image.len() > MAX_IMAGE_CHARACTERS {
        problems.push(format!("Container.image is longer than {MAX_IMAGE_CHARACTERS} characters."));
    }
}

fn check_resources(
    name: &str,
    container: &ContainerDefinition,
    surroundings: Surroundings<'_>,
    problems: &mut Problems,
) {
    if container.cpu.is_some_and(|cpu| cpu < 0) {
        problems.of_container(name, "'cpu' must not be negative.");
    }
    let limits =
        [("memory", container.memory), ("memoryReservation", container.memory_reservation)];
    for (field, value) in limits {
        let Some(mib) = value else { continue };
        if mib < MIN_MEMORY_MIB {
            problems.of_container(
                name,
                format_args!("'{field}' must be at least {MIN_MEMORY_MIB} MiB, not {mib}."),
            );
        }
        if let Some(limit) = surroundings.memory_mib
            && i64::from(mib) > i64::from(limit)
        {
            problems.of_container(
                name,
                format_args!(
                    "'{field}', {mib} MiB, must be at most the task-level memory, {limit} MiB."
                ),
            );
        }
    }
    match (container.memory, container.memory_reservation) {
        (None, None) if surroundings.memory_mib.is_none() => problems.of_container(
            name,
            "At least one of 'memory' or 'memoryReservation' must be specified.",
        ),
        (Some(memory), Some(reserved)) if reserved > memory => problems.of_container(
            name,
            format_args!(
                "'memoryReservation', {reserved} MiB, must be at most 'memory', {memory} MiB."
            ),
        ),
        (Some(_) | None, Some(_) | None) => {}
    }
    if container.resource_requirements.as_ref().is_some_and(|list| !list.is_empty()) {
        problems.of_container(
            name,
            "'resourceRequirements' (GPU, InferenceAccelerator, NeuronDevice) is not supported: remove it.",
        );
    }
}

fn check_times(name: &str, container: &ContainerDefinition, problems: &mut Problems) {
    if container.start_timeout.is_some_and(|seconds| seconds < 2) {
        problems.of_container(name, "'startTimeout' must be at least 2 seconds.");
    }
    if container.stop_timeout.is_some_and(|seconds| seconds < 0) {
        problems.of_container(name, "'stopTimeout' must not be negative.");
    }
}

fn check_health(name: &str, container: &ContainerDefinition, problems: &mut Problems) {
    let Some(check) = &container.health_check else { return };
    let ranges = [
        ("interval", check.interval, 5..=300),
        ("timeout", check.timeout, 2..=60),
        ("retries", check.retries, 1..=10),
        ("startPeriod", check.start_period, 0..=300),
    ];
    for (field, value, range) in ranges {
        if let Some(value) = value.filter(|value| !range.contains(value)) {
            problems.of_container(
                name,
                format_args!(
                    "'healthCheck.{field}' must be between {} and {}, not {value}.",
                    range.start(),
                    range.end()
                ),
            );
        }
    }
    let command = check.command.as_deref().unwrap_or_default();
    let complete = match command {
        [form, rest @ ..] => {
            matches!(form.as_str(), "CMD" | "CMD-SHELL")
                && rest.first().is_some_and(|first| !first.is_empty())
        }
        [] => false,
    };
    if !complete {
        problems.of_container(
            name,
            "'healthCheck.command' must begin with CMD (then the arguments) or CMD-SHELL (then one command line).",
        );
    }
}

fn check_restart(name: &str, container: &ContainerDefinition, problems: &mut Problems) {
    let Some(policy) = &container.restart_policy else { return };
    if policy.restart_attempt_period.is_some_and(|seconds| !(60..=1800).contains(&seconds)) {
        problems.of_container(
            name,
            "'restartPolicy.restartAttemptPeriod' must be between 60 and 1800 seconds.",
        );
    }
    if policy.ignored_exit_codes.as_ref().is_some_and(|codes| codes.len() > 50) {
        problems.of_container(name, "'restartPolicy.ignoredExitCodes' can have at most 50 values.");
    }
}

fn check_environment(name: &str, container: &ContainerDefinition, problems: &mut Problems) {
    let environment = container.environment.as_deref().unwrap_or_default();
    let variable = |text: &str| !text.is_empty() && !text.contains(['=', '\0']);
    for pair in environment {
        let given = pair.name.as_deref().unwrap_or_default();
        if !variable(given) {
            problems.of_container(
                name,
                format_args!("`{given}` is not the name of an environment variable."),
            );
        }
        if pair.value.as_deref().is_some_and(|value| value.contains('\0')) {
            problems.of_container(name, format_args!("the value of `{given}` contains NUL."));
        }
    }
    let plain: BTreeSet<&str> =
        environment.iter().filter_map(|pair| pair.name.as_deref()).collect();
    let mut secrets = BTreeSet::new();
    for secret in container.secrets.as_deref().unwrap_or_default() {
        let given = secret.name.as_deref().unwrap_or_default();
        if !variable(given) {
            problems.of_container(name, format_args!("`{given}` is not the name of a secret."));
        } else if plain.contains(given) || !secrets.insert(given) {
            problems.of_container(
                name,
                format_args!("The secret name must be unique and not shared with any new or existing environment variables set on the container, such as '{given}'."),
            );
        }
        if secret.value_from.as_deref().is_none_or(str::is_empty) {
            problems.of_container(name, format_args!("The secret '{given}' needs 'valueFrom'."));
        }
    }
    for file in container.environment_files.as_deref().unwrap_or_default() {
        let value = file.value.as_deref().unwrap_or_default();
        if !(value.starts_with("arn:") && value.ends_with(".env")) {
            problems.of_container(
                name,
                format_args!("'environmentFiles' value `{value}` is not the ARN of an .env file."),
            );
        }
    }
}

fn check_logs(name: &str, container: &ContainerDefinition, problems: &mut Problems) {
    let Some(logs) = &container.log_configuration else { return };
    if logs.log_driver != Some(LogDriver::Awslogs) {
        return;
    }
    let given = |option: &str| {
        logs.options.as_ref().and_then(|options| options.get(option)).is_some_and(|v| !v.is_empty())
    };
    let missing: Vec<&str> =
        ["awslogs-group", "awslogs-region"].into_iter().filter(|option| !given(option)).collect();
    if !missing.is_empty() {
        problems.of_container(
            name,
            format_args!("Log driver awslogs requires options: {}.", missing.join(", ")),
        );
    }
}

fn check_paths(name: &str, container: &ContainerDefinition, problems: &mut Problems) {
    if let Some(path) = container.working_directory.as_deref()
        && !path.starts_with('/')
    {
        problems.of_container(
            name,
            format_args!("'workingDirectory' `{path}` is not an absolute path."),
        );
    }
    for (field, list) in [("command", &container.command), ("entryPoint", &container.entry_point)] {
        if list.as_deref().unwrap_or_default().iter().any(|word| word.contains('\0')) {
            problems.of_container(name, format_args!("'{field}' contains NUL."));
        }
    }
    if let Some(user) = container.user.as_deref() {
        let mut parts = user.split(':');
        let fine = |part: &str| !part.is_empty() && !part.contains(char::is_whitespace);
        let valid = parts.by_ref().take(2).all(fine) && parts.next().is_none();
        if !valid {
            problems.of_container(
                name,
                format_args!(
                    "'user' `{user}` is not user, uid, user:group, uid:gid, uid:group or user:gid."
                ),
            );
        }
    }
}
