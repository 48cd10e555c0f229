//! `GetGroup`: a group and its users.

use api_iam::ops::GetGroup;
use api_iam::types::{GetGroupRequest, GetGroupResponse};
use iam::User;
use policy::{Access, Authorized, Caller};
use state::Row;
use wire::ApiError;

use crate::page::page;
use crate::{IamContext, access, lookup, render};

pub(crate) fn accesses(ctx: &IamContext, caller: &Caller, input: &GetGroupRequest) -> Vec<Access> {
    vec![access::on_group::<GetGroup>(ctx, &caller.principal.account, input.group_name.as_deref())]
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<GetGroup>,
) -> Result<GetGroupResponse, ApiError> {
    let (caller, input) = call.into_parts();
    let account = &caller.principal.account;
    let view = ctx.state.view();
    let group = lookup::group(&view, account, input.group_name.as_deref().unwrap_or_default())?;
    let key = |user: &&Row<User>| user.name.to_ascii_lowercase();
    let page =
        page(lookup::members_of(&view, group), key, input.max_items, input.marker.as_deref())?
            .map(|user| render::user::listed(user));
    Ok(GetGroupResponse {
        group: Some(render::group::group(group)),
        is_truncated: page.is_truncated(),
        users: Some(page.items),
        marker: page.marker,
    })
}
