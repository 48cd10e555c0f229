//! `GetGroupPolicy`: an inline policy of a group.

use api_iam::ops::GetGroupPolicy;
use api_iam::types::{GetGroupPolicyRequest, GetGroupPolicyResponse};
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::{IamContext, access, holder, lookup};

pub(crate) fn accesses(
    ctx: &IamContext,
    caller: &Caller,
    input: &GetGroupPolicyRequest,
) -> Vec<Access> {
    vec![access::on_group::<GetGroupPolicy>(
        ctx,
        &caller.principal.account,
        input.group_name.as_deref(),
    )]
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<GetGroupPolicy>,
) -> Result<GetGroupPolicyResponse, ApiError> {
    let (caller, input) = call.into_parts();
    let account = &caller.principal.account;
    let view = ctx.state.view();
    let group = lookup::group(&view, account, input.group_name.as_deref().unwrap_or_default())?;
    let document =
        holder::inline(group.value.as_ref(), input.policy_name.as_deref().unwrap_or_default())?;
    Ok(GetGroupPolicyResponse {
        group_name: Some(group.name.clone()),
        policy_name: input.policy_name,
        policy_document: Some(document),
    })
}
