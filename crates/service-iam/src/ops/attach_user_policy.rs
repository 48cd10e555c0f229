//! `AttachUserPolicy`: attaches a managed policy to a user.

use api_iam::ops::AttachUserPolicy;
use api_iam::types::AttachUserPolicyRequest;
use policy::{Access, Authorized, Caller};
use wire::{ApiError, NoOutput};

use crate::{IamContext, access, holder, lookup};

pub(crate) fn accesses(
    ctx: &IamContext,
    caller: &Caller,
    input: &AttachUserPolicyRequest,
) -> Vec<Access> {
    let on = access::on_bounded_user::<AttachUserPolicy>(
        ctx,
        &caller.principal.account,
        input.user_name.as_deref(),
    );
    vec![access::with_some(on, "iam:policyarn", input.policy_arn.as_deref())]
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<AttachUserPolicy>,
) -> Result<NoOutput, ApiError> {
    let (caller, input) = call.into_parts();
    let account = &caller.principal.account;
    let name = input.user_name.as_deref().unwrap_or_default();
    ctx.commit(|view, change| {
        let user = lookup::user(view, account, name)?;
        holder::attach(view, change, user, input.policy_arn.as_deref().unwrap_or_default())
    })
    .await?;
    Ok(NoOutput {})
}
