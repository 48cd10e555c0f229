//! `ListRolePolicies`: the names of inline policies.

use api_iam::ops::ListRolePolicies;
use api_iam::types::{ListRolePoliciesRequest, ListRolePoliciesResponse};
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::{IamContext, holder, lookup, role};

pub(crate) fn accesses(
    ctx: &IamContext,
    caller: &Caller,
    input: &ListRolePoliciesRequest,
) -> Vec<Access> {
    vec![role::on::<ListRolePolicies>(ctx, &caller.principal.account, input.role_name.as_deref())]
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<ListRolePolicies>,
) -> Result<ListRolePoliciesResponse, ApiError> {
    let (account, input) = (&call.caller().principal.account, call.input());
    let view = ctx.state.view();
    let role = lookup::role(&view, account, input.role_name.as_deref().unwrap_or_default())?;
    let page = holder::inline_names(&**role, input.max_items, input.marker.as_deref())?;
    Ok(ListRolePoliciesResponse {
        is_truncated: page.is_truncated(),
        policy_names: Some(page.items),
        marker: page.marker,
    })
}
