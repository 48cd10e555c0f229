//! `GetServiceLastAccessedDetails`: a report that was made before.

use api_iam::ops::GetServiceLastAccessedDetails;
use api_iam::types::{
    self, GetServiceLastAccessedDetailsRequest, GetServiceLastAccessedDetailsResponse,
    jobStatusType,
};
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::IamContext;
use crate::error::no_such_entity;
use crate::page::page;

pub(crate) fn accesses(
    _ctx: &IamContext,
    _caller: &Caller,
    _input: &GetServiceLastAccessedDetailsRequest,
) -> Vec<Access> {
    vec![Access::of::<GetServiceLastAccessedDetails>("*")]
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<GetServiceLastAccessedDetails>,
) -> Result<GetServiceLastAccessedDetailsResponse, ApiError> {
    let (account, input) = (&call.caller().principal.account, call.input());
    let job_id = input.job_id.as_deref().unwrap_or_default();
    let report = ctx
        .memory
        .reports
        .find(account, job_id)
        .ok_or_else(|| no_such_entity(format!("The job with id {job_id} cannot be found.")))?;
    let key = |service: &types::ServiceLastAccessed| {
        service.service_namespace.clone().unwrap_or_default()
    };
    let services = report.services.iter().cloned();
    let page = page(services, key, input.max_items, input.marker.as_deref())?;
    Ok(GetServiceLastAccessedDetailsResponse {
        job_status: Some(jobStatusType::Completed),
        job_type: Some(report.granularity.clone()),
        job_creation_date: Some(report.made_at),
        job_completion_date: Some(report.made_at),
        is_truncated: page.is_truncated(),
        services_last_accessed: Some(page.items),
        marker: page.marker,
        error: None,
    })
}
