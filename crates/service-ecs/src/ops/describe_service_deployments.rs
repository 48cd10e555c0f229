//! `DescribeServiceDeployments`: up to 20 service deployments by ARN.

use api_ecs::ops::DescribeServiceDeployments;
use api_ecs::types::{DescribeServiceDeploymentsRequest, DescribeServiceDeploymentsResponse};
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::error::invalid_parameter;
use crate::{EcsContext, access, name, render};

/// The most ARNs of one call.
pub(crate) const MAX_ARNS: usize = 20;

pub(crate) fn accesses(
    ctx: &EcsContext,
    _caller: &Caller,
    input: &DescribeServiceDeploymentsRequest,
) -> Vec<Access> {
    let given = input.service_deployment_arns.as_deref().unwrap_or_default();
    access::parts_of_services::<DescribeServiceDeployments>(ctx, "service-deployment", given)
}

pub(crate) async fn execute(
    ctx: &EcsContext,
    call: Authorized<DescribeServiceDeployments>,
) -> Result<DescribeServiceDeploymentsResponse, ApiError> {
    let given = call.input().service_deployment_arns.as_deref().unwrap_or_default();
    check_arns("serviceDeploymentArns", given)?;
    let view = ctx.state.view();
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for given in given {
        match name::service_deployment(&view, &ctx.scope, given)? {
            Some(record) => {
                found.push(render::service_deployment::service_deployment(
                    &view, &ctx.scope, record,
                ));
            }
            None => failures.push(render::failure::missing(given.clone())),
        }
    }
    Ok(DescribeServiceDeploymentsResponse {
        failures: Some(failures),
        service_deployments: Some(found),
    })
}

/// Refuses lists without ARNs, and with more than 20.
pub(crate) fn check_arns(member: &str, given: &[String]) -> Result<(), ApiError> {
    if (1..=MAX_ARNS).contains(&given.len()) {
        return Ok(());
    }
    Err(invalid_parameter(format!(
        "{member} must have 1 to {MAX_ARNS} items, not {}.",
        given.len()
    )))
}
