//! `GenerateServiceLastAccessedDetails`: a report of what somebody may use, and last used.

use api_iam::ops::GenerateServiceLastAccessedDetails;
use api_iam::types::{
    AccessAdvisorUsageGranularityType, GenerateServiceLastAccessedDetailsRequest,
    GenerateServiceLastAccessedDetailsResponse,
};
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::{IamContext, last_accessed};

pub(crate) fn accesses(
    _ctx: &IamContext,
    _caller: &Caller,
    input: &GenerateServiceLastAccessedDetailsRequest,
) -> Vec<Access> {
    vec![Access::of::<GenerateServiceLastAccessedDetails>(input.arn.clone().unwrap_or_default())]
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<GenerateServiceLastAccessedDetails>,
) -> Result<GenerateServiceLastAccessedDetailsResponse, ApiError> {
    let (account, input) = (&call.caller().principal.account, call.input());
    let granularity =
        input.granularity.clone().unwrap_or(AccessAdvisorUsageGranularityType::ServiceLevel);
    let arn = input.arn.as_deref().unwrap_or_default();
    let subject = last_accessed::subject(ctx, &ctx.state.view(), account, arn)?;
    let with_actions = granularity == AccessAdvisorUsageGranularityType::ActionLevel;
    let services = last_accessed::report(ctx, &subject, with_actions);
    let job_id = ctx.ids.uuid();
    ctx.memory.reports.add(last_accessed::Report {
        job_id: job_id.clone(),
        account: account.clone(),
        granularity,
        made_at: ctx.now(),
        services,
    });
    Ok(GenerateServiceLastAccessedDetailsResponse { job_id: Some(job_id) })
}
