//! `UntagResource`: removes the tags of these keys.

use api_ecs::ops::UntagResource;
use api_ecs::types::{UntagResourceRequest, UntagResourceResponse};
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::tagged::Tagged;
use crate::{EcsContext, access};

pub(crate) fn accesses(
    ctx: &EcsContext,
    _caller: &Caller,
    input: &UntagResourceRequest,
) -> Vec<Access> {
    let mut access = access::tagged::<UntagResource>(ctx, input.resource_arn.as_deref());
    for key in input.tag_keys.iter().flatten() {
        access = access.with_key("aws:TagKeys", key.as_str());
    }
    vec![access]
}

pub(crate) async fn execute(
    ctx: &EcsContext,
    call: Authorized<UntagResource>,
) -> Result<UntagResourceResponse, ApiError> {
    let input = call.input();
    let arn = input.resource_arn.as_deref().unwrap_or_default();
    let keys = input.tag_keys.as_deref().unwrap_or_default();
    ctx.commit(|view, change| {
        let resource = Tagged::find(view, &ctx.scope, arn)?;
        resource.check_alive()?;
        let mut tags = resource.tags().clone();
        tags.retain(|key, _| !keys.contains(key));
        if tags != *resource.tags() {
            resource.update(change, tags);
        }
        Ok(())
    })
    .await?;
    Ok(UntagResourceResponse {})
}
