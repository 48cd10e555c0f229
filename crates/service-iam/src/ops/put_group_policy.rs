//! `PutGroupPolicy`: sets an inline policy of a group.

use api_iam::ops::PutGroupPolicy;
use api_iam::types::PutGroupPolicyRequest;
use policy::{Access, Authorized, Caller};
use wire::{ApiError, NoOutput};

use crate::{IamContext, access, holder, lookup};

pub(crate) fn accesses(
    ctx: &IamContext,
    caller: &Caller,
    input: &PutGroupPolicyRequest,
) -> Vec<Access> {
    vec![access::on_group::<PutGroupPolicy>(
        ctx,
        &caller.principal.account,
        input.group_name.as_deref(),
    )]
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<PutGroupPolicy>,
) -> Result<NoOutput, ApiError> {
    let (caller, input) = call.into_parts();
    let account = &caller.principal.account;
    let name = input.group_name.as_deref().unwrap_or_default();
    ctx.commit(|view, change| {
        let group = lookup::group(view, account, name)?;
        holder::put_inline(
            change,
            group,
            input.policy_name.as_deref().unwrap_or_default(),
            input.policy_document.as_deref().unwrap_or_default(),
        )
    })
    .await?;
    Ok(NoOutput {})
}
