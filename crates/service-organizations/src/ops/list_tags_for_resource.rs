//! `ListTagsForResource`: the tags of an account, unit or policy.

use api_organizations::ops::ListTagsForResource;
use api_organizations::types::Tag;
use api_organizations::types::{ListTagsForResourceRequest, ListTagsForResourceResponse};
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::tagged::tags_of;
use crate::tree::Tree;
use crate::{OrganizationsContext, arn};

pub(crate) fn accesses(
    ctx: &OrganizationsContext,
    caller: &Caller,
    input: &ListTagsForResourceRequest,
) -> Vec<Access> {
    arn::accesses::<ListTagsForResource>(&ctx.state.view(), caller, &[input.resource_id.as_ref()])
}

pub(crate) async fn execute(
    ctx: &OrganizationsContext,
    call: Authorized<ListTagsForResource>,
) -> Result<ListTagsForResourceResponse, ApiError> {
    let view = ctx.state.view();
    let tree = Tree::managed(&view, call.caller())?;
    let tags = tags_of(tree, call.input().resource_id.as_ref())?;
    let tag = |(key, value): (&String, &String)| Tag {
        key: Some(key.clone()),
        value: Some(value.clone()),
    };
    Ok(ListTagsForResourceResponse { next_token: None, tags: Some(tags.iter().map(tag).collect()) })
}
