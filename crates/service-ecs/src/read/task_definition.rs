//! Task definitions: everything a registration may say, held against ECS's rules and those of the
//! guard. All problems are reported at once.

mod attributes;
mod container;
mod dependency;
mod fargate;
mod linux;
mod network;
mod problems;
pub(crate) mod security;
mod spec;
mod storage;

use std::collections::BTreeSet;

use api_ecs::types::{
    self, Compatibility, ContainerDefinition, IpcMode, IsolationMode, OSFamily, PidMode,
    RegisterTaskDefinitionRequest,
};
use domain::{NetworkMode, TaskDefinition, TaskDefinitionId, TaskDefinitionStatus, TaskSpec};
use scheduler::Query;
use wire::ApiError;

use self::problems::Problems;
use super::amount;
use crate::error::client_exception;
use crate::{EcsContext, document, name, tag};

/// The most containers of a task.
const MAX_CONTAINERS: usize = 10;

/// The most placement constraints of a task definition.
const MAX_PLACEMENT_CONSTRAINTS: usize = 10;

/// What ECS takes as task-level CPU outside Fargate, in CPU units.
const TASK_CPU_UNITS: std::ops::RangeInclusive<u32> = 128..=196_608;

/// The most bytes of a record: the store takes 100,000, and the definition's key and times need
/// some of them.
const MAX_RECORD_BYTES: usize = 98_000;

/// What the checks of one part need to know of the others.
#[derive(Debug, Clone, Copy)]
struct Surroundings<'a> {
    network_mode: NetworkMode,
    cpu_units: Option<u32>,
    memory_mib: Option<u32>,
    volumes: &'a [types::Volume],
    containers: &'a [ContainerDefinition],
}

/// A definition that may be registered, as its record but for the revision; and how many bytes the
/// record has.
///
/// # Errors
///
/// `ClientException` with every problem; `InvalidParameterException` for tags.
pub(crate) fn read(
    ctx: &EcsContext,
    mut input: RegisterTaskDefinitionRequest,
    registered_by: String,
) -> Result<(TaskDefinition, usize), ApiError> {
    let tags = tag::read(input.tags.take())?;
    let mut problems = Problems::default();
    let family = input.family.clone().unwrap_or_default();
    if let Err(error) = name::check(&family, "family") {
        problems.push(error.message);
    }
    let network_mode = network_mode(&mut input);
    let cpu_units = problems.take(input.cpu.as_deref().map(amount::cpu_units).transpose());
    let memory_mib = problems.take(input.memory.as_deref().map(amount::memory_mib).transpose());
    let mut containers = input.container_definitions.take().unwrap_or_default();
    let mut volumes = input.volumes.take().unwrap_or_default();
    containers.iter_mut().for_each(|container| container::fill(container, network_mode));
    volumes.iter_mut().for_each(storage::fill);
    let surroundings = Surroundings {
        network_mode,
        cpu_units: cpu_units.flatten(),
        memory_mib: memory_mib.flatten(),
        volumes: &volumes,
        containers: &containers,
    };
    check_task(&input, surroundings, &mut problems);
    let fargate = fargate::compatible(&input, surroundings, &mut problems);
    let guard_notes = security::check(&input, surroundings, ctx.guard_mode, &mut problems);
    problems.into_result()?;

    let spec = spec::task(&input, surroundings, fargate);
    let requires_attributes = attributes::required(&input, surroundings);
    input.container_definitions = Some(containers);
    input.volumes = Some(volumes);
    let wire = wire_definition(input, &spec, requires_attributes);
    let definition = TaskDefinition {
        id: TaskDefinitionId { family, revision: 0 },
        status: TaskDefinitionStatus::Active,
        spec,
        document: document::write(&wire)?,
        tags,
        registered_at: ctx.now(),
        registered_by,
        deregistered_at: None,
        delete_requested_at: None,
        guard_notes,
    };
    let size = document::size(&definition)?;
    if size > MAX_RECORD_BYTES {
        return Err(client_exception(format!(
            "The task definition takes {size} bytes to keep, at most {MAX_RECORD_BYTES} are possible: shorten commands, environment or labels."
        )));
    }
    Ok((definition, size))
}

