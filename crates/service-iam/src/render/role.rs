//! Roles.

use api_iam::types;
use base::Timestamp;
use iam::Role;
use identity::LastUse;
use state::View;

use crate::render::{boundary, instance_profile};
use crate::{document, holder, tag};

/// A role as lists have it: without tags, boundary and last use.
pub(crate) fn listed(role: &Role) -> types::Role {
    types::Role {
        path: Some(role.path.clone()),
        role_name: Some(role.name.clone()),
        role_id: Some(role.id.clone()),
        arn: Some(role.arn()),
        create_date: Some(role.created_at),
        assume_role_policy_document: Some(document::render(&role.trust_policy)),
        description: role.description.clone(),
        max_session_duration: i32::try_from(role.max_session_duration_s).ok(),
        ..types::Role::default()
    }
}

/// A role with everything but its last use.
pub(crate) fn made(role: &Role) -> types::Role {
    types::Role {
        permissions_boundary: boundary(role.permissions_boundary.as_deref()),
        tags: tag::render_some(&role.tags),
        ..listed(role)
    }
}

/// A role with everything.
pub(crate) fn whole(role: &Role, last_use: Option<LastUse>) -> types::Role {
    types::Role { role_last_used: Some(last_used(last_use)), ..made(role) }
}

/// When a role was last used; without members when it never was.
pub(crate) fn last_used(last_use: Option<LastUse>) -> types::RoleLastUsed {
    last_use.map_or_else(types::RoleLastUsed::default, |last_use| types::RoleLastUsed {
        last_used_date: Some(whole_seconds(last_use.at)),
        region: Some(last_use.region),
    })
}

/// IAM tells times in whole seconds.
pub(crate) fn whole_seconds(time: Timestamp) -> Timestamp {
    let ms = time.as_epoch_ms();
    Timestamp::from_epoch_ms(ms - ms.rem_euclid(1000))
}

/// A role as `GetAccountAuthorizationDetails` has it.
pub(crate) fn detail(view: &View, role: &Role, last_use: Option<LastUse>) -> types::RoleDetail {
    let profiles = view.identities().instance_profiles().filter(|profile| {
        profile.account == role.account
            && profile.role.as_ref().is_some_and(|name| name.eq_ignore_ascii_case(&role.name))
    });
    types::RoleDetail {
        path: Some(role.path.clone()),
        role_name: Some(role.name.clone()),
        role_id: Some(role.id.clone()),
        arn: Some(role.arn()),
        create_date: Some(role.created_at),
        assume_role_policy_document: Some(document::render(&role.trust_policy)),
        instance_profile_list: Some(
            profiles.map(|profile| instance_profile::listed(view, profile)).collect(),
        ),
        role_policy_list: Some(holder::inline_details(role)),
        attached_managed_policies: Some(holder::attached(role)),
        permissions_boundary: boundary(role.permissions_boundary.as_deref()),
        tags: Some(tag::render(&role.tags)),
        role_last_used: Some(last_used(last_use)),
    }
}
