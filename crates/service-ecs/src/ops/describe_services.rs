//! `DescribeServices`: up to ten services by name or ARN.

use api_ecs::ops::DescribeServices;
use api_ecs::types::{DescribeServicesRequest, DescribeServicesResponse, ServiceField};
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::access::Kind;
use crate::error::invalid_parameter;
use crate::{EcsContext, access, arn, name, render};

/// The most services of one call.
const MAX_SERVICES: usize = 10;

pub(crate) fn accesses(
    ctx: &EcsContext,
    _caller: &Caller,
    input: &DescribeServicesRequest,
) -> Vec<Access> {
    let (cluster, given) = (input.cluster.as_deref(), input.services.as_deref());
    access::each_in_cluster::<DescribeServices>(ctx, Kind::Service, cluster, given)
}

pub(crate) async fn execute(
    ctx: &EcsContext,
    call: Authorized<DescribeServices>,
) -> Result<DescribeServicesResponse, ApiError> {
    let input = call.input();
    let given = input.services.as_deref().unwrap_or_default();
    if given.is_empty() {
        return Err(invalid_parameter("Services cannot be empty."));
    }
    if given.len() > MAX_SERVICES {
        return Err(invalid_parameter(format!(
            "services can have at most {MAX_SERVICES} items, not {}.",
            given.len()
        )));
    }
    let with_tags = input.include.iter().flatten().any(|field| *field == ServiceField::Tags);
    let view = ctx.state.view();
    let cluster = &name::cluster(&view, &ctx.scope, input.cluster.as_deref())?.name;
    let (mut services, mut failures) = (Vec::new(), Vec::new());
    for given in given {
        match name::service(&view, &ctx.scope, cluster, given)? {
            Some(service) => {
                services.push(render::service::service(&view, &ctx.scope, service, with_tags));
            }
            None => {
                let (own, name) = name::in_cluster("service", given);
                let missing = arn::service(&ctx.scope, own.unwrap_or(cluster), name);
                failures.push(render::failure::missing(missing));
            }
        }
    }
    Ok(DescribeServicesResponse { failures: Some(failures), services: Some(services) })
}
