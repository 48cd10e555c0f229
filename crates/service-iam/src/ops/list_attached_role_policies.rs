//! `ListAttachedRolePolicies`: the managed policies of a role, by ARN.

use api_iam::ops::ListAttachedRolePolicies;
use api_iam::types::{ListAttachedRolePoliciesRequest, ListAttachedRolePoliciesResponse};
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::{IamContext, holder, lookup, role};

pub(crate) fn accesses(
    ctx: &IamContext,
    caller: &Caller,
    input: &ListAttachedRolePoliciesRequest,
) -> Vec<Access> {
    vec![role::on::<ListAttachedRolePolicies>(
        ctx,
        &caller.principal.account,
        input.role_name.as_deref(),
    )]
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<ListAttachedRolePolicies>,
) -> Result<ListAttachedRolePoliciesResponse, ApiError> {
    let (account, input) = (&call.caller().principal.account, call.input());
    let view = ctx.state.view();
    let role = lookup::role(&view, account, input.role_name.as_deref().unwrap_or_default())?;
    let prefix = input.path_prefix.as_deref();
    let marker = input.marker.as_deref();
    let page = holder::attached_below(&**role, prefix, input.max_items, marker)?;
    Ok(ListAttachedRolePoliciesResponse {
        is_truncated: page.is_truncated(),
        attached_policies: Some(page.items),
        marker: page.marker,
    })
}
