//! `PutRolePolicy`: an inline policy, new or replaced.

use api_iam::ops::PutRolePolicy;
use api_iam::types::PutRolePolicyRequest;
use policy::{Access, Authorized, Caller};
use wire::{ApiError, NoOutput};

use crate::{IamContext, holder, role};

pub(crate) fn accesses(
    ctx: &IamContext,
    caller: &Caller,
    input: &PutRolePolicyRequest,
) -> Vec<Access> {
    vec![role::on_bounded::<PutRolePolicy>(
        ctx,
        &caller.principal.account,
        input.role_name.as_deref(),
    )]
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<PutRolePolicy>,
) -> Result<NoOutput, ApiError> {
    let (caller, input) = call.into_parts();
    let account = &caller.principal.account;
    let name = input.role_name.unwrap_or_default();
    let policy = input.policy_name.unwrap_or_default();
    let text = input.policy_document.unwrap_or_default();
    ctx.commit(|view, change| {
        let role = role::changeable(view, account, &name)?;
        holder::put_inline(change, role, &policy, &text)
    })
    .await?;
    Ok(NoOutput {})
}
