//! `DetachUserPolicy`: detaches a managed policy from a user.

use api_iam::ops::DetachUserPolicy;
use api_iam::types::DetachUserPolicyRequest;
use policy::{Access, Authorized, Caller};
use wire::{ApiError, NoOutput};

use crate::{IamContext, access, holder, lookup};

pub(crate) fn accesses(
    ctx: &IamContext,
    caller: &Caller,
    input: &DetachUserPolicyRequest,
) -> Vec<Access> {
    let on = access::on_bounded_user::<DetachUserPolicy>(
        ctx,
        &caller.principal.account,
        input.user_name.as_deref(),
    );
    vec![access::with_some(on, "iam:policyarn", input.policy_arn.as_deref())]
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<DetachUserPolicy>,
) -> Result<NoOutput, ApiError> {
    let (caller, input) = call.into_parts();
    let account = &caller.principal.account;
    let name = input.user_name.as_deref().unwrap_or_default();
    ctx.commit(|view, change| {
        let user = lookup::user(view, account, name)?;
        holder::detach(change, user, input.policy_arn.as_deref().unwrap_or_default())
    })
    .await?;
    Ok(NoOutput {})
}
