//! `ListInstanceProfiles`: the instance profiles below a path, by name.

use api_iam::ops::ListInstanceProfiles;
use api_iam::types::{ListInstanceProfilesRequest, ListInstanceProfilesResponse};
use iam::InstanceProfile;
use policy::{Access, Authorized, Caller};
use state::Row;
use wire::ApiError;

use crate::page::page;
use crate::{IamContext, access, name, render};

pub(crate) fn accesses(
    _ctx: &IamContext,
    caller: &Caller,
    input: &ListInstanceProfilesRequest,
) -> Vec<Access> {
    let prefix = input.path_prefix.as_deref();
    vec![access::on_all::<ListInstanceProfiles>(
        &caller.principal.account,
        "instance-profile",
        prefix,
    )]
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<ListInstanceProfiles>,
) -> Result<ListInstanceProfilesResponse, ApiError> {
    let (account, input) = (&call.caller().principal.account, call.input());
    let view = ctx.state.view();
    let prefix = input.path_prefix.as_deref();
    let profiles = view
        .identities()
        .instance_profiles()
        .filter(|profile| profile.account == *account && name::has_prefix(&profile.path, prefix));
    let key = |profile: &&Row<InstanceProfile>| profile.name.to_ascii_lowercase();
    let page = page(profiles, key, input.max_items, input.marker.as_deref())?;
    let is_truncated = page.is_truncated();
    let page = page.map(|profile| render::instance_profile::listed(&view, profile));
    Ok(ListInstanceProfilesResponse {
        instance_profiles: Some(page.items),
        is_truncated,
        marker: page.marker,
    })
}
