//! `ListTagsForResource`.

use api_logs::ops::ListTagsForResource;
use api_logs::types::{ListTagsForResourceRequest, ListTagsForResourceResponse};
use policy::Authorized;
use wire::ApiError;

use crate::{LogsContext, name};

pub(crate) fn resources(ctx: &LogsContext, input: &ListTagsForResourceRequest) -> Vec<String> {
    name::group_resource(&ctx.scope, input.resource_arn.as_deref(), None)
}

pub(crate) async fn execute(
    ctx: &LogsContext,
    call: Authorized<ListTagsForResource>,
) -> Result<ListTagsForResourceResponse, ApiError> {
    let (_, input) = call.into_parts();
    let group = name::group_by_arn(&ctx.scope, &input.resource_arn.unwrap_or_default())?;
    let group = ctx.with_store(move |store| store.group(&group)).await?;
    Ok(ListTagsForResourceResponse { tags: Some(group.tags) })
}
