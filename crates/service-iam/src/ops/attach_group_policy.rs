//! `AttachGroupPolicy`: attaches a managed policy to a group.

use api_iam::ops::AttachGroupPolicy;
use api_iam::types::AttachGroupPolicyRequest;
use policy::{Access, Authorized, Caller};
use wire::{ApiError, NoOutput};

use crate::{IamContext, access, holder, lookup};

pub(crate) fn accesses(
    ctx: &IamContext,
    caller: &Caller,
    input: &AttachGroupPolicyRequest,
) -> Vec<Access> {
    let on = access::on_group::<AttachGroupPolicy>(
        ctx,
        &caller.principal.account,
        input.group_name.as_deref(),
    );
    vec![access::with_some(on, "iam:policyarn", input.policy_arn.as_deref())]
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<AttachGroupPolicy>,
) -> Result<NoOutput, ApiError> {
    let (caller, input) = call.into_parts();
    let account = &caller.principal.account;
    let name = input.group_name.as_deref().unwrap_or_default();
    ctx.commit(|view, change| {
        let group = lookup::group(view, account, name)?;
        holder::attach(view, change, group, input.policy_arn.as_deref().unwrap_or_default())
    })
    .await?;
    Ok(NoOutput {})
}
