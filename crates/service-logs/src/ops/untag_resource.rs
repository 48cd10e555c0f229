//! `UntagResource`.

use api_logs::ops::UntagResource;
use api_logs::types::UntagResourceRequest;
use policy::{Access, Authorized, Caller};
use wire::{ApiError, NoOutput};

use crate::{LogsContext, access, name};

pub(crate) fn accesses(
    ctx: &LogsContext,
    _caller: &Caller,
    input: &UntagResourceRequest,
) -> Vec<Access> {
    let mut access = access::tags::<UntagResource>(ctx, input.resource_arn.as_deref());
    for key in input.tag_keys.iter().flatten() {
        access = access.with_key("aws:TagKeys", key.as_str());
    }
    vec![access]
}

pub(crate) async fn execute(
    ctx: &LogsContext,
    call: Authorized<UntagResource>,
) -> Result<NoOutput, ApiError> {
    let (_, input) = call.into_parts();
    let group = name::group_by_arn(&ctx.scope, &input.resource_arn.unwrap_or_default())?;
    let keys = input.tag_keys.unwrap_or_default();
    ctx.with_store(move |store| store.untag(&group, &keys)).await?;
    Ok(NoOutput {})
}
