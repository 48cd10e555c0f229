//! `ListGroups`: the groups of the account.

use api_iam::ops::ListGroups;
use api_iam::types::{ListGroupsRequest, ListGroupsResponse};
use iam::Group;
use policy::{Access, Authorized, Caller};
use state::Row;
use wire::ApiError;

use crate::page::page;
use crate::{IamContext, access, name, render};

pub(crate) fn accesses(
    _ctx: &IamContext,
    caller: &Caller,
    input: &ListGroupsRequest,
) -> Vec<Access> {
    vec![access::on_all::<ListGroups>(
        &caller.principal.account,
        "group",
        input.path_prefix.as_deref(),
    )]
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<ListGroups>,
) -> Result<ListGroupsResponse, ApiError> {
    let (caller, input) = call.into_parts();
    let account = &caller.principal.account;
    let view = ctx.state.view();
    let prefix = input.path_prefix.as_deref();
    let groups = view.identities().groups();
    let groups =
        groups.filter(|group| group.account == *account && name::has_prefix(&group.path, prefix));
    let key = |group: &&Row<Group>| group.name.to_ascii_lowercase();
    let page = page(groups, key, input.max_items, input.marker.as_deref())?
        .map(|group| render::group::group(group));
    Ok(ListGroupsResponse {
        is_truncated: page.is_truncated(),
        groups: Some(page.items),
        marker: page.marker,
    })
}
