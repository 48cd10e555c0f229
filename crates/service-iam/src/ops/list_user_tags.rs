//! `ListUserTags`: the tags of a user.

use api_iam::ops::ListUserTags;
use api_iam::types::{ListUserTagsRequest, ListUserTagsResponse};
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::page::page;
use crate::{IamContext, access, lookup, tag};

pub(crate) fn accesses(
    ctx: &IamContext,
    caller: &Caller,
    input: &ListUserTagsRequest,
) -> Vec<Access> {
    vec![access::on_user::<ListUserTags>(
        ctx,
        &caller.principal.account,
        input.user_name.as_deref(),
    )]
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<ListUserTags>,
) -> Result<ListUserTagsResponse, ApiError> {
    let (caller, input) = call.into_parts();
    let account = &caller.principal.account;
    let view = ctx.state.view();
    let user = lookup::user(&view, account, input.user_name.as_deref().unwrap_or_default())?;
    let page =
        page(&user.tags, |(key, _)| (*key).clone(), input.max_items, input.marker.as_deref())?
            .map(|(key, value)| tag::one(key, value));
    Ok(ListUserTagsResponse {
        is_truncated: page.is_truncated(),
        tags: Some(page.items),
        marker: page.marker,
    })
}
