//! `ListGroupsForUser`: the groups that a user is in.

use api_iam::ops::ListGroupsForUser;
use api_iam::types::{ListGroupsForUserRequest, ListGroupsForUserResponse};
use iam::Group;
use policy::{Access, Authorized, Caller};
use state::Row;
use wire::ApiError;

use crate::page::page;
use crate::{IamContext, access, lookup, render};

pub(crate) fn accesses(
    ctx: &IamContext,
    caller: &Caller,
    input: &ListGroupsForUserRequest,
) -> Vec<Access> {
    vec![access::on_user::<ListGroupsForUser>(
        ctx,
        &caller.principal.account,
        input.user_name.as_deref(),
    )]
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<ListGroupsForUser>,
) -> Result<ListGroupsForUserResponse, ApiError> {
    let (caller, input) = call.into_parts();
    let account = &caller.principal.account;
    let view = ctx.state.view();
    let user = lookup::user(&view, account, input.user_name.as_deref().unwrap_or_default())?;
    let groups = user.groups.iter();
    let groups = groups.filter_map(|name| view.identities().group(&iam::key(account, name)));
    let key = |group: &&Row<Group>| group.name.clone();
    let page = page(groups, key, input.max_items, input.marker.as_deref())?
        .map(|group| render::group::group(group));
    Ok(ListGroupsForUserResponse {
        is_truncated: page.is_truncated(),
        groups: Some(page.items),
        marker: page.marker,
    })
}
