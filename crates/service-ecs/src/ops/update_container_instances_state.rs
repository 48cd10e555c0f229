//! `UpdateContainerInstancesState`: ACTIVE to DRAINING and back.

use api_ecs::ops::UpdateContainerInstancesState;
use api_ecs::types::{
    self, Failure, UpdateContainerInstancesStateRequest, UpdateContainerInstancesStateResponse,
};
use domain::ContainerInstanceStatus;
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::access::Kind;
use crate::error::invalid_parameter;
use crate::render::failure;
use crate::{EcsContext, access, name, render};

/// The most instances of one call.
const MAX_INSTANCES: usize = 10;

pub(crate) fn accesses(
    ctx: &EcsContext,
    _caller: &Caller,
    input: &UpdateContainerInstancesStateRequest,
) -> Vec<Access> {
    let (cluster, given) = (input.cluster.as_deref(), input.container_instances.as_deref());
    access::each_in_cluster::<UpdateContainerInstancesState>(
        ctx,
        Kind::ContainerInstance,
        cluster,
        given,
    )
}

pub(crate) async fn execute(
    ctx: &EcsContext,
    call: Authorized<UpdateContainerInstancesState>,
) -> Result<UpdateContainerInstancesStateResponse, ApiError> {
    let input = call.input();
    let given = input.container_instances.as_deref().unwrap_or_default();
    if given.is_empty() || given.len() > MAX_INSTANCES {
        return Err(invalid_parameter(format!(
            "containerInstances must name 1 to {MAX_INSTANCES} container instances, not {}.",
            given.len()
        )));
    }
    let status = wanted_status(input.status.as_ref())?;
    let mut wanted: Vec<&str> = given.iter().map(String::as_str).collect();
    wanted.sort_unstable();
    wanted.dedup();
    let (instances, failures) = ctx
        .commit(|view, change| {
            let cluster = name::cluster(view, &ctx.scope, input.cluster.as_deref())?;
            let (mut instances, mut failures) = (Vec::new(), Vec::new());
            for one in &wanted {
                let arn = name::container_instance_arn(&ctx.scope, &cluster.name, one);
                let Some(row) = name::container_instance(view, &cluster.name, one) else {
                    failures.push(failure::missing(arn));
                    continue;
                };
                if row.status == ContainerInstanceStatus::Inactive {
                    let reason = Some("INACTIVE".to_owned());
                    failures.push(Failure { arn: Some(arn), reason, detail: None });
                    continue;
                }
                let mut instance = row.value.as_ref().clone();
                if instance.status != status {
                    instance.status = status;
                    instance.status_reason = None;
                    instance.version = instance.version.saturating_add(1);
                    change.update(row, &instance);
                    // A placement that was decided while it was ACTIVE must be decided again.
                    change.fence(&instance.id, view.fence(&instance.id));
                }
                instances.push(render::container_instance::described(ctx, view, &instance, &[]));
            }
            Ok((instances, failures))
        })
        .await?;
    Ok(UpdateContainerInstancesStateResponse {
        container_instances: Some(instances),
        failures: Some(failures),
    })
}

fn wanted_status(
    given: Option<&types::ContainerInstanceStatus>,
) -> Result<ContainerInstanceStatus, ApiError> {
    match given {
        Some(types::ContainerInstanceStatus::Active) => Ok(ContainerInstanceStatus::Active),
        Some(types::ContainerInstanceStatus::Draining) => Ok(ContainerInstanceStatus::Draining),
        Some(
            types::ContainerInstanceStatus::Registering
            | types::ContainerInstanceStatus::Deregistering
            | types::ContainerInstanceStatus::RegistrationFailed
            | types::ContainerInstanceStatus::Unrecognized(_),
        )
        | None => {
            Err(invalid_parameter("Container instance status should be one of [ACTIVE, DRAINING]."))
        }
    }
}
