//! `ListGroupPolicies`: the names of the inline policies of a group.

use api_iam::ops::ListGroupPolicies;
use api_iam::types::{ListGroupPoliciesRequest, ListGroupPoliciesResponse};
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::{IamContext, access, holder, lookup};

pub(crate) fn accesses(
    ctx: &IamContext,
    caller: &Caller,
    input: &ListGroupPoliciesRequest,
) -> Vec<Access> {
    vec![access::on_group::<ListGroupPolicies>(
        ctx,
        &caller.principal.account,
        input.group_name.as_deref(),
    )]
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<ListGroupPolicies>,
) -> Result<ListGroupPoliciesResponse, ApiError> {
    let (caller, input) = call.into_parts();
    let account = &caller.principal.account;
    let view = ctx.state.view();
    let group = lookup::group(&view, account, input.group_name.as_deref().unwrap_or_default())?;
    let page =
        holder::inline_names(group.value.as_ref(), input.max_items, input.marker.as_deref())?;
    Ok(ListGroupPoliciesResponse {
        is_truncated: page.is_truncated(),
        policy_names: Some(page.items),
        marker: page.marker,
    })
}
