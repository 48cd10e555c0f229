//! Where and how tasks run: what RunTask, StartTask and services are given in the same words.

use api_ecs::errors::{platform_unknown_exception, unsupported_feature_exception};
use api_ecs::types;
use domain::{LaunchType, NetworkMode, TaskDefinition, TaskDefinitionStatus, TaskSpec};
use state::{Row, View};
use wire::ApiError;

use crate::error::{client_exception, invalid_parameter};
use crate::read::task_definition::security;
use crate::{EcsContext, document, name};

/// The most subnets and security groups of one network configuration.
const MAX_SUBNETS: usize = 16;
const MAX_SECURITY_GROUPS: usize = 5;
/// The most bytes of a subnet's or a security group's identifier.
const MAX_NAME: usize = 255;

/// The launch type; EC2 when none is given.
pub(crate) fn launch_type(given: Option<&types::LaunchType>) -> Result<LaunchType, ApiError> {
    match given {
        None | Some(types::LaunchType::Ec2) => Ok(LaunchType::Ec2),
        Some(types::LaunchType::Fargate) => Ok(LaunchType::Fargate),
        Some(types::LaunchType::External) => Ok(LaunchType::External),
        Some(types::LaunchType::ManagedInstances) => Err(unsupported(
            "The launch type MANAGED_INSTANCES is not supported: use EC2, FARGATE or EXTERNAL.",
        )),
        Some(types::LaunchType::Unrecognized(text)) => {
            Err(invalid_parameter(format!("Unknown launch type `{text}`.")))
        }
    }
}

/// A feature that would be accepted without effect.
pub(crate) fn unsupported(message: &str) -> ApiError {
    unsupported_feature_exception(message)
}

/// Refuses a list that would be accepted without effect. An empty one asks for nothing.
pub(crate) fn refuse<T>(given: Option<&Vec<T>>, message: &str) -> Result<(), ApiError> {
    match given {
        Some(given) if !given.is_empty() => Err(unsupported(message)),
        Some(_) | None => Ok(()),
    }
}

/// The ACTIVE task definition that new tasks shall run; the guard's rules hold for it.
pub(crate) fn task_definition<'a>(
    ctx: &EcsContext,
    view: &'a View,
    given: Option<&str>,
) -> Result<&'a Row<TaskDefinition>, ApiError> {
    let given = given
        .filter(|given| !given.is_empty())
        .ok_or_else(|| invalid_parameter("TaskDefinition can not be blank."))?;
    let definition = name::task_definition(view, &ctx.scope, given).map_err(|error| {
        if error.code == api_ecs::errors::CLIENT_EXCEPTION.code {
            client_exception("TaskDefinition not found.")
        } else {
            error
        }
    })?;
    match definition.status {
        TaskDefinitionStatus::Active => {}
        TaskDefinitionStatus::Inactive | TaskDefinitionStatus::DeleteInProgress => {
            return Err(client_exception("TaskDefinition is inactive"));
        }
    }
    check_guard(ctx, definition)?;
    Ok(definition)
}

/// The guard's rules once more, at start: a definition may have been registered under other rules,
/// or under `--guard audit`.
pub(crate) fn check_guard(ctx: &EcsContext, definition: &TaskDefinition) -> Result<(), ApiError> {
    if ctx.guard_mode == guard::Mode::Audit {
        return Ok(());
    }
    let wire_form = document::read(&definition.document);
    match security::refusal(&wire_form, ctx.guard_mode) {
        None => Ok(()),
        Some(refusal) => {
            Err(client_exception(format!("The task definition may not start: {refusal}.")))
        }
    }
}

/// Whether a task definition may run as this launch type.
pub(crate) fn check_compatible(spec: &TaskSpec, launch_type: LaunchType) -> Result<(), ApiError> {
    let compatible = match launch_type {
        LaunchType::Ec2 => spec.compatible_with_ec2,
        LaunchType::Fargate => spec.compatible_with_fargate,
        LaunchType::External => {
            spec.compatible_with_ec2 && spec.network_mode != NetworkMode::Awsvpc
        }
    };
    if compatible {
        return Ok(());
    }
    Err(invalid_parameter(format!(
        "Task definition does not support launch_type {}.",
        launch_type.as_str()
    )))
}

/// The network configuration: required for awsvpc, refused for everything else.
pub(crate) fn check_network_configuration(
    given: Option<&types::NetworkConfiguration>,
    spec: &TaskSpec,
    launch_type: LaunchType,
) -> Result<(), ApiError> {
    let given = given.and_then(|given| given.awsvpc_configuration.as_ref());
    match (spec.network_mode, given) {
        (NetworkMode::Awsvpc, None) => Err(invalid_parameter(
            "Network Configuration must be provided when networkMode 'awsvpc' is specified.",
        )),
        (NetworkMode::Bridge | NetworkMode::None | NetworkMode::Host, Some(_)) => {
            Err(invalid_parameter(
                "Network Configuration is not valid for the given networkMode of this task definition.",
            ))
        }
        (NetworkMode::Awsvpc, Some(given)) => check_awsvpc(given, launch_type),
        (NetworkMode::Bridge | NetworkMode::None | NetworkMode::Host, None) => Ok(()),
    }
}

fn check_awsvpc(
    given: &types::AwsVpcConfiguration,
    launch_type: LaunchType,
) -> Result<(), ApiError> {
    let subnets = given.subnets.as_ref().map_or(0, Vec::len);
    if subnets == 0 {
        return Err(invalid_parameter("subnets can not be empty."));
    }
    if subnets > MAX_SUBNETS {
        return Err(invalid_parameter(format!(
            "subnets can have at most {MAX_SUBNETS} items, not {subnets}."
        )));
    }
    let groups = given.security_groups.as_ref().map_or(0, Vec::len);
    if groups > MAX_SECURITY_GROUPS {
        return Err(invalid_parameter(format!(
            "securityGroups can have at most {MAX_SECURITY_GROUPS} items, not {groups}."
        )));
    }
    let names = given.subnets.iter().flatten().chain(given.security_groups.iter().flatten());
    if names.clone().any(|name| name.is_empty() || name.len() > MAX_NAME) {
        return Err(invalid_parameter(format!(
            "Subnets and security groups must have 1 to {MAX_NAME} characters."
        )));
    }
    let public = given.assign_public_ip == Some(types::AssignPublicIp::Enabled);
    if public && launch_type != LaunchType::Fargate {
        return Err(invalid_parameter("Assign public IP is not supported for this launch type."));
    }
    Ok(())
}

/// The platform version; FARGATE only, LATEST when none is given.
pub(crate) fn platform_version(
    given: Option<&str>,
    launch_type: LaunchType,
) -> Result<Option<String>, ApiError> {
    let given = given.filter(|given| !given.is_empty());
    match (launch_type, given) {
        (LaunchType::Fargate, None | Some("LATEST")) => Ok(Some("LATEST".to_owned())),
        (LaunchType::Fargate, Some("1.4.0")) => Ok(Some("1.4.0".to_owned())),
        (LaunchType::Fargate, Some(_)) => Err(platform_unknown_exception(
            "The specified platform version does not exist: use LATEST or 1.4.0.",
        )),
        (LaunchType::Ec2 | LaunchType::External, Some(_)) => Err(invalid_parameter(format!(
            "The platform version must be null when specifying an {} launch type.",
            launch_type.as_str()
        ))),
        (LaunchType::Ec2 | LaunchType::External, None) => Ok(None),
    }
}
