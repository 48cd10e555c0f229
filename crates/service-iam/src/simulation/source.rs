//! Whose policies are simulated.

use std::collections::BTreeMap;

use api_iam::types::{
    AttachmentType, InlinePolicyIdentifierType, PolicyIdentifier, PolicyIdentifierPolicyType,
};
use base::AccountId;
use iam::{Group, Role, User};
use identity::{Policies, principal_of_role_session, principal_of_user};
use policy::{NamedPolicy, Permissions, PolicyKind, Principal, PrincipalKind};
use state::View;
use wire::ApiError;

use crate::error::{invalid_input, no_such_entity};
use crate::holder::Holder;
use crate::name::parse_arn;

/// A user, group or role.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Source<'a> {
    /// With the policies of its groups.
    User(&'a User),
    /// By itself.
    Group(&'a Group),
    /// A session of it.
    Role(&'a Role),
}

impl<'a> Source<'a> {
    /// The user, group or role of this ARN.
    ///
    /// # Errors
    /// `InvalidInput` for other ARNs, `NoSuchEntity` when there is none.
    pub(crate) fn find(view: &'a View, account: &AccountId, arn: &str) -> Result<Self, ApiError> {
        let identities = view.identities();
        let key = |kind: &str| {
            let parsed = parse_arn(arn, kind).filter(|parsed| parsed.is_of(account))?;
            Some(iam::key(account, parsed.name))
        };
        let (kind, found, found_arn) = if let Some(key) = key("user") {
            let user = identities.user(&key);
            ("user", user.map(|user| Self::User(user)), user.map(|user| user.arn()))
        } else if let Some(key) = key("group") {
            let group = identities.group(&key);
            ("group", group.map(|group| Self::Group(group)), group.map(|group| group.arn()))
        } else if let Some(key) = key("role") {
            let role = identities.role(&key);
            ("role", role.map(|role| Self::Role(role)), role.map(|role| role.arn()))
        } else {
            return Err(invalid_input(format!(
                "Invalid Entity Arn: {arn} does not clearly define entity type and name."
            )));
        };
        let found = found.filter(|_| found_arn.as_deref() == Some(arn));
        found.ok_or_else(|| {
            let name = arn.rsplit('/').next().unwrap_or(arn);
            no_such_entity(format!("The {kind} with name {name} cannot be found."))
        })
    }

    /// Whether it is a user.
    pub(crate) const fn is_user(&self) -> bool {
        matches!(self, Self::User(_))
    }

    /// Who acts.
    pub(crate) fn principal(&self) -> Principal {
        match self {
            Self::User(user) => principal_of_user(user),
            Self::Role(role) => principal_of_role_session(role, &role.name, &BTreeMap::new()),
            Self::Group(group) => Principal {
                account: group.account.clone(),
                arn: group.arn(),
                user_id: group.id.clone(),
                kind: PrincipalKind::User { name: group.name.clone() },
                tags: BTreeMap::new(),
            },
        }
    }

    /// Its identity policies, inline ones named `user/ann/deploy`.
    pub(crate) fn policies(&self, policies: &Policies, view: &View) -> Vec<NamedPolicy> {
        match self {
            Self::User(user) => {
                let mut all = held_by(policies, view, *user);
                let groups = user
                    .groups
                    .iter()
                    .filter_map(|name| view.identities().group(&iam::key(&user.account, name)));
                all.extend(groups.flat_map(|group| held_by(policies, view, &**group)));
                all
            }
            Self::Group(group) => held_by(policies, view, *group),
            Self::Role(role) => held_by(policies, view, *role),
        }
    }

    /// All policies that apply to it.
    pub(crate) fn permissions(&self, policies: &Policies, view: &View) -> Permissions {
        let all = match self {
            Self::User(user) => policies.permissions_of_user(view, &user.account, &user.name),
            Self::Role(role) => Some(policies.permissions_of_role(view, role)),
            Self::Group(group) => Some(policies.permissions_of_root(view, &group.account)),
        };
        Permissions { identity: self.policies(policies, view), ..all.unwrap_or_default() }
    }
}

fn held_by<T: Holder>(policies: &Policies, view: &View, holder: &T) -> Vec<NamedPolicy> {
    let inline = holder.inline().iter().map(|(name, text)| {
        let name = format!("{}/{}/{name}", T::KIND, holder.name());
        policies.named(PolicyKind::Identity, &name, text)
    });
    inline.chain(holder.attached().iter().map(|arn| policies.managed(view, arn))).collect()
}

/// Leaves out the policies that are not to be simulated.
pub(crate) fn exclude(permissions: &mut Permissions, excluded: &[PolicyIdentifier]) {
    for identifier in excluded {
        match identifier {
            PolicyIdentifier::PolicyArn(arn) => {
                permissions.identity.retain(|policy| *policy.name != **arn);
            }
            PolicyIdentifier::InlinePolicyIdentifier(inline) => {
                let name = inline_name(inline);
                permissions.identity.retain(|policy| !policy.name.eq_ignore_ascii_case(&name));
            }
            PolicyIdentifier::PolicyType(kind) => exclude_kind(permissions, kind),
        }
    }
}

fn inline_name(inline: &InlinePolicyIdentifierType) -> String {
    let holder = inline.attachment_type.as_ref().map_or("", AttachmentType::as_str);
    let name = inline.attachment_name.as_deref().unwrap_or_default();
    format!("{holder}/{name}/{}", inline.policy_name.as_deref().unwrap_or_default())
}

fn exclude_kind(permissions: &mut Permissions, kind: &PolicyIdentifierPolicyType) {
    let is_managed = |policy: &NamedPolicy| policy.name.starts_with("arn:");
    let is_of_aws = |policy: &NamedPolicy| policy.name.starts_with("arn:aws:iam::aws:");
    let identity = &mut permissions.identity;
    match kind {
        PolicyIdentifierPolicyType::Inline => identity.retain(is_managed),
        PolicyIdentifierPolicyType::AwsManaged => identity.retain(|policy| !is_of_aws(policy)),
        PolicyIdentifierPolicyType::UserManaged => {
            identity.retain(|policy| is_of_aws(policy) || !is_managed(policy));
        }
        PolicyIdentifierPolicyType::PermissionBoundary => permissions.boundary = None,
        PolicyIdentifierPolicyType::Scp => permissions.service_control.clear(),
        // There are none here.
        PolicyIdentifierPolicyType::Rcp | PolicyIdentifierPolicyType::Unrecognized(_) => {}
    }
}

/// The user that a simulation is said to be of; it need not be there.
///
/// # Errors
/// `InvalidInput` when it is no user's ARN.
pub(crate) fn simulated_user(
    view: &View,
    account: &AccountId,
    arn: &str,
) -> Result<Principal, ApiError> {
    let invalid = || invalid_input(format!("Invalid caller: {arn} is not the ARN of a user."));
    if let Ok(source) = Source::find(view, account, arn) {
        return if source.is_user() { Ok(source.principal()) } else { Err(invalid()) };
    }
    let parsed = parse_arn(arn, "user").ok_or_else(invalid)?;
    Ok(Principal {
        account: parsed.account.parse().map_err(|_| invalid())?,
        arn: arn.to_owned(),
        user_id: String::new(),
        kind: PrincipalKind::User { name: parsed.name.to_owned() },
        tags: BTreeMap::new(),
    })
}
