//! `DeleteUserPolicy`: takes an inline policy of a user away.

use api_iam::ops::DeleteUserPolicy;
use api_iam::types::DeleteUserPolicyRequest;
use policy::{Access, Authorized, Caller};
use wire::{ApiError, NoOutput};

use crate::{IamContext, access, holder, lookup};

pub(crate) fn accesses(
    ctx: &IamContext,
    caller: &Caller,
    input: &DeleteUserPolicyRequest,
) -> Vec<Access> {
    vec![access::on_bounded_user::<DeleteUserPolicy>(
        ctx,
        &caller.principal.account,
        input.user_name.as_deref(),
    )]
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<DeleteUserPolicy>,
) -> Result<NoOutput, ApiError> {
    let (caller, input) = call.into_parts();
    let account = &caller.principal.account;
    let name = input.user_name.as_deref().unwrap_or_default();
    ctx.commit(|view, change| {
        let user = lookup::user(view, account, name)?;
        holder::delete_inline(change, user, input.policy_name.as_deref().unwrap_or_default())
    })
    .await?;
    Ok(NoOutput {})
}
