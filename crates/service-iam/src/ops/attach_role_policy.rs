//! `AttachRolePolicy`: a managed policy applies to a role.

use api_iam::ops::AttachRolePolicy;
use api_iam::types::AttachRolePolicyRequest;
use policy::{Access, Authorized, Caller};
use wire::{ApiError, NoOutput};

use crate::{IamContext, access, holder, role};

pub(crate) fn accesses(
    ctx: &IamContext,
    caller: &Caller,
    input: &AttachRolePolicyRequest,
) -> Vec<Access> {
    let own = role::on_bounded::<AttachRolePolicy>(
        ctx,
        &caller.principal.account,
        input.role_name.as_deref(),
    );
    vec![access::with_some(own, "iam:policyarn", input.policy_arn.as_deref())]
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<AttachRolePolicy>,
) -> Result<NoOutput, ApiError> {
    let (caller, input) = call.into_parts();
    let account = &caller.principal.account;
    let name = input.role_name.unwrap_or_default();
    let arn = input.policy_arn.unwrap_or_default();
    ctx.commit(|view, change| {
        holder::attach(view, change, role::changeable(view, account, &name)?, &arn)
    })
    .await?;
    Ok(NoOutput {})
}
