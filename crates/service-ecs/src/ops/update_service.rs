//! `UpdateService`: what is given replaces what was there.
//!
//! Another task definition, network configuration or platform version makes a new deployment, and
//! so does `forceNewDeployment`; the rest takes effect on the deployments there are.

use api_ecs::ops::UpdateService;
use api_ecs::types::{self, UpdateServiceRequest, UpdateServiceResponse};
use domain::{NetworkMode, SchedulingStrategy, Service, ServiceStatus, TaskDefinition};
use policy::{Access, Authorized, Caller};
use state::{Change, Row, View};
use wire::ApiError;

use crate::error::{client_exception, invalid_parameter, service_not_active, service_not_found};
use crate::read::service::refuse_unsupported;
use crate::read::{self, launch};
use crate::{EcsContext, access, document, name, render, rollout};

pub(crate) fn accesses(
    ctx: &EcsContext,
    _caller: &Caller,
    input: &UpdateServiceRequest,
) -> Vec<Access> {
    access::update_service(ctx, &ctx.state.view(), input)
}

pub(crate) async fn execute(
    ctx: &EcsContext,
    call: Authorized<UpdateService>,
) -> Result<UpdateServiceResponse, ApiError> {
    let input = call.input();
    refuse_unsupported!(input);
    let service = ctx
        .commit(|view, change| {
            let needed = || access::update_service(ctx, view, input);
            let definition = input.task_definition.as_deref();
            access::ask_again::<UpdateService>(call.caller(), definition, needed)?;
            update(ctx, input, view, change)
        })
        .await?;
    Ok(UpdateServiceResponse { service: Some(service) })
}

fn update(
    ctx: &EcsContext,
    input: &UpdateServiceRequest,
    view: &View,
    change: &mut Change,
) -> Result<types::Service, ApiError> {
    let cluster = name::cluster(view, &ctx.scope, input.cluster.as_deref())?;
    let given = input.service.as_deref().unwrap_or_default();
    let row = name::service(view, &ctx.scope, &cluster.name, given)?;
    let row = row.ok_or_else(service_not_found)?;
    if row.status != ServiceStatus::Active {
        return Err(service_not_active());
    }
    let mut service = row.value.as_ref().clone();
    set_members(&mut service, input)?;
    let definition = definition(ctx, input, view, row)?;
    launch::check_compatible(&definition.spec, service.launch_type)?;
    let before: types::Service = document::read(&service.document);
    let after = wire_members(input, &service, definition, &before)?;
    let another = definition.id != service.task_definition || before != after;
    service.document = document::write(&after)?;
    if another || input.force_new_deployment == Some(true) {
        rollout::begin(ctx, change, &mut service, definition)?;
    }
    if service != *row.value {
        change.update(row, &service);
    }
    Ok(render::service::service(view, &ctx.scope, &service, true))
}

/// What the service shall run: the revision given, or the one it has, even when that is INACTIVE.
fn definition<'a>(
    ctx: &EcsContext,
    input: &UpdateServiceRequest,
    view: &'a View,
    service: &Service,
) -> Result<&'a Row<TaskDefinition>, ApiError> {
    if input.task_definition.is_some() {
        return launch::task_definition(ctx, view, input.task_definition.as_deref());
    }
    let definition = view
        .task_definition(&service.task_definition)
        .ok_or_else(|| client_exception("TaskDefinition not found."))?;
    if input.force_new_deployment == Some(true) {
        launch::check_guard(ctx, definition)?;
    }
    Ok(definition)
}

fn set_members(service: &mut Service, input: &UpdateServiceRequest) -> Result<(), ApiError> {
    let strategy = service.scheduling_strategy;
    if let Some(count) = read::service::desired_count(input.desired_count, strategy)? {
        service.desired_count = count;
    }
    service.deployment_configuration = read::service::deployment_configuration(
        input.deployment_configuration.as_ref(),
        &service.deployment_configuration,
        strategy,
    )?;
    let placement = read::placement::read(
        input.placement_constraints.as_ref(),
        input.placement_strategy.as_ref(),
        service.launch_type,
    )?;
    if strategy == SchedulingStrategy::Daemon && !placement.strategies.is_empty() {
        return Err(invalid_parameter(
            "The daemon scheduling strategy does not support placement strategies.",
        ));
    }
    if input.placement_constraints.is_some() {
        service.placement_constraints = placement.constraints;
    }
    if input.placement_strategy.is_some() {
        service.placement_strategy = placement.strategies;
    }
    if let Some(seconds) = input.health_check_grace_period_seconds {
        service.health_check_grace_period_seconds =
            read::service::health_check_grace_period(seconds)?;
    }
    if input.propagate_tags.is_some() {
        service.propagate_tags =
            read::service::propagate_tags(input.propagate_tags.as_ref()).to_owned();
    }
    service.enable_ecs_managed_tags =
        input.enable_ecs_managed_tags.unwrap_or(service.enable_ecs_managed_tags);
    service.enable_execute_command =
        input.enable_execute_command.unwrap_or(service.enable_execute_command);
    Ok(())
}

/// The members that are kept in wire form.
fn wire_members(
    input: &UpdateServiceRequest,
    service: &Service,
    definition: &TaskDefinition,
    before: &types::Service,
) -> Result<types::Service, ApiError> {
    // A definition without awsvpc has no use for what its predecessor was given.
    let kept = before
        .network_configuration
        .as_ref()
        .filter(|_| definition.spec.network_mode == NetworkMode::Awsvpc);
    let network_configuration = input.network_configuration.as_ref().or(kept);
    launch::check_network_configuration(
        network_configuration,
        &definition.spec,
        service.launch_type,
    )?;
    let platform_version = match input.platform_version.as_deref() {
        None => before.platform_version.clone(),
        given => launch::platform_version(given, service.launch_type)?,
    };
    Ok(types::Service {
        network_configuration: network_configuration.cloned(),
        platform_version,
        ..before.clone()
    })
}
