//! `ListTagsForResource`.

use api_logs::ops::ListTagsForResource;
use api_logs::types::{ListTagsForResourceRequest, ListTagsForResourceResponse};
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::{LogsContext, access, name};

pub(crate) fn accesses(
    ctx: &LogsContext,
    _caller: &Caller,
    input: &ListTagsForResourceRequest,
) -> Vec<Access> {
    vec![access::tags::<ListTagsForResource>(ctx, input.resource_arn.as_deref())]
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
