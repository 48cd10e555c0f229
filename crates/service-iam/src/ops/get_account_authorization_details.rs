//! `GetAccountAuthorizationDetails`: users, groups, roles and policies, and how they hang together.

use std::collections::BTreeMap;

use api_iam::ops::GetAccountAuthorizationDetails;
use api_iam::types::{
    EntityType, GetAccountAuthorizationDetailsRequest, GetAccountAuthorizationDetailsResponse,
};
use base::AccountId;
use iam::{Group, Role, User};
use identity::aws_managed;
use policy::{Access, Authorized, Caller};
use state::{Row, View};
use wire::ApiError;

use crate::managed::{Managed, Uses};
use crate::page::page;
use crate::{IamContext, managed, render};

pub(crate) fn accesses(
    _ctx: &IamContext,
    _caller: &Caller,
    _input: &GetAccountAuthorizationDetailsRequest,
) -> Vec<Access> {
    vec![Access::of::<GetAccountAuthorizationDetails>("*")]
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<GetAccountAuthorizationDetails>,
) -> Result<GetAccountAuthorizationDetailsResponse, ApiError> {
    let (account, input) = (&call.caller().principal.account, call.input());
    let view = ctx.state.view();
    let uses = managed::uses(&view, account);
    let asked = input.filter.as_deref().unwrap_or_default();
    let entities = entities(&view, account, &uses)
        .filter(|entity| asked.is_empty() || asked.contains(&entity.kind()));
    let page = page(entities, Entity::key, input.max_items, input.marker.as_deref())?;
    let is_truncated = page.is_truncated();
    let (mut users, mut groups) = (Vec::new(), Vec::new());
    let (mut roles, mut policies) = (Vec::new(), Vec::new());
    for entity in page.items {
        match entity {
            Entity::User(user) => users.push(render::user::detail(user)),
            Entity::Group(group) => groups.push(render::group::detail(group)),
            Entity::Role(role) => {
                let last_use = ctx.usage.principal(&role.arn());
                roles.push(render::role::detail(&view, role, last_use));
            }
            Entity::Policy(policy) => {
                let uses = uses.get(&policy.arn()).copied().unwrap_or_default();
                policies.push(render::policy::detail(policy, uses));
            }
        }
    }
    Ok(GetAccountAuthorizationDetailsResponse {
        user_detail_list: Some(users),
        group_detail_list: Some(groups),
        role_detail_list: Some(roles),
        policies: Some(policies),
        is_truncated,
        marker: page.marker,
    })
}

/// What the answer is made of.
enum Entity<'a> {
    User(&'a Row<User>),
    Group(&'a Row<Group>),
    Role(&'a Row<Role>),
    Policy(Managed<'a>),
}

impl Entity<'_> {
    /// What filters call it.
    const fn kind(&self) -> EntityType {
        match self {
            Self::User(_) => EntityType::User,
            Self::Group(_) => EntityType::Group,
            Self::Role(_) => EntityType::Role,
            Self::Policy(Managed::Own(_)) => EntityType::LocalManagedPolicy,
            Self::Policy(Managed::Aws(_)) => EntityType::AwsManagedPolicy,
        }
    }

    /// Its place in the list: users, groups, roles, the account's policies, those of AWS.
    fn key(&self) -> String {
        match self {
            Self::User(user) => format!("1/{}", user.name.to_ascii_lowercase()),
            Self::Group(group) => format!("2/{}", group.name.to_ascii_lowercase()),
            Self::Role(role) => format!("3/{}", role.name.to_ascii_lowercase()),
            Self::Policy(Managed::Own(policy)) => {
                format!("4/{}", policy.name.to_ascii_lowercase())
            }
            Self::Policy(Managed::Aws(policy)) => format!("5/{}", policy.arn),
        }
    }
}

/// Everything of the account, in the order of keys, and the policies of AWS that it uses.
fn entities<'a>(
    view: &'a View,
    account: &'a AccountId,
    uses: &'a BTreeMap<String, Uses>,
) -> impl Iterator<Item = Entity<'a>> {
    let identities = view.identities();
    let users = identities.users().filter(|user| user.account == *account);
    let groups = identities.groups().filter(|group| group.account == *account);
    let roles = identities.roles().filter(|role| role.account == *account);
    let own = identities.managed_policies().filter(|policy| policy.account == *account);
    let aws = uses.keys().filter_map(|arn| aws_managed::find(arn));
    users
        .map(Entity::User)
        .chain(groups.map(Entity::Group))
        .chain(roles.map(Entity::Role))
        .chain(own.map(|policy| Entity::Policy(Managed::Own(policy))))
        .chain(aws.map(|policy| Entity::Policy(Managed::Aws(policy))))
}
