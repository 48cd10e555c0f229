//! `DeleteRolePolicy`: takes an inline policy away.

use api_iam::ops::DeleteRolePolicy;
use api_iam::types::DeleteRolePolicyRequest;
use policy::{Access, Authorized, Caller};
use wire::{ApiError, NoOutput};

use crate::{IamContext, holder, role};

pub(crate) fn accesses(
    ctx: &IamContext,
    caller: &Caller,
    input: &DeleteRolePolicyRequest,
) -> Vec<Access> {
    vec![role::on_bounded::<DeleteRolePolicy>(
        ctx,
        &caller.principal.account,
        input.role_name.as_deref(),
    )]
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<DeleteRolePolicy>,
) -> Result<NoOutput, ApiError> {
    let (caller, input) = call.into_parts();
    let account = &caller.principal.account;
    let name = input.role_name.unwrap_or_default();
    let policy = input.policy_name.unwrap_or_default();
    ctx.commit(|view, change| {
        holder::delete_inline(change, role::changeable(view, account, &name)?, &policy)
    })
    .await?;
    Ok(NoOutput {})
}
