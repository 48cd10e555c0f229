//! From records to the policies that apply to somebody.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use base::{AccountId, Arn, Region, Timestamp};
use iam::{Group, ManagedPolicy, Organization, Role, User};
use policy::{
    Access, Caller, Decision, Membership, NamedPolicy, Permissions, Policy, PolicyKind, Principal,
    PrincipalKind, decide,
};
use state::View;

use crate::{SessionSpec, aws_managed};

/// How many documents are kept read.
const MAX_READ: usize = 4096;
/// How deep units of an organisation may nest; AWS allows five.
const MAX_DEPTH: usize = 16;

/// Stands in for a policy that cannot be read.
const DENIES_ALL: &str = r#"{"Version": "2012-10-17", "Statement":
    [{"Sid": "ThePolicyCannotBeRead", "Effect": "Deny", "Action": "*", "Resource": "*"}]}"#;
/// Stands in for the trust policy of a role that is not there or whose own cannot be read: a policy
/// that is like any other and trusts nobody.
const TRUSTS_NOBODY: &str = r#"{"Version": "2012-10-17", "Statement":
    [{"Effect": "Allow", "Principal": {"Service": "nobody.amazonaws.com"}, "Action": "sts:AssumeRole"}]}"#;

/// The policies that apply to users, roles and sessions, built from a view. Documents are read once
/// and kept while they are in use, at most 4,096 of them.
///
/// It fails closed: a policy that cannot be read, or that is attached and not there, denies
/// everything, and the log says so.
pub struct Policies {
    denies_all: Arc<Policy>,
    trusts_nobody: Arc<Policy>,
    read: RwLock<Read>,
}

#[derive(Default)]
struct Read {
    by_text: BTreeMap<(u8, Arc<str>), Arc<Policy>>,
    by_age: VecDeque<(u8, Arc<str>)>,
}

/// The policies that stand in for others cannot be read: a defect of the program.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the built-in policies cannot be read: this is a defect of the program")]
pub struct BuiltInPolicyError;

impl Policies {
    /// Nothing read yet.
    ///
    /// # Errors
    /// [`BuiltInPolicyError`].
    pub fn new() -> Result<Self, BuiltInPolicyError> {
        let read = |text, kind| Policy::parse(text, kind).map_err(|_| BuiltInPolicyError);
        Ok(Self {
            denies_all: Arc::new(read(DENIES_ALL, PolicyKind::Identity)?),
            trusts_nobody: Arc::new(read(TRUSTS_NOBODY, PolicyKind::Trust)?),
            read: RwLock::default(),
        })
    }

    /// What applies to the user `name` of `account`; `None` when there is no such user.
    pub fn permissions_of_user(
        &self,
        view: &View,
        account: &AccountId,
        name: &str,
    ) -> Option<Permissions> {
        let user = view.identities().user(&iam::key(account, name))?;
        let mut identity = self.inline(&user.inline_policies);
        identity.extend(self.attached(view, &user.attached_policies));
        for name in &user.groups {
            match view.identities().group(&iam::key(account, name)) {
                Some(group) => identity.extend(self.policies_of_group(view, group)),
                None => identity.push(self.missing(&format!("group {name} of {}", user.arn()))),
            }
        }
        let boundary = user.permissions_boundary.as_deref();
        Some(self.permissions(view, account, identity, boundary))
    }

    /// What applies to sessions of `role`, before session policies.
    pub fn permissions_of_role(&self, view: &View, role: &Role) -> Permissions {
        let mut identity = self.inline(&role.inline_policies);
        identity.extend(self.attached(view, &role.attached_policies));
        self.permissions(view, &role.account, identity, role.permissions_boundary.as_deref())
    }

    /// What applies to the root of `account`: service control policies only.
    pub fn permissions_of_root(&self, view: &View, account: &AccountId) -> Permissions {
        self.permissions(view, account, Vec::new(), None)
    }

    /// The policies of a group, inline and attached.
    pub fn policies_of_group(&self, view: &View, group: &Group) -> Vec<NamedPolicy> {
        let mut policies = self.inline(&group.inline_policies);
        policies.extend(self.attached(view, &group.attached_policies));
        policies
    }

    /// The session policies of `spec`; `None` when it was made with none.
    pub fn session_policies(&self, view: &View, spec: &SessionSpec) -> Option<Vec<NamedPolicy>> {
        if spec.policy.is_none() && spec.policy_arns.is_empty() {
            return None;
        }
        let inline = spec.policy.as_deref();
        let inline = inline.map(|text| self.named(PolicyKind::Identity, "SessionPolicy", text));
        let managed = spec.policy_arns.iter().map(|arn| self.managed(view, arn));
        Some(inline.into_iter().chain(managed).collect())
    }

