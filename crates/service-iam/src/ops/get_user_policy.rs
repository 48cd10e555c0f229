//! `GetUserPolicy`: an inline policy of a user.

use api_iam::ops::GetUserPolicy;
use api_iam::types::{GetUserPolicyRequest, GetUserPolicyResponse};
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::{IamContext, access, holder, lookup};

pub(crate) fn accesses(
    ctx: &IamContext,
    caller: &Caller,
    input: &GetUserPolicyRequest,
) -> Vec<Access> {
    vec![access::on_user::<GetUserPolicy>(
        ctx,
        &caller.principal.account,
        input.user_name.as_deref(),
    )]
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<GetUserPolicy>,
) -> Result<GetUserPolicyResponse, ApiError> {
    let (caller, input) = call.into_parts();
    let account = &caller.principal.account;
    let view = ctx.state.view();
    let user = lookup::user(&view, account, input.user_name.as_deref().unwrap_or_default())?;
    let document =
        holder::inline(user.value.as_ref(), input.policy_name.as_deref().unwrap_or_default())?;
    Ok(GetUserPolicyResponse {
        user_name: Some(user.name.clone()),
        policy_name: input.policy_name,
        policy_document: Some(document),
    })
}
