//! `ListRoles`: the roles below a path, by name.

use api_iam::ops::ListRoles;
use api_iam::types::{ListRolesRequest, ListRolesResponse};
use iam::Role;
use policy::{Access, Authorized, Caller};
use state::Row;
use wire::ApiError;

use crate::page::page;
use crate::{IamContext, access, name, render};

pub(crate) fn accesses(
    _ctx: &IamContext,
    caller: &Caller,
    input: &ListRolesRequest,
) -> Vec<Access> {
    vec![access::on_all::<ListRoles>(
        &caller.principal.account,
        "role",
        input.path_prefix.as_deref(),
    )]
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<ListRoles>,
) -> Result<ListRolesResponse, ApiError> {
    let (account, input) = (&call.caller().principal.account, call.input());
    let view = ctx.state.view();
    let prefix = input.path_prefix.as_deref();
    let roles = view
        .identities()
        .roles()
        .filter(|role| role.account == *account && name::has_prefix(&role.path, prefix));
    let key = |role: &&Row<Role>| role.name.to_ascii_lowercase();
    let page = page(roles, key, input.max_items, input.marker.as_deref())?;
    let is_truncated = page.is_truncated();
    let page = page.map(|role| render::role::listed(role));
    Ok(ListRolesResponse { roles: Some(page.items), is_truncated, marker: page.marker })
}
