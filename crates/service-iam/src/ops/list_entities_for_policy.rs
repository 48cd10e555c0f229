//! `ListEntitiesForPolicy`: whom a managed policy is attached to, or bounds.

use std::collections::BTreeSet;

use api_iam::ops::ListEntitiesForPolicy;
use api_iam::types::{
    EntityType, ListEntitiesForPolicyRequest, ListEntitiesForPolicyResponse, PolicyGroup,
    PolicyRole, PolicyUsageType, PolicyUser,
};
use base::AccountId;
use iam::{Group, Role, User};
use policy::{Access, Authorized, Caller};
use state::Identities;
use wire::ApiError;

use crate::page::page;
use crate::{IamContext, managed, name};

pub(crate) fn accesses(
    ctx: &IamContext,
    caller: &Caller,
    input: &ListEntitiesForPolicyRequest,
) -> Vec<Access> {
    vec![managed::on::<ListEntitiesForPolicy>(
        ctx,
        &caller.principal.account,
        input.policy_arn.as_deref(),
    )]
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<ListEntitiesForPolicy>,
) -> Result<ListEntitiesForPolicyResponse, ApiError> {
    let (account, input) = (&call.caller().principal.account, call.input());
    let view = ctx.state.view();
    let arn = input.policy_arn.as_deref().unwrap_or_default();
    managed::find(&view, account, arn)?;
    let entities = entities(view.identities(), account, input);
    let page = page(entities, Entity::key, input.max_items, input.marker.as_deref())?;
    let mut answer = ListEntitiesForPolicyResponse {
        is_truncated: page.is_truncated(),
        marker: page.marker,
        policy_groups: Some(Vec::new()),
        policy_roles: Some(Vec::new()),
        policy_users: Some(Vec::new()),
    };
    for entity in page.items {
        match entity {
            Entity::Group(group) => {
                answer.policy_groups.get_or_insert_default().push(PolicyGroup {
                    group_name: Some(group.name.clone()),
                    group_id: Some(group.id.clone()),
                })
            }
            Entity::Role(role) => answer.policy_roles.get_or_insert_default().push(PolicyRole {
                role_name: Some(role.name.clone()),
                role_id: Some(role.id.clone()),
            }),
            Entity::User(user) => answer.policy_users.get_or_insert_default().push(PolicyUser {
                user_name: Some(user.name.clone()),
                user_id: Some(user.id.clone()),
            }),
        }
    }
    Ok(answer)
}

/// Somebody that has a policy.
enum Entity<'a> {
    Group(&'a Group),
    Role(&'a Role),
    User(&'a User),
}

impl Entity<'_> {
    fn key(&self) -> String {
        let (kind, name) = match self {
            Self::Group(group) => ("group", &group.name),
            Self::Role(role) => ("role", &role.name),
            Self::User(user) => ("user", &user.name),
        };
        format!("{kind}/{}", name.to_ascii_lowercase())
    }
}

/// Those that are asked for, in the order of their keys.
fn entities<'a>(
    identities: &'a Identities,
    account: &'a AccountId,
    input: &'a ListEntitiesForPolicyRequest,
) -> impl Iterator<Item = Entity<'a>> {
    let arn = input.policy_arn.as_deref().unwrap_or_default();
    let (as_policy, as_boundary) = match &input.policy_usage_filter {
        Some(PolicyUsageType::PermissionsPolicy) => (true, false),
        Some(PolicyUsageType::PermissionsBoundary) => (false, true),
        Some(PolicyUsageType::Unrecognized(_)) | None => (true, true),
    };
    let wants =
        |kind: EntityType| input.entity_filter.as_ref().is_none_or(|filter| *filter == kind);
    let (groups, roles, users) =
        (wants(EntityType::Group), wants(EntityType::Role), wants(EntityType::User));
    let is_below = |path: &str| name::has_prefix(path, input.path_prefix.as_deref());
    let has = move |attached: &BTreeSet<String>, boundary: Option<&str>| {
        as_policy && attached.contains(arn) || as_boundary && boundary == Some(arn)
    };
    let groups = identities.groups().filter(move |group| {
        groups
            && group.account == *account
            && is_below(&group.path)
            && has(&group.attached_policies, None)
    });
    let roles = identities.roles().filter(move |role| {
        roles
            && role.account == *account
            && is_below(&role.path)
            && has(&role.attached_policies, role.permissions_boundary.as_deref())
    });
    let users = identities.users().filter(move |user| {
        users
            && user.account == *account
            && is_below(&user.path)
            && has(&user.attached_policies, user.permissions_boundary.as_deref())
    });
    groups
        .map(|group| Entity::Group(group))
        .chain(roles.map(|role| Entity::Role(role)))
        .chain(users.map(|user| Entity::User(user)))
}