/// The network mode, `bridge` when none is given.
fn network_mode(input: &mut RegisterTaskDefinitionRequest) -> NetworkMode {
    let mode = input.network_mode.get_or_insert(types::NetworkMode::Bridge);
    match mode {
        types::NetworkMode::Bridge | types::NetworkMode::Unrecognized(_) => NetworkMode::Bridge,
        types::NetworkMode::Awsvpc => NetworkMode::Awsvpc,
        types::NetworkMode::Host => NetworkMode::Host,
        types::NetworkMode::None => NetworkMode::None,
    }
}

fn check_task(
    input: &RegisterTaskDefinitionRequest,
    surroundings: Surroundings<'_>,
    problems: &mut Problems,
) {
    let containers = surroundings.containers;
    if containers.is_empty() {
        problems.push("Container list cannot be empty.");
    } else if !containers.iter().any(|container| container.essential == Some(true)) {
        problems.push("At least one container of the task must be marked as essential.");
    }
    if containers.len() > MAX_CONTAINERS {
        problems.push(format!(
            "Too many containers: {}, at most {MAX_CONTAINERS} are possible.",
            containers.len()
        ));
    }
    let mut names = BTreeSet::new();
    for container in containers {
        let name = container.name.as_deref().unwrap_or_default();
        if !name.is_empty() && !names.insert(name) {
            problems.push(format!("Container names must be unique: '{name}' is used twice."));
        }
        container::check(container, surroundings, problems);
    }
    check_sums(surroundings, problems);
    network::check_task(surroundings, problems);
    dependency::check(surroundings, problems);
    storage::check_volumes(surroundings, problems);
    check_placement(input, problems);
    check_unsupported(input, problems);
    if let Some(storage) = &input.ephemeral_storage
        && !storage.size_in_gi_b.is_some_and(|size| (21..=200).contains(&size))
    {
        problems.push("ephemeralStorage.sizeInGiB must be between 21 and 200.");
    }
    for (field, arn) in
        [("taskRoleArn", &input.task_role_arn), ("executionRoleArn", &input.execution_role_arn)]
    {
        if let Some(arn) = arn.as_deref().filter(|arn| !arn.is_empty())
            && arn.starts_with("arn:")
            && !arn.contains(":role/")
        {
            problems.push(format!("Role is not valid: {field} `{arn}` is not the ARN of a role."));
        }
    }
}

/// The containers' parts may not exceed what the task has.
fn check_sums(surroundings: Surroundings<'_>, problems: &mut Problems) {
    let sum = |part: &dyn Fn(&ContainerDefinition) -> Option<i32>| -> i64 {
        surroundings.containers.iter().filter_map(part).map(i64::from).sum()
    };
    if let Some(limit) = surroundings.cpu_units {
        if !TASK_CPU_UNITS.contains(&limit) {
            problems.push(format!(
                "Invalid 'cpu' setting for task: {limit} is not between {} and {} CPU units.",
                TASK_CPU_UNITS.start(),
                TASK_CPU_UNITS.end()
            ));
        }
        let used = sum(&|container| container.cpu);
        if used > i64::from(limit) {
            problems.push(format!(
                "The total of container cpu, {used}, must be at most the task-level cpu, {limit}."
            ));
        }
    }
    if let Some(limit) = surroundings.memory_mib {
        let used = sum(&|container| container.memory_reservation.or(container.memory));
        if used > i64::from(limit) {
            problems.push(format!(
                "The total of container memory (memoryReservation where given), {used} MiB, must be at most the task-level memory, {limit} MiB."
            ));
        }
    }
}

