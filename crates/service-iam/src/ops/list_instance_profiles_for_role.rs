//! `ListInstanceProfilesForRole`: the instance profiles that have a role, by name.

use api_iam::ops::ListInstanceProfilesForRole;
use api_iam::types::{ListInstanceProfilesForRoleRequest, ListInstanceProfilesForRoleResponse};
use iam::InstanceProfile;
use policy::{Access, Authorized, Caller};
use state::Row;
use wire::ApiError;

use crate::page::page;
use crate::{IamContext, instance_profile, lookup, render, role};

pub(crate) fn accesses(
    ctx: &IamContext,
    caller: &Caller,
    input: &ListInstanceProfilesForRoleRequest,
) -> Vec<Access> {
    vec![role::on::<ListInstanceProfilesForRole>(
        ctx,
        &caller.principal.account,
        input.role_name.as_deref(),
    )]
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<ListInstanceProfilesForRole>,
) -> Result<ListInstanceProfilesForRoleResponse, ApiError> {
    let (account, input) = (&call.caller().principal.account, call.input());
    let view = ctx.state.view();
    let role = lookup::role(&view, account, input.role_name.as_deref().unwrap_or_default())?;
    let profiles = instance_profile::with_role(&view, account, &role.name);
    let key = |profile: &&Row<InstanceProfile>| profile.name.to_ascii_lowercase();
    let page = page(profiles, key, input.max_items, input.marker.as_deref())?;
    let is_truncated = page.is_truncated();
    let page = page.map(|profile| render::instance_profile::listed(&view, profile));
    Ok(ListInstanceProfilesForRoleResponse {
        instance_profiles: Some(page.items),
        is_truncated,
        marker: page.marker,
    })
}
