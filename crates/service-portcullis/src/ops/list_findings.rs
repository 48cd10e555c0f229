//! `ListFindings`: what was detected, in the order of the findings' ids.

use api_portcullis::ops::ListFindings;
use api_portcullis::types::{ListFindingsRequest, ListFindingsResponse};
use iam::Finding;
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::page::page;
use crate::{PortcullisContext, render, resource};

pub(crate) fn accesses(
    ctx: &PortcullisContext,
    _caller: &Caller,
    _input: &ListFindingsRequest,
) -> Vec<Access> {
    vec![Access::of::<ListFindings>(resource::finding(&ctx.scope, "*"))]
}

pub(crate) async fn execute(
    ctx: &PortcullisContext,
    call: Authorized<ListFindings>,
) -> Result<ListFindingsResponse, ApiError> {
    let (_, input) = call.into_parts();
    let view = ctx.state.view();
    let all = view.identities().findings().filter(|finding| wanted(&input, finding));
    let key = |finding: &&state::Row<Finding>| finding.id.clone();
    let (findings, next_token) = page(all, key, input.max_results, input.next_token.as_deref())?;
    let findings = findings.into_iter().map(|finding| render::finding(&ctx.scope, finding));
    Ok(ListFindingsResponse { findings: Some(findings.collect()), next_token })
}

/// Whether a finding is as every filter that was given wants it. Archived ones show when asked for.
fn wanted(input: &ListFindingsRequest, finding: &Finding) -> bool {
    let is = |filter: Option<&str>, value: Option<&str>| filter.is_none() || filter == value;
    is(input.rule.as_deref(), Some(&finding.rule))
        && is(input.severity.as_ref().map(|severity| severity.as_str()), Some(&finding.severity))
        && is(input.resource.as_deref(), Some(&finding.resource))
        && is(input.principal.as_deref(), finding.principal.as_deref())
        && finding.archived == input.archived.unwrap_or(false)
}
