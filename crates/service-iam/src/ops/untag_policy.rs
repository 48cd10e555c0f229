//! `UntagPolicy`: takes tags away.

use api_iam::ops::UntagPolicy;
use api_iam::types::UntagPolicyRequest;
use policy::{Access, Authorized, Caller};
use wire::{ApiError, NoOutput};

use crate::{IamContext, access, managed, tag};

pub(crate) fn accesses(
    ctx: &IamContext,
    caller: &Caller,
    input: &UntagPolicyRequest,
) -> Vec<Access> {
    let own =
        managed::on::<UntagPolicy>(ctx, &caller.principal.account, input.policy_arn.as_deref());
    vec![access::with_tag_keys(own, input.tag_keys.as_deref())]
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<UntagPolicy>,
) -> Result<NoOutput, ApiError> {
    let (caller, input) = call.into_parts();
    let name = input.policy_arn.unwrap_or_default();
    let keys = input.tag_keys.unwrap_or_default();
    ctx.commit(|view, change| {
        let row = managed::changeable::<UntagPolicy>(view, &caller, &name)?;
        let mut record = row.value.as_ref().clone();
        tag::unset(&mut record.tags, &keys);
        change.update(row, &record);
        Ok(())
    })
    .await?;
    Ok(NoOutput {})
}
