//! `ListTagsForResource`.

use api_ecs::ops::ListTagsForResource;
use api_ecs::types::{ListTagsForResourceRequest, ListTagsForResourceResponse};
use policy::Authorized;
use wire::ApiError;

use crate::tagged::Tagged;
use crate::{EcsContext, tag};

pub(crate) fn resources(_ctx: &EcsContext, input: &ListTagsForResourceRequest) -> Vec<String> {
    vec![input.resource_arn.clone().unwrap_or_default()]
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
