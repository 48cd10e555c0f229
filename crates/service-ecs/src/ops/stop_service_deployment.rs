//! `StopServiceDeployment`: asks the reconciler to go back, or no further.

use api_ecs::errors::{conflict_exception, service_deployment_not_found_exception};
use api_ecs::ops::StopServiceDeployment;
use api_ecs::types::{
    StopServiceDeploymentRequest, StopServiceDeploymentResponse, StopServiceDeploymentStopType,
};
use domain::ServiceDeploymentStatus;
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::{EcsContext, access, arn, name};

pub(crate) fn accesses(
    ctx: &EcsContext,
    _caller: &Caller,
    input: &StopServiceDeploymentRequest,
) -> Vec<Access> {
    let given = input.service_deployment_arn.as_slice();
    access::parts_of_services::<StopServiceDeployment>(ctx, "service-deployment", given)
}

pub(crate) async fn execute(
    ctx: &EcsContext,
    call: Authorized<StopServiceDeployment>,
) -> Result<StopServiceDeploymentResponse, ApiError> {
    let input = call.input();
    let given = input.service_deployment_arn.as_deref().unwrap_or_default();
    let wanted = match &input.stop_type {
        Some(StopServiceDeploymentStopType::Abort) => ServiceDeploymentStatus::StopRequested,
        None
        | Some(
            StopServiceDeploymentStopType::Rollback
            | StopServiceDeploymentStopType::Unrecognized(_),
        ) => ServiceDeploymentStatus::RollbackRequested,
    };
    ctx.commit(|view, change| {
        let row = name::service_deployment(view, &ctx.scope, given)?.ok_or_else(|| {
            service_deployment_not_found_exception("Service deployment not found.")
        })?;
        let mut record = row.value.as_ref().clone();
        let stoppable = matches!(
            record.status,
            ServiceDeploymentStatus::Pending | ServiceDeploymentStatus::InProgress
        );
        if stoppable {
            record.status = wanted;
            record.stopped_at = Some(ctx.now());
            record.updated_at = ctx.now();
            change.update(row, &record);
        } else if record.status != wanted {
            return Err(conflict_exception(format!(
                "The service deployment cannot be stopped: its status is {}.",
                record.status.as_str()
            )));
        }
        let (cluster, service) = (&record.cluster, &record.service);
        let arn = arn::service_deployment(&ctx.scope, cluster, service, &record.id);
        Ok(StopServiceDeploymentResponse { service_deployment_arn: Some(arn) })
    })
    .await
}
