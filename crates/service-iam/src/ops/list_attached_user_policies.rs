//! `ListAttachedUserPolicies`: the managed policies attached to a user.

use api_iam::ops::ListAttachedUserPolicies;
use api_iam::types::{ListAttachedUserPoliciesRequest, ListAttachedUserPoliciesResponse};
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::{IamContext, access, holder, lookup};

pub(crate) fn accesses(
    ctx: &IamContext,
    caller: &Caller,
    input: &ListAttachedUserPoliciesRequest,
) -> Vec<Access> {
    vec![access::on_user::<ListAttachedUserPolicies>(
        ctx,
        &caller.principal.account,
        input.user_name.as_deref(),
    )]
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<ListAttachedUserPolicies>,
) -> Result<ListAttachedUserPoliciesResponse, ApiError> {
    let (caller, input) = call.into_parts();
    let account = &caller.principal.account;
    let view = ctx.state.view();
    let user = lookup::user(&view, account, input.user_name.as_deref().unwrap_or_default())?;
    let prefix = input.path_prefix.as_deref();
    let page = holder::attached_below(
        user.value.as_ref(),
        prefix,
        input.max_items,
        input.marker.as_deref(),
    )?;
    Ok(ListAttachedUserPoliciesResponse {
        is_truncated: page.is_truncated(),
        attached_policies: Some(page.items),
        marker: page.marker,
    })
}
