//! `DescribeServiceRevisions`: up to 20 service revisions by ARN.

use api_ecs::ops::DescribeServiceRevisions;
use api_ecs::types::{DescribeServiceRevisionsRequest, DescribeServiceRevisionsResponse};
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use super::describe_service_deployments::check_arns;
use crate::{EcsContext, access, name, render};

pub(crate) fn accesses(
    ctx: &EcsContext,
    _caller: &Caller,
    input: &DescribeServiceRevisionsRequest,
) -> Vec<Access> {
    let given = input.service_revision_arns.as_deref().unwrap_or_default();
    access::parts_of_services::<DescribeServiceRevisions>(ctx, "service-revision", given)
}

pub(crate) async fn execute(
    ctx: &EcsContext,
    call: Authorized<DescribeServiceRevisions>,
) -> Result<DescribeServiceRevisionsResponse, ApiError> {
    let given = call.input().service_revision_arns.as_deref().unwrap_or_default();
    check_arns("serviceRevisionArns", given)?;
    let view = ctx.state.view();
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for given in given {
        let path = name::parse_arn(&ctx.scope, given, "service-revision/")?;
        let (service, id) = path.rsplit_once('/').unwrap_or_default();
        let revision = view
            .service_revision(id)
            .filter(|row| service == format!("{}/{}", row.cluster, row.service));
        match revision {
            Some(row) => {
                found.push(render::service_revision::service_revision(&ctx.scope, row));
            }
            None => failures.push(render::failure::missing(given.clone())),
        }
    }
    Ok(DescribeServiceRevisionsResponse {
        failures: Some(failures),
        service_revisions: Some(found),
    })
}