fn check_placement(input: &RegisterTaskDefinitionRequest, problems: &mut Problems) {
    let constraints = input.placement_constraints.as_deref().unwrap_or_default();
    if constraints.len() > MAX_PLACEMENT_CONSTRAINTS {
        problems.push(format!(
            "Too many placement constraints: {}, at most {MAX_PLACEMENT_CONSTRAINTS} are possible.",
            constraints.len()
        ));
    }
    for constraint in constraints {
        let expression = constraint.expression.as_deref().unwrap_or_default();
        if let Err(error) = Query::parse(expression) {
            problems.push(format!("Invalid placement constraint `{expression}`: {error}."));
        }
    }
}

/// What could be kept but not done: better refused than silently left out.
fn check_unsupported(input: &RegisterTaskDefinitionRequest, problems: &mut Problems) {
    if input.proxy_configuration.is_some() {
        problems.push(
            "proxyConfiguration (App Mesh) is not supported: remove it, traffic would not pass through the proxy.",
        );
    }
    if input.pid_mode == Some(PidMode::Task) {
        problems.push("pidMode task is not supported: remove it, every container has a process namespace of its own.");
    }
    if input.ipc_mode == Some(IpcMode::Task) {
        problems.push("ipcMode task is not supported: remove it, every container has an IPC namespace of its own.");
    }
    if input.inference_accelerators.as_ref().is_some_and(|list| !list.is_empty()) {
        problems.push("inferenceAccelerators are not supported: remove them.");
    }
    if let Some(trusted) = &input.trusted_execution_configuration
        && trusted.isolation_mode.as_ref().is_some_and(|mode| *mode != IsolationMode::Shared)
    {
        problems.push("trustedExecutionConfiguration.isolationMode is supported as SHARED only.");
    }
    let platform = input.runtime_platform.as_ref();
    if let Some(system) = platform.and_then(|platform| platform.operating_system_family.as_ref())
        && *system != OSFamily::Linux
    {
        problems.push(format!(
            "runtimePlatform.operatingSystemFamily {system} is not supported: use LINUX."
        ));
    }
    for wanted in input.requires_compatibilities.as_deref().unwrap_or_default() {
        match wanted {
            Compatibility::Ec2 | Compatibility::Fargate => {}
            Compatibility::External => {
                if input.network_mode == Some(types::NetworkMode::Awsvpc) {
                    problems.push("The EXTERNAL launch type does not support networkMode=awsvpc.");
                }
            }
            Compatibility::ManagedInstances => problems.push(
                "requiresCompatibilities MANAGED_INSTANCES is not supported: use EC2 or FARGATE.",
            ),
            Compatibility::Unrecognized(text) => {
                problems.push(format!("requiresCompatibilities `{text}` is unknown."));
            }
        }
    }
}

/// The definition in wire form, without what only its registration gives it.
fn wire_definition(
    input: RegisterTaskDefinitionRequest,
    spec: &TaskSpec,
    requires_attributes: Vec<types::Attribute>,
) -> types::TaskDefinition {
    let mut compatibilities = Vec::new();
    if spec.network_mode != NetworkMode::Awsvpc {
        compatibilities.push(Compatibility::External);
    }
    if spec.compatible_with_ec2 {
        compatibilities.push(Compatibility::Ec2);
    }
    if spec.compatible_with_fargate {
        compatibilities.push(Compatibility::Fargate);
    }
    types::TaskDefinition {
        compatibilities: Some(compatibilities),
        container_definitions: input.container_definitions,
        cpu: spec.cpu_units.map(|units| units.to_string()),
        enable_fault_injection: input.enable_fault_injection,
        ephemeral_storage: input.ephemeral_storage,
        execution_role_arn: input.execution_role_arn,
        ipc_mode: input.ipc_mode,
        memory: spec.memory_mib.map(|mib| mib.to_string()),
        network_mode: input.network_mode,
        pid_mode: input.pid_mode,
        placement_constraints: Some(input.placement_constraints.unwrap_or_default()),
        requires_attributes: Some(requires_attributes),
        requires_compatibilities: input.requires_compatibilities,
        runtime_platform: input.runtime_platform,
        task_role_arn: input.task_role_arn,
        trusted_execution_configuration: input.trusted_execution_configuration,
        volumes: input.volumes,
        ..types::TaskDefinition::default()
    }
}

#[cfg(test)]
mod tests;
