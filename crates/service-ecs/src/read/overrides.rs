//! `overrides` of RunTask and StartTask.

use api_ecs::types;
use domain::{ContainerOverride, Document, LaunchType, TaskOverride, TaskSpec};
use wire::ApiError;

use crate::document;
use crate::error::invalid_parameter;
use crate::read::{amount, launch};

/// The most characters of the overrides in wire form.
const MAX_CHARACTERS: usize = 8192;
/// The least memory of a container, in MiB.
const MIN_CONTAINER_MEMORY_MIB: u32 = 6;

/// Overrides that can be applied to `spec`, and their wire form.
pub(crate) fn read(
    given: Option<&types::TaskOverride>,
    spec: &TaskSpec,
    launch_type: LaunchType,
) -> Result<(TaskOverride, Document), ApiError> {
    let Some(given) = given.filter(|given| **given != types::TaskOverride::default()) else {
        return Ok((TaskOverride::default(), Document::default()));
    };
    let wire_form = document::write(given)?;
    let length = wire_form.0.to_string().chars().count();
    if length > MAX_CHARACTERS {
        return Err(invalid_parameter(format!(
            "Container Overrides length must be at most {MAX_CHARACTERS}."
        )));
    }
    launch::refuse(
        given.inference_accelerator_overrides.as_ref(),
        "Inference accelerators are not supported: leave out inferenceAcceleratorOverrides.",
    )?;
    let containers = given.container_overrides.iter().flatten();
    let overrides = TaskOverride {
        cpu_units: given.cpu.as_deref().map(amount::cpu_units).transpose()?,
        memory_mib: given.memory.as_deref().map(amount::memory_mib).transpose()?,
        task_role_arn: given.task_role_arn.clone(),
        execution_role_arn: given.execution_role_arn.clone(),
        ephemeral_storage_mib: ephemeral_storage_mib(given.ephemeral_storage.as_ref())?,
        containers: containers.map(|changed| container(changed, spec)).collect::<Result<_, _>>()?,
    };
    check(&overrides.apply(spec), launch_type)?;
    Ok((overrides, wire_form))
}

fn ephemeral_storage_mib(given: Option<&types::EphemeralStorage>) -> Result<Option<u32>, ApiError> {
    let Some(gib) = given.and_then(|given| given.size_in_gi_b) else { return Ok(None) };
    match u32::try_from(gib) {
        Ok(gib @ 21..=200) => Ok(Some(gib.saturating_mul(1024))),
        Ok(_) | Err(_) => Err(invalid_parameter(format!(
            "ephemeralStorage.sizeInGiB must be between 21 and 200, not {gib}."
        ))),
    }
}

fn container(
    given: &types::ContainerOverride,
    spec: &TaskSpec,
) -> Result<ContainerOverride, ApiError> {
    let name = given.name.clone().filter(|name| !name.is_empty()).ok_or_else(|| {
        invalid_parameter("Container name cannot be empty in a container override.")
    })?;
    if spec.container(&name).is_none() {
        return Err(invalid_parameter(format!(
            "Override for container named {name} is not a container in the TaskDefinition."
        )));
    }
    launch::refuse(
        given.environment_files.as_ref(),
        "environmentFiles in overrides are not supported: use environment.",
    )?;
    launch::refuse(
        given.resource_requirements.as_ref(),
        "resourceRequirements in overrides are not supported: leave them out.",
    )?;
    let amount = |what: &str, given: Option<i32>, least: u32| match given.map(u32::try_from) {
        None => Ok(None),
        Some(Ok(amount)) if amount >= least => Ok(Some(amount)),
        Some(_) => Err(invalid_parameter(format!(
            "Invalid {what} override for container named {name}: it must be at least {least}."
        ))),
    };
    Ok(ContainerOverride {
        command: given.command.clone(),
        environment: given.environment.iter().flatten().filter_map(variable).collect(),
        cpu_units: amount("cpu", given.cpu, 0)?,
        memory_mib: amount("memory", given.memory, MIN_CONTAINER_MEMORY_MIB)?,
        memory_reservation_mib: amount(
            "memoryReservation",
            given.memory_reservation,
            MIN_CONTAINER_MEMORY_MIB,
        )?,
        name,
    })
}

fn variable(pair: &types::KeyValuePair) -> Option<(String, String)> {
    Some((pair.name.clone()?, pair.value.clone().unwrap_or_default()))
}

/// What must hold of a task definition holds with the overrides too.
fn check(spec: &TaskSpec, launch_type: LaunchType) -> Result<(), ApiError> {
    for container in &spec.containers {
        let Some((limit, reservation)) = container.memory_mib.zip(container.memory_reservation_mib)
        else {
            continue;
        };
        if reservation > limit {
            return Err(invalid_parameter(format!(
                "Invalid override for container named {}: the memory reservation of {reservation} MiB is more than its memory of {limit} MiB.",
                container.name
            )));
        }
    }
    if let Some(task_mib) = spec.memory_mib
        && let Some(container) =
            spec.containers.iter().find(|container| container.memory_mib > Some(task_mib))
    {
        return Err(invalid_parameter(format!(
            "Invalid override: the memory of container {} is more than the task's memory of {task_mib} MiB.",
            container.name
        )));
    }
    match (launch_type, spec.cpu_units, spec.memory_mib) {
        (LaunchType::Fargate, Some(cpu_units), Some(memory_mib)) => {
            amount::check_fargate_combination(cpu_units, memory_mib)
        }
        (LaunchType::Fargate | LaunchType::Ec2 | LaunchType::External, _, _) => Ok(()),
    }
}
