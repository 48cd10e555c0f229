//! `DetachRolePolicy`: a managed policy no longer applies to a role.

use api_iam::ops::DetachRolePolicy;
use api_iam::types::DetachRolePolicyRequest;
use policy::{Access, Authorized, Caller};
use wire::{ApiError, NoOutput};

use crate::{IamContext, access, holder, role};

pub(crate) fn accesses(
    ctx: &IamContext,
    caller: &Caller,
    input: &DetachRolePolicyRequest,
) -> Vec<Access> {
    let own = role::on_bounded::<DetachRolePolicy>(
        ctx,
        &caller.principal.account,
        input.role_name.as_deref(),
    );
    vec![access::with_some(own, "iam:policyarn", input.policy_arn.as_deref())]
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<DetachRolePolicy>,
) -> Result<NoOutput, ApiError> {
    let (caller, input) = call.into_parts();
    let account = &caller.principal.account;
    let name = input.role_name.unwrap_or_default();
    let arn = input.policy_arn.unwrap_or_default();
    ctx.commit(|view, change| {
        holder::detach(change, role::changeable(view, account, &name)?, &arn)
    })
    .await?;
    Ok(NoOutput {})
}
