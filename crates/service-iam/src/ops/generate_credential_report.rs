//! `GenerateCredentialReport`: makes the credential report, unless one of less than four hours is there.

use crate::credential_report::{self, Report};
use api_iam::ops::GenerateCredentialReport;
use api_iam::types::{GenerateCredentialReportResponse, ReportStateType};
use policy::{Access, Authorized, Caller};
use wire::{ApiError, NoOutput};

use crate::IamContext;

pub(crate) fn accesses(_ctx: &IamContext, _caller: &Caller, _input: &NoOutput) -> Vec<Access> {
    vec![Access::of::<GenerateCredentialReport>("*")]
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<GenerateCredentialReport>,
) -> Result<GenerateCredentialReportResponse, ApiError> {
    let account = &call.caller().principal.account;
    let now = ctx.now();
    if ctx.reports.of(account).is_none_or(|report| report.is_expired(now)) {
        let content = credential_report::write(ctx, &ctx.state.view(), account).into();
        ctx.reports.keep(account.clone(), Report { generated_at: now, content });
    }
    Ok(GenerateCredentialReportResponse {
        state: Some(ReportStateType::Complete),
        description: None,
    })
}
