//! `ListInstanceProfileTags`: tags, by key.

use api_iam::ops::ListInstanceProfileTags;
use api_iam::types::{ListInstanceProfileTagsRequest, ListInstanceProfileTagsResponse};
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::page::page;
use crate::{IamContext, instance_profile, tag};

pub(crate) fn accesses(
    ctx: &IamContext,
    caller: &Caller,
    input: &ListInstanceProfileTagsRequest,
) -> Vec<Access> {
    vec![instance_profile::on::<ListInstanceProfileTags>(
        ctx,
        &caller.principal.account,
        input.instance_profile_name.as_deref(),
    )]
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<ListInstanceProfileTags>,
) -> Result<ListInstanceProfileTagsResponse, ApiError> {
    let (account, input) = (&call.caller().principal.account, call.input());
    let view = ctx.state.view();
    let name = input.instance_profile_name.as_deref().unwrap_or_default();
    let tags = instance_profile::find(&view, account, name)?.tags.clone();
    let page = page(&tags, |(key, _)| (*key).clone(), input.max_items, input.marker.as_deref())?;
    let is_truncated = page.is_truncated();
    let page = page.map(|(key, value)| tag::one(key, value));
    Ok(ListInstanceProfileTagsResponse {
        tags: Some(page.items),
        is_truncated,
        marker: page.marker,
    })
}
