//! `ListAttachedGroupPolicies`: the managed policies attached to a group.

use api_iam::ops::ListAttachedGroupPolicies;
use api_iam::types::{ListAttachedGroupPoliciesRequest, ListAttachedGroupPoliciesResponse};
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::{IamContext, access, holder, lookup};

pub(crate) fn accesses(
    ctx: &IamContext,
    caller: &Caller,
    input: &ListAttachedGroupPoliciesRequest,
) -> Vec<Access> {
    vec![access::on_group::<ListAttachedGroupPolicies>(
        ctx,
        &caller.principal.account,
        input.group_name.as_deref(),
    )]
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<ListAttachedGroupPolicies>,
) -> Result<ListAttachedGroupPoliciesResponse, ApiError> {
    let (caller, input) = call.into_parts();
    let account = &caller.principal.account;
    let view = ctx.state.view();
    let group = lookup::group(&view, account, input.group_name.as_deref().unwrap_or_default())?;
    let prefix = input.path_prefix.as_deref();
    let page = holder::attached_below(
        group.value.as_ref(),
        prefix,
        input.max_items,
        input.marker.as_deref(),
    )?;
    Ok(ListAttachedGroupPoliciesResponse {
        is_truncated: page.is_truncated(),
        attached_policies: Some(page.items),
        marker: page.marker,
    })
}
