//! `DeleteService`: the service drains; the reconciler stops its tasks and ends it.

use api_ecs::ops::DeleteService;
use api_ecs::types::{DeleteServiceRequest, DeleteServiceResponse};
use domain::{SchedulingStrategy, ServiceStatus};
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::access::Kind;
use crate::error::{invalid_parameter, service_not_found};
use crate::{EcsContext, access, name, render};

pub(crate) fn accesses(
    ctx: &EcsContext,
    _caller: &Caller,
    input: &DeleteServiceRequest,
) -> Vec<Access> {
    let service = input.service.as_deref().unwrap_or_default();
    vec![access::in_cluster::<DeleteService>(ctx, Kind::Service, input.cluster.as_deref(), service)]
}

pub(crate) async fn execute(
    ctx: &EcsContext,
    call: Authorized<DeleteService>,
) -> Result<DeleteServiceResponse, ApiError> {
    let input = call.input();
    let given = input.service.as_deref().unwrap_or_default();
    let service = ctx
        .commit(|view, change| {
            let cluster = name::cluster(view, &ctx.scope, input.cluster.as_deref())?;
            let row = name::service(view, &ctx.scope, &cluster.name, given)?
                .filter(|service| service.status != ServiceStatus::Inactive)
                .ok_or_else(service_not_found)?;
            let mut service = row.value.as_ref().clone();
            if service.status == ServiceStatus::Active {
                let scaled = service.scheduling_strategy == SchedulingStrategy::Replica
                    && service.desired_count > 0;
                if scaled && input.force != Some(true) {
                    return Err(invalid_parameter(
                        "The service cannot be stopped while it is scaled above 0.",
                    ));
                }
                service.status = ServiceStatus::Draining;
                service.desired_count = 0;
                change.update(row, &service);
            }
            Ok(render::service::service(view, &ctx.scope, &service, true))
        })
        .await?;
    Ok(DeleteServiceResponse { service: Some(service) })
}
