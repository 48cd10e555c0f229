//! `ListRoleTags`: tags, by key.

use api_iam::ops::ListRoleTags;
use api_iam::types::{ListRoleTagsRequest, ListRoleTagsResponse};
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::page::page;
use crate::{IamContext, lookup, role, tag};

pub(crate) fn accesses(
    ctx: &IamContext,
    caller: &Caller,
    input: &ListRoleTagsRequest,
) -> Vec<Access> {
    vec![role::on::<ListRoleTags>(ctx, &caller.principal.account, input.role_name.as_deref())]
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<ListRoleTags>,
) -> Result<ListRoleTagsResponse, ApiError> {
    let (account, input) = (&call.caller().principal.account, call.input());
    let view = ctx.state.view();
    let role = lookup::role(&view, account, input.role_name.as_deref().unwrap_or_default())?;
    let tags = role.tags.clone();
    let page = page(&tags, |(key, _)| (*key).clone(), input.max_items, input.marker.as_deref())?;
    let is_truncated = page.is_truncated();
    let page = page.map(|(key, value)| tag::one(key, value));
    Ok(ListRoleTagsResponse { tags: Some(page.items), is_truncated, marker: page.marker })
}
