//! `UntagResource`: removes the tags of these keys.

use api_ecs::ops::UntagResource;
use api_ecs::types::{UntagResourceRequest, UntagResourceResponse};
use policy::Authorized;
use wire::ApiError;

use crate::EcsContext;
use crate::tagged::Tagged;

pub(crate) fn resources(_ctx: &EcsContext, input: &UntagResourceRequest) -> Vec<String> {
    vec![input.resource_arn.clone().unwrap_or_default()]
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
