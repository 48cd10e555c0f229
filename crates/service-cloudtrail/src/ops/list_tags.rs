//! `ListTags`.

use api_cloudtrail::ops::ListTags;
use api_cloudtrail::types::{ListTagsRequest, ListTagsResponse, ResourceTag, Tag};
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::CloudTrailContext;
use crate::trail::{name_in_arn, resource};

pub(crate) fn accesses(
    ctx: &CloudTrailContext,
    caller: &Caller,
    input: &ListTagsRequest,
) -> Vec<Access> {
    let arns = input.resource_id_list.iter().flatten();
    Access::each::<ListTags>(arns.map(|arn| resource(ctx, caller, Some(arn))))
}

pub(crate) async fn execute(
    ctx: &CloudTrailContext,
    call: Authorized<ListTags>,
) -> Result<ListTagsResponse, ApiError> {
    let (caller, input) = call.into_parts();
    let mut resources = Vec::new();
    for arn in input.resource_id_list.unwrap_or_default() {
        let name = name_in_arn(ctx, &caller, &arn)?;
        let row = ctx.trail(&caller.principal.account, &name)?;
        let tags = row.value.tags.iter();
        let tags =
            tags.map(|(key, value)| Tag { key: Some(key.clone()), value: Some(value.clone()) });
        resources.push(ResourceTag { resource_id: Some(arn), tags_list: Some(tags.collect()) });
    }
    Ok(ListTagsResponse { resource_tag_list: Some(resources), next_token: None })
}
