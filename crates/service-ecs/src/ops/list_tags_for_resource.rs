//! `ListTagsForResource`.

use api_ecs::ops::ListTagsForResource;
use api_ecs::types::{ListTagsForResourceRequest, ListTagsForResourceResponse};
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::tagged::Tagged;
use crate::{EcsContext, access, tag};

pub(crate) fn accesses(
    ctx: &EcsContext,
    _caller: &Caller,
    input: &ListTagsForResourceRequest,
) -> Vec<Access> {
    vec![access::tagged::<ListTagsForResource>(ctx, input.resource_arn.as_deref())]
}

pub(crate) async fn execute(
    ctx: &EcsContext,
    call: Authorized<ListTagsForResource>,
) -> Result<ListTagsForResourceResponse, ApiError> {
    let arn = call.input().resource_arn.as_deref().unwrap_or_default();
    let view = ctx.state.view();
    let resource = Tagged::find(&view, &ctx.scope, arn)?;
    Ok(ListTagsForResourceResponse { tags: Some(tag::render(resource.tags())) })
}
