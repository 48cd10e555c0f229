//! `UntagResource`.

use api_logs::ops::UntagResource;
use api_logs::types::UntagResourceRequest;
use policy::Authorized;
use wire::{ApiError, NoOutput};

use crate::{LogsContext, name};

pub(crate) fn resources(ctx: &LogsContext, input: &UntagResourceRequest) -> Vec<String> {
    name::group_resource(&ctx.scope, input.resource_arn.as_deref(), None)
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
