//! `GetRolePolicy`: the document of an inline policy.

use api_iam::ops::GetRolePolicy;
use api_iam::types::{GetRolePolicyRequest, GetRolePolicyResponse};
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::{IamContext, holder, lookup, role};

pub(crate) fn accesses(
    ctx: &IamContext,
    caller: &Caller,
    input: &GetRolePolicyRequest,
) -> Vec<Access> {
    vec![role::on::<GetRolePolicy>(ctx, &caller.principal.account, input.role_name.as_deref())]
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<GetRolePolicy>,
) -> Result<GetRolePolicyResponse, ApiError> {
    let (account, input) = (&call.caller().principal.account, call.input());
    let view = ctx.state.view();
    let role = lookup::role(&view, account, input.role_name.as_deref().unwrap_or_default())?;
    let document = holder::inline(&**role, input.policy_name.as_deref().unwrap_or_default())?;
    Ok(GetRolePolicyResponse {
        role_name: Some(role.name.clone()),
        policy_name: input.policy_name.clone(),
        policy_document: Some(document),
    })
}