    /// Who may assume `role`; for no role, or one whose policy cannot be read, a policy that trusts
    /// nobody.
    pub fn trust_policy(&self, role: Option<&Role>) -> Arc<Policy> {
        let Some(role) = role else { return Arc::clone(&self.trusts_nobody) };
        let read = self.read(PolicyKind::Trust, &role.trust_policy);
        read.unwrap_or_else(|| {
            tracing::error!(
                role = role.arn(),
                "the trust policy cannot be read: nobody is trusted"
            );
            Arc::clone(&self.trusts_nobody)
        })
    }

    /// Whether the service whose principal is `service` (`ecs-tasks.amazonaws.com`) may assume `role`.
    /// `source_arn` is what it does so for, `aws:SourceArn`.
    pub fn may_service_assume(
        &self,
        role: &Role,
        service: &str,
        source_arn: Option<&str>,
        region: Region,
        time: Timestamp,
    ) -> Decision {
        let caller = caller_for_service(service, role.account.clone(), region, time);
        let mut access = Access::new("sts:AssumeRole", role.arn())
            .with_resource_policy(self.trust_policy(Some(role)), true)
            .with_key("aws:SourceAccount", role.account.as_str());
        if let Some(arn) = source_arn {
            access = access.with_key("aws:SourceArn", arn);
        }
        decide(&caller, &access)
    }

    /// A policy for decisions; one that denies everything when the text cannot be read. `name` is the ARN or
    /// the name that decisions are explained with.
    pub fn named(&self, kind: PolicyKind, name: &str, text: &str) -> NamedPolicy {
        let policy = self.read(kind, text).unwrap_or_else(|| {
            tracing::error!(policy = name, "the policy cannot be read: it denies everything");
            Arc::clone(&self.denies_all)
        });
        NamedPolicy { name: name.into(), policy }
    }

    /// The managed policy with this ARN, of a customer or of AWS; one that denies everything when there
    /// is none.
    pub fn managed(&self, view: &View, arn: &str) -> NamedPolicy {
        match managed_document(view, arn) {
            Some(text) => self.named(PolicyKind::Identity, arn, &text),
            None => self.missing(arn),
        }
    }

    fn permissions(
        &self,
        view: &View,
        account: &AccountId,
        identity: Vec<NamedPolicy>,
        boundary: Option<&str>,
    ) -> Permissions {
        let (service_control, organization) = self.organization(view, account);
        Permissions {
            identity,
            boundary: boundary.map(|arn| self.managed(view, arn)),
            session: None,
            service_control,
            organization,
        }
    }

    fn inline(&self, policies: &BTreeMap<String, String>) -> Vec<NamedPolicy> {
        let read = policies.iter().map(|(name, text)| self.named(PolicyKind::Identity, name, text));
        read.collect()
    }

    fn attached(&self, view: &View, arns: &BTreeSet<String>) -> Vec<NamedPolicy> {
        arns.iter().map(|arn| self.managed(view, arn)).collect()
    }

    /// What is attached and not there: it may have been a denial.
    fn missing(&self, name: &str) -> NamedPolicy {
        tracing::error!(policy = name, "what is attached is not there: it denies everything");
        NamedPolicy { name: name.into(), policy: Arc::clone(&self.denies_all) }
    }

    /// The service control policies of each level and the account's place.
    fn organization(
        &self,
        view: &View,
        account: &AccountId,
    ) -> (Vec<Vec<NamedPolicy>>, Option<Arc<Membership>>) {
        let identities = view.identities();
        let organization = identities.organization();
        let member = identities.account(account.as_str());
        let (Some(organization), Some(member)) = (organization, member) else {
            return (Vec::new(), None);
        };
        let Some(units) = units_above(view, organization, &member.parent_id) else {
            tracing::error!(%account, "the account is nowhere in the organisation: it may do nothing");
            return (vec![Vec::new()], None);
        };
        let mut path = format!("{}/", organization.id);
        path.extend(units.iter().flat_map(|unit| [unit, "/"]));
        let membership = Membership { organization_id: organization.id.clone(), path };
        let exempt = organization.management_account == *account;
        let levels = if organization.service_control_policies && !exempt {
            let targets = units.iter().map(String::as_str).chain([account.as_str()]);
            targets.map(|target| self.service_control_policies(view, target)).collect()
        } else {
            Vec::new()
        };
        (levels, Some(Arc::new(membership)))
    }

    fn service_control_policies(&self, view: &View, target: &str) -> Vec<NamedPolicy> {
        let all = view.identities().service_control_policies();
        all.filter(|policy| policy.targets.contains(target))
            .map(|policy| self.named(PolicyKind::ServiceControl, &policy.id, &policy.content))
            .collect()
    }

