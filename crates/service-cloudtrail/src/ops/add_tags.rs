//! `AddTags`.

use api_cloudtrail::ops::AddTags;
use api_cloudtrail::types::{AddTagsRequest, AddTagsResponse};
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::CloudTrailContext;
use crate::trail::{name_in_arn, pairs, resource, tag};

pub(crate) fn accesses(
    ctx: &CloudTrailContext,
    caller: &Caller,
    input: &AddTagsRequest,
) -> Vec<Access> {
    let access = Access::of::<AddTags>(resource(ctx, caller, input.resource_id.as_deref()));
    vec![access.with_request_tags(pairs(input.tags_list.as_ref()))]
}

pub(crate) async fn execute(
    ctx: &CloudTrailContext,
    call: Authorized<AddTags>,
) -> Result<AddTagsResponse, ApiError> {
    let (caller, input) = call.into_parts();
    let name = name_in_arn(ctx, &caller, input.resource_id.as_deref().unwrap_or_default())?;
    let list = input.tags_list.unwrap_or_default();
    let changed =
        ctx.update(&caller.principal.account, &name, |trail| tag(&mut trail.tags, &list)).await;
    changed.map(|_| AddTagsResponse::default())
}
