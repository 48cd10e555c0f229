//! `GetRole`: one role, and when it was last used.

use api_iam::ops::GetRole;
use api_iam::types::{GetRoleRequest, GetRoleResponse};
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::{IamContext, lookup, render, role};

pub(crate) fn accesses(ctx: &IamContext, caller: &Caller, input: &GetRoleRequest) -> Vec<Access> {
    vec![role::on::<GetRole>(ctx, &caller.principal.account, input.role_name.as_deref())]
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<GetRole>,
) -> Result<GetRoleResponse, ApiError> {
    let (account, input) = (&call.caller().principal.account, call.input());
    let view = ctx.state.view();
    let role = lookup::role(&view, account, input.role_name.as_deref().unwrap_or_default())?;
    let last_use = ctx.usage.principal(&role.arn());
    Ok(GetRoleResponse { role: Some(render::role::whole(role, last_use)) })
}
