//! `GetAccessReport`: what a user or role was granted, when it was last needed, and the smallest policy
//! that covers what was used.

use access_report::{ActionUse, Grant, grants, smallest_policy};
use api_portcullis::ops::GetAccessReport;
use api_portcullis::types::{self, GetAccessReportRequest, GetAccessReportResponse};
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::PortcullisContext;
use crate::access::subjects;
use crate::error::not_found;

pub(crate) fn accesses(
    _ctx: &PortcullisContext,
    _caller: &Caller,
    input: &GetAccessReportRequest,
) -> Vec<Access> {
    vec![Access::of::<GetAccessReport>(input.principal_arn.as_deref().unwrap_or_default())]
}

pub(crate) async fn execute(
    ctx: &PortcullisContext,
    call: Authorized<GetAccessReport>,
) -> Result<GetAccessReportResponse, ApiError> {
    let arn = call.input().principal_arn.as_deref().unwrap_or_default();
    let account = &call.caller().principal.account;
    let subjects = subjects(ctx, &ctx.state.view(), account);
    let subject = subjects
        .iter()
        .find(|subject| subject.arn == arn)
        .ok_or_else(|| not_found(format!("No user or role of this account has the ARN {arn}.")))?;
    let uses = ctx.usage.actions(arn);
    let granted = grants(&subject.caller.permissions.identity, &uses);
    let smallest = smallest_policy(&uses);
    let (document, widened) = match smallest {
        Some(smallest) => (Some(smallest.document), smallest.widened),
        None => (None, Vec::new()),
    };
    Ok(GetAccessReportResponse {
        grants: Some(granted.into_iter().map(grant).collect()),
        smallest_policy: document,
        uses: Some(uses.into_iter().map(action_use).collect()),
        widened: Some(widened),
    })
}

fn grant(grant: Grant) -> types::Grant {
    types::Grant {
        action: Some(grant.action),
        last_used_at: grant.last_used_at,
        policy: Some(grant.policy.to_string()),
        resources: Some(grant.resources),
        sid: grant.sid,
        statement: i32::try_from(grant.statement).ok(),
    }
}

fn action_use(one: ActionUse) -> types::Use {
    types::Use {
        action: Some(one.action),
        count: Some(i64::try_from(one.count).unwrap_or(i64::MAX)),
        last_used_at: Some(one.last_used_at),
        resource: Some(one.resource),
    }
}