    fn read(&self, kind: PolicyKind, text: &str) -> Option<Arc<Policy>> {
        let key = (number_of(kind), Arc::<str>::from(text));
        {
            let read = self.read.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(policy) = read.by_text.get(&key) {
                return Some(Arc::clone(policy));
            }
        }
        let policy = Arc::new(Policy::parse(text, kind).ok()?);
        let mut read = self.read.write().unwrap_or_else(PoisonError::into_inner);
        if read.by_text.insert(key.clone(), Arc::clone(&policy)).is_none() {
            read.by_age.push_back(key);
        }
        if read.by_age.len() > MAX_READ
            && let Some(oldest) = read.by_age.pop_front()
        {
            read.by_text.remove(&oldest);
        }
        Some(policy)
    }
}

impl fmt::Debug for Policies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Policies")
    }
}

/// The text in force of the managed policy with this ARN.
pub fn managed_document(view: &View, arn: &str) -> Option<String> {
    if let Some(policy) = aws_managed::find(arn) {
        return Some(policy.document.to_owned());
    }
    let policy = managed_policy(view, arn)?;
    policy.versions.get(&policy.default_version).map(|version| version.document.clone())
}

/// The customer's managed policy with this ARN.
pub fn managed_policy<'a>(view: &'a View, arn: &str) -> Option<&'a ManagedPolicy> {
    let parsed: Arn = arn.parse().ok()?;
    let account: AccountId = parsed.account.parse().ok()?;
    let (_, name) = arn.rsplit_once('/')?;
    let policy = view.identities().managed_policy(&iam::key(&account, name))?;
    (policy.arn() == arn).then_some(&**policy)
}

/// The role with this ARN.
pub fn role_of_arn<'a>(view: &'a View, arn: &str) -> Option<&'a Role> {
    let parsed: Arn = arn.parse().ok()?;
    let account: AccountId = parsed.account.parse().ok()?;
    let (_, name) = arn.rsplit_once('/')?;
    let role = view.identities().role(&iam::key(&account, name))?;
    (role.arn() == arn).then_some(&**role)
}

/// A user as a principal.
pub fn principal_of_user(user: &User) -> Principal {
    Principal {
        account: user.account.clone(),
        arn: user.arn(),
        user_id: user.id.clone(),
        kind: PrincipalKind::User { name: user.name.clone() },
        tags: user.tags.clone(),
    }
}

/// A session of a role as a principal; `tags` are those of the session.
pub fn principal_of_role_session(
    role: &Role,
    session_name: &str,
    tags: &BTreeMap<String, String>,
) -> Principal {
    // Keys of tags are compared without regard to case: the session's take the place of the role's.
    let mut all = role.tags.clone();
    all.retain(|key, _| !tags.keys().any(|other| other.eq_ignore_ascii_case(key)));
    all.extend(tags.iter().map(|(key, value)| (key.clone(), value.clone())));
    Principal {
        account: role.account.clone(),
        arn: format!("arn:aws:sts::{}:assumed-role/{}/{session_name}", role.account, role.name),
        user_id: format!("{}:{session_name}", role.id),
        kind: PrincipalKind::AssumedRole {
            role_arn: role.arn(),
            role_name: role.name.clone(),
            session_name: session_name.to_owned(),
        },
        tags: all,
    }
}

/// A service acting by itself in `account`, as trust policies see it.
pub fn caller_for_service(
    service: &str,
    account: AccountId,
    region: Region,
    time: Timestamp,
) -> Caller {
    let principal = Principal {
        arn: service.to_owned(),
        user_id: service.to_owned(),
        kind: PrincipalKind::Service { name: service.to_owned() },
        tags: BTreeMap::new(),
        account: account.clone(),
    };
    Caller { principal: Arc::new(principal), ..Caller::root(account, region, time) }
}

/// The ids from the organisation's root down to `parent`; `None` when they do not lead there.
fn units_above(view: &View, organization: &Organization, parent: &str) -> Option<Vec<String>> {
    let mut units = vec![parent.to_owned()];
    while let Some(unit) = units.last().filter(|unit| **unit != organization.root_id) {
        if units.len() > MAX_DEPTH {
            return None;
        }
        units.push(view.identities().organizational_unit(unit)?.parent_id.clone());
    }
    units.reverse();
    Some(units)
}

const fn number_of(kind: PolicyKind) -> u8 {
    match kind {
        PolicyKind::Identity => 0,
        PolicyKind::Trust => 1,
        PolicyKind::Resource => 2,
        PolicyKind::ServiceControl => 3,
    }
}
