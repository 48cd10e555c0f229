//! `DescribeContainerInstances`.

use api_ecs::ops::DescribeContainerInstances;
use api_ecs::types::{DescribeContainerInstancesRequest, DescribeContainerInstancesResponse};
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::access::Kind;
use crate::error::invalid_parameter;
use crate::render::failure;
use crate::{EcsContext, access, name, render};

/// The most instances of one call.
const MAX_INSTANCES: usize = 100;

pub(crate) fn accesses(
    ctx: &EcsContext,
    _caller: &Caller,
    input: &DescribeContainerInstancesRequest,
) -> Vec<Access> {
    let (cluster, given) = (input.cluster.as_deref(), input.container_instances.as_deref());
    access::each_in_cluster::<DescribeContainerInstances>(
        ctx,
        Kind::ContainerInstance,
        cluster,
        given,
    )
}

pub(crate) async fn execute(
    ctx: &EcsContext,
    call: Authorized<DescribeContainerInstances>,
) -> Result<DescribeContainerInstancesResponse, ApiError> {
    let input = call.input();
    let given = input.container_instances.as_deref().unwrap_or_default();
    if given.is_empty() {
        return Err(invalid_parameter("Container instances cannot be empty."));
    }
    if given.len() > MAX_INSTANCES {
        return Err(invalid_parameter(format!(
            "At most {MAX_INSTANCES} container instances can be described at once, not {}.",
            given.len()
        )));
    }
    let include = input.include.as_deref().unwrap_or_default();
    let view = ctx.state.view();
    let cluster = name::cluster(&view, &ctx.scope, input.cluster.as_deref())?;
    let (mut instances, mut failures) = (Vec::new(), Vec::new());
    for one in given {
        match name::container_instance(&view, &cluster.name, one) {
            Some(row) => {
                instances.push(render::container_instance::described(ctx, &view, row, include));
            }
            None => failures.push(failure::missing(name::container_instance_arn(
                &ctx.scope,
                &cluster.name,
                one,
            ))),
        }
    }
    Ok(DescribeContainerInstancesResponse {
        container_instances: Some(instances),
        failures: Some(failures),
    })
}
