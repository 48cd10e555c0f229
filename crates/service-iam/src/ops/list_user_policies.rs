//! `ListUserPolicies`: the names of the inline policies of a user.

use api_iam::ops::ListUserPolicies;
use api_iam::types::{ListUserPoliciesRequest, ListUserPoliciesResponse};
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::{IamContext, access, holder, lookup};

pub(crate) fn accesses(
    ctx: &IamContext,
    caller: &Caller,
    input: &ListUserPoliciesRequest,
) -> Vec<Access> {
    vec![access::on_user::<ListUserPolicies>(
        ctx,
        &caller.principal.account,
        input.user_name.as_deref(),
    )]
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<ListUserPolicies>,
) -> Result<ListUserPoliciesResponse, ApiError> {
    let (caller, input) = call.into_parts();
    let account = &caller.principal.account;
    let view = ctx.state.view();
    let user = lookup::user(&view, account, input.user_name.as_deref().unwrap_or_default())?;
    let page = holder::inline_names(user.value.as_ref(), input.max_items, input.marker.as_deref())?;
    Ok(ListUserPoliciesResponse {
        is_truncated: page.is_truncated(),
        policy_names: Some(page.items),
        marker: page.marker,
    })
}
