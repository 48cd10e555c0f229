//! `TagResource`: adds tags, and replaces those of the same keys.

use api_ecs::ops::TagResource;
use api_ecs::types::{TagResourceRequest, TagResourceResponse};
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::tagged::Tagged;
use crate::{EcsContext, access, tag};

pub(crate) fn accesses(
    ctx: &EcsContext,
    _caller: &Caller,
    input: &TagResourceRequest,
) -> Vec<Access> {
    let access = access::tagged::<TagResource>(ctx, input.resource_arn.as_deref());
    vec![access::with_request_tags(access, input.tags.as_deref())]
}

pub(crate) async fn execute(
    ctx: &EcsContext,
    call: Authorized<TagResource>,
) -> Result<TagResourceResponse, ApiError> {
    let (_, input) = call.into_parts();
    let arn = input.resource_arn.unwrap_or_default();
    let given = tag::read(input.tags)?;
    ctx.commit(|view, change| {
        let resource = Tagged::find(view, &ctx.scope, &arn)?;
        resource.check_alive()?;
        let mut tags = resource.tags().clone();
        tags.extend(given.clone());
        tag::check_count(tags.len())?;
        if tags != *resource.tags() {
            resource.update(change, tags);
        }
        Ok(())
    })
    .await?;
    Ok(TagResourceResponse {})
}
