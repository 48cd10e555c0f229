//! `GetCredentialReport`: the credential report that was made last.

use api_iam::errors;
use api_iam::ops::GetCredentialReport;
use api_iam::types::{GetCredentialReportResponse, ReportFormatType};
use policy::{Access, Authorized, Caller};
use wire::Blob;
use wire::{ApiError, NoOutput};

use crate::IamContext;

pub(crate) fn accesses(_ctx: &IamContext, _caller: &Caller, _input: &NoOutput) -> Vec<Access> {
    vec![Access::of::<GetCredentialReport>("*")]
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<GetCredentialReport>,
) -> Result<GetCredentialReportResponse, ApiError> {
    let account = &call.caller().principal.account;
    let report = ctx.reports.of(account).ok_or_else(|| {
        errors::credential_report_not_present_exception(
            "No report present. Use GenerateCredentialReport to create a new one.",
        )
    })?;
    if report.is_expired(ctx.now()) {
        return Err(errors::credential_report_expired_exception(
            "Report has expired. Use GenerateCredentialReport to create a new one.",
        ));
    }
    Ok(GetCredentialReportResponse {
        content: Some(Blob(report.content.as_bytes().to_vec())),
        report_format: Some(ReportFormatType::TextCsv),
        generated_time: Some(report.generated_at),
    })
}
