//! `ListUsers`: the users of the account.

use api_iam::ops::ListUsers;
use api_iam::types::{ListUsersRequest, ListUsersResponse};
use iam::User;
use policy::{Access, Authorized, Caller};
use state::Row;
use wire::ApiError;

use crate::page::page;
use crate::{IamContext, access, name, render};

pub(crate) fn accesses(
    _ctx: &IamContext,
    caller: &Caller,
    input: &ListUsersRequest,
) -> Vec<Access> {
    vec![access::on_all::<ListUsers>(
        &caller.principal.account,
        "user",
        input.path_prefix.as_deref(),
    )]
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<ListUsers>,
) -> Result<ListUsersResponse, ApiError> {
    let (caller, input) = call.into_parts();
    let account = &caller.principal.account;
    let view = ctx.state.view();
    let prefix = input.path_prefix.as_deref();
    let users = view.identities().users();
    let users =
        users.filter(|user| user.account == *account && name::has_prefix(&user.path, prefix));
    let key = |user: &&Row<User>| user.name.to_ascii_lowercase();
    let page = page(users, key, input.max_items, input.marker.as_deref())?
        .map(|user| render::user::listed(user));
    Ok(ListUsersResponse {
        is_truncated: page.is_truncated(),
        users: Some(page.items),
        marker: page.marker,
    })
}
