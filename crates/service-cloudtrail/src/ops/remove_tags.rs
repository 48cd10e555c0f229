//! `RemoveTags`.

use api_cloudtrail::ops::RemoveTags;
use api_cloudtrail::types::{RemoveTagsRequest, RemoveTagsResponse};
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::CloudTrailContext;
use crate::trail::{name_in_arn, pairs, resource};

pub(crate) fn accesses(
    ctx: &CloudTrailContext,
    caller: &Caller,
    input: &RemoveTagsRequest,
) -> Vec<Access> {
    let access = Access::of::<RemoveTags>(resource(ctx, caller, input.resource_id.as_deref()));
    vec![access.with_request_tags(pairs(input.tags_list.as_ref()))]
}

pub(crate) async fn execute(
    ctx: &CloudTrailContext,
    call: Authorized<RemoveTags>,
) -> Result<RemoveTagsResponse, ApiError> {
    let (caller, input) = call.into_parts();
    let name = name_in_arn(ctx, &caller, input.resource_id.as_deref().unwrap_or_default())?;
    let list = input.tags_list.unwrap_or_default();
    let changed = ctx
        .update(&caller.principal.account, &name, |trail| {
            for tag in &list {
                trail.tags.remove(tag.key.as_deref().unwrap_or_default());
            }
            Ok(())
        })
        .await;
    changed.map(|_| RemoveTagsResponse::default())
}
