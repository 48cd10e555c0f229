//! `TagPolicy`: adds tags, and replaces those of the same keys.

use api_iam::ops::TagPolicy;
use api_iam::types::TagPolicyRequest;
use policy::{Access, Authorized, Caller};
use wire::{ApiError, NoOutput};

use crate::{IamContext, access, managed, tag};

pub(crate) fn accesses(ctx: &IamContext, caller: &Caller, input: &TagPolicyRequest) -> Vec<Access> {
    let own = managed::on::<TagPolicy>(ctx, &caller.principal.account, input.policy_arn.as_deref());
    vec![access::with_request_tags(own, input.tags.as_deref())]
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<TagPolicy>,
) -> Result<NoOutput, ApiError> {
    let (caller, input) = call.into_parts();
    let name = input.policy_arn.unwrap_or_default();
    let given = input.tags.unwrap_or_default();
    ctx.commit(|view, change| {
        let row = managed::changeable::<TagPolicy>(view, &caller, &name)?;
        let mut record = row.value.as_ref().clone();
        tag::set(&mut record.tags, given.clone())?;
        change.update(row, &record);
        Ok(())
    })
    .await?;
    Ok(NoOutput {})
}
