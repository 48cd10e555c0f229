//! `DeregisterContainerInstance`: the instance becomes INACTIVE; with `force`, its tasks stop.

use api_ecs::ops::DeregisterContainerInstance;
use api_ecs::types::{
    self, DeregisterContainerInstanceRequest, DeregisterContainerInstanceResponse,
};
use domain::{ContainerInstance, ContainerInstanceStatus, DesiredStatus, StopCode};
use policy::{Access, Authorized, Caller};
use state::{Change, Row, View};
use wire::ApiError;

use crate::error::{client_exception, invalid_parameter};
use crate::{EcsContext, access, name, render};

/// How many tasks one change stops: each takes two of the store's 128 operations.
const TASKS_PER_CHANGE: usize = 50;

/// What the tasks of a deregistered instance say.
const STOPPED_REASON: &str = "Container instance deregistration forced by user";

pub(crate) fn accesses(
    ctx: &EcsContext,
    _caller: &Caller,
    input: &DeregisterContainerInstanceRequest,
) -> Vec<Access> {
    vec![access::cluster::<DeregisterContainerInstance>(ctx, input.cluster.as_deref())]
}

pub(crate) async fn execute(
    ctx: &EcsContext,
    call: Authorized<DeregisterContainerInstance>,
) -> Result<DeregisterContainerInstanceResponse, ApiError> {
    let input = call.input();
    // Every round either stops some tasks or is the last one. An instance that loses its tasks is
    // DRAINING meanwhile, so that none come and the call can be repeated after a crash.
    loop {
        if let Some(instance) = ctx.commit(|view, change| round(ctx, view, change, input)).await? {
            let container_instance = Some(instance);
            return Ok(DeregisterContainerInstanceResponse { container_instance });
        }
    }
}

fn round(
    ctx: &EcsContext,
    view: &View,
    change: &mut Change,
    input: &DeregisterContainerInstanceRequest,
) -> Result<Option<types::ContainerInstance>, ApiError> {
    let row = find(ctx, view, input)?;
    let mut instance = row.value.as_ref().clone();
    let mut running = view
        .tasks_on(&row.id)
        .filter(|task| task.desired_status == DesiredStatus::Running)
        .peekable();
    if running.peek().is_none() {
        if instance.status != ContainerInstanceStatus::Inactive {
            set_status(view, change, row, &mut instance, ContainerInstanceStatus::Inactive);
        }
        return Ok(Some(render::container_instance::described(ctx, view, &instance, &[])));
    }
    if input.force != Some(true) {
        return Err(invalid_parameter("Found running tasks on the instance."));
    }
    if instance.status == ContainerInstanceStatus::Active {
        set_status(view, change, row, &mut instance, ContainerInstanceStatus::Draining);
    }
    for row in running.take(TASKS_PER_CHANGE) {
        let mut task = row.value.as_ref().clone();
        task.request_stop(StopCode::UserInitiated, STOPPED_REASON, ctx.now());
        change.update(row, &task);
    }
    Ok(None)
}

/// Changes the status, and makes placements that were decided before be decided again.
fn set_status(
    view: &View,
    change: &mut Change,
    row: &Row<ContainerInstance>,
    instance: &mut ContainerInstance,
    status: ContainerInstanceStatus,
) {
    instance.status = status;
    instance.version = instance.version.saturating_add(1);
    change.update(row, instance);
    change.fence(&instance.id, view.fence(&instance.id));
}

fn find<'a>(
    ctx: &EcsContext,
    view: &'a View,
    input: &DeregisterContainerInstanceRequest,
) -> Result<&'a Row<ContainerInstance>, ApiError> {
    let cluster = name::cluster(view, &ctx.scope, input.cluster.as_deref())?;
    let given = input.container_instance.as_deref().unwrap_or_default();
    name::container_instance(view, &cluster.name, given)
        .ok_or_else(|| client_exception("The referenced container instance was not found."))
}
