//! From policies and one access to a decision.
//!
//! The order of AWS's documentation: a matching `Deny` anywhere ends it; then service control
//! policies must allow at every level; then the policy of the resource, the identity's, the boundary
//! and the session's are weighed against each other, in the same account or across two.

use std::sync::Arc;

use crate::context::Facts;
use crate::principals::Grant;
use crate::statement::{Effect, Statement};
use crate::{
    Access, Caller, Decision, NamedPolicy, Policy, PolicyType, PrincipalKind, StatementRef,
};

/// Decides one access of `caller`.
///
/// The work is bounded by the lengths of the policies, of the resource and of the values that they
/// are compared with: see [`crate::pattern_matches`].
pub fn decide(caller: &Caller, access: &Access) -> Decision {
    decide_on(&Facts::new(caller, access))
}

pub(crate) fn decide_on(facts: &Facts<'_>) -> Decision {
    let is_anonymous = facts.caller.principal.kind == PrincipalKind::Anonymous;
    if facts.action() == "sts:getcalleridentity" && !is_anonymous {
        return Decision::Allowed(None);
    }
    match Findings::gather(facts) {
        Ok(findings) => findings.decide(facts),
        Err(denial) => Decision::ExplicitlyDenied(denial),
    }
}

/// A statement that allows.
#[derive(Clone, Copy)]
struct Found<'a> {
    policy_type: PolicyType,
    /// `None`: the policy of the resource.
    policy: Option<&'a Arc<str>>,
    statement: &'a Statement,
}

impl Found<'_> {
    fn name(self, facts: &Facts<'_>) -> StatementRef {
        StatementRef {
            policy_type: self.policy_type,
            policy: self.policy.map_or_else(|| facts.access.resource.as_str().into(), Arc::clone),
            index: self.statement.index,
            sid: self.statement.sid.clone(),
        }
    }
}

/// What the policies of each kind say of an access that nothing denies. Of the kinds that need not
/// be there, `None` says that there is none, `Some(None)` that it does not allow.
struct Findings<'a> {
    allowed_by_service_control: bool,
    resource: Option<(Grant, Found<'a>)>,
    identity: Option<Found<'a>>,
    boundary: Option<Option<Found<'a>>>,
    session: Option<Option<Found<'a>>>,
}

/// The statement that denies, when it is an error.
type Undenied<T> = Result<T, StatementRef>;

impl<'a> Findings<'a> {
    fn gather(facts: &Facts<'a>) -> Undenied<Self> {
        let permissions = &*facts.caller.permissions;
        let allowed_by_service_control = by_service_control(facts)?;
        let resource = by_resource(facts)?;
        let identity = first_allow(facts, PolicyType::Identity, &permissions.identity)?;
        let boundary = permissions
            .boundary
            .as_ref()
            .map(|policy| first_allow(facts, PolicyType::Boundary, std::slice::from_ref(policy)))
            .transpose()?;
        let session = permissions
            .session
            .as_ref()
            .map(|policies| first_allow(facts, PolicyType::Session, policies))
            .transpose()?;
        Ok(Self { allowed_by_service_control, resource, identity, boundary, session })
    }

    fn decide(self, facts: &Facts<'_>) -> Decision {
        match facts.caller.principal.kind {
            // Neither has an identity that policies could be attached to.
            PrincipalKind::Service { .. } | PrincipalKind::Anonymous => match self.resource {
                Some((_, found)) => Decision::Allowed(Some(found.name(facts))),
                None => Decision::NotAllowed(PolicyType::Resource),
            },
            _ if !self.allowed_by_service_control => {
                Decision::NotAllowed(PolicyType::ServiceControl)
            }
            PrincipalKind::Root | PrincipalKind::User { .. } if is_beyond_session(facts) => {
                Decision::NotAllowed(PolicyType::Session)
            }
            PrincipalKind::Root => root(facts),
            PrincipalKind::User { .. } | PrincipalKind::AssumedRole { .. } => self.weigh(facts),
        }
    }

    /// Weighs the kinds against each other, for users and sessions.
    fn weigh(self, facts: &Facts<'_>) -> Decision {
        let elsewhere = is_elsewhere(facts);
        let is_required =
            facts.access.resource_policy.as_ref().is_some_and(|policy| policy.required);
        let by_identity = match self.resource {
            None if elsewhere || is_required => return Decision::NotAllowed(PolicyType::Resource),
            Some((Grant::Direct, found)) if !elsewhere => {
                return Decision::Allowed(Some(found.name(facts)));
            }
            Some((Grant::Role, found)) if !elsewhere => self.identity.or(Some(found)),
            Some(_) | None => self.identity,
        };
        let Some(found) = by_identity else {
            return Decision::NotAllowed(PolicyType::Identity);
        };
        if matches!(self.boundary, Some(None)) {
            return Decision::NotAllowed(PolicyType::Boundary);
        }
        if matches!(self.session, Some(None)) {
            return Decision::NotAllowed(PolicyType::Session);
        }
        Decision::Allowed(Some(found.name(facts)))
    }
}

/// An account's root may do everything in its account, but not become a role.
fn root(facts: &Facts<'_>) -> Decision {
    if is_elsewhere(facts) {
        Decision::NotAllowed(PolicyType::Resource)
    } else if facts.action() == "sts:assumerole" {
        Decision::NotAllowed(PolicyType::Identity)
    } else {
        Decision::Allowed(None)
    }
}

/// What a session of a user or root (`GetSessionToken`) is never for, whatever policies say: IAM
/// without a second factor, and of STS anything but becoming a role.
fn is_beyond_session(facts: &Facts<'_>) -> bool {
    let session = &facts.caller.session;
    let Some((service, name)) = facts.action_parts().filter(|_| session.issued_at.is_some()) else {
        return false;
    };
    match service {
        // Passing a role is part of a call to another service.
        "iam" => session.mfa_at.is_none() && name != "passrole",
        "sts" => {
            !matches!(name, "assumerole" | "getcalleridentity" | "setsourceidentity" | "tagsession")
        }
        _ => false,
    }
}

/// Whether the resource is in another account than the caller.
fn is_elsewhere(facts: &Facts<'_>) -> bool {
    let own = facts.caller.principal.account.as_str();
    facts.resource_account().is_some_and(|account| account != own)
}

/// The levels of service control policies that bind the caller: none bind services, or the roles
/// that services have in an account.
pub(crate) fn service_control_levels<'a>(facts: &Facts<'a>) -> &'a [Vec<NamedPolicy>] {
    let is_bound = match &facts.caller.principal.kind {
        PrincipalKind::Root | PrincipalKind::User { .. } => true,
        PrincipalKind::AssumedRole { role_arn, .. } => !is_service_linked(role_arn),
        PrincipalKind::Service { .. } | PrincipalKind::Anonymous => false,
    };
    if is_bound { &facts.caller.permissions.service_control } else { &[] }
}

/// Whether the role is one that a service has. Only the beginning of its path tells: a path may hold
/// colons, and so look like an ARN within the ARN.
fn is_service_linked(role_arn: &str) -> bool {
    let resource = role_arn.splitn(6, ':').nth(5);
    resource.is_some_and(|resource| resource.starts_with("role/aws-service-role/"))
}

/// Whether each level of service control policies allows.
fn by_service_control(facts: &Facts<'_>) -> Undenied<bool> {
    let mut allowed = true;
    for level in service_control_levels(facts) {
        allowed &= first_allow(facts, PolicyType::ServiceControl, level)?.is_some();
    }
    Ok(allowed)
}

/// The most direct grant of the resource's policy.
fn by_resource<'a>(facts: &Facts<'a>) -> Undenied<Option<(Grant, Found<'a>)>> {
    let mut best: Option<(Grant, Found<'a>)> = None;
    for (grant, statement) in resource_statements(facts) {
        let found = Found { policy_type: PolicyType::Resource, policy: None, statement };
        match statement.effect {
            Effect::Deny => return Err(found.name(facts)),
            Effect::Allow if best.is_none_or(|(other, _)| other < grant) => {
                best = Some((grant, found));
            }
            Effect::Allow => {}
        }
    }
    Ok(best)
}

/// The statements of the resource's policy that match the access and name the caller.
pub(crate) fn resource_statements<'a>(
    facts: &Facts<'a>,
) -> impl Iterator<Item = (Grant, &'a Statement)> {
    let policy = facts.access.resource_policy.as_ref().map(|resource| &*resource.policy);
    let caller = facts.caller;
    policy
        .map(Policy::statements)
        .unwrap_or_default()
        .iter()
        .filter_map(move |statement| {
            Some((statement.principals.as_ref()?.grant(caller)?, statement))
        })
        .filter(|(_, statement)| statement.matches(facts))
}

/// The first statement that allows, when none denies.
fn first_allow<'a>(
    facts: &Facts<'a>,
    policy_type: PolicyType,
    policies: &'a [NamedPolicy],
) -> Undenied<Option<Found<'a>>> {
    let mut first = None;
    for policy in policies {
        for statement in policy.policy.statements() {
            let is_needed = statement.effect == Effect::Deny || first.is_none();
            if !is_needed || !statement.matches(facts) {
                continue;
            }
            let found = Found { policy_type, policy: Some(&policy.name), statement };
            match statement.effect {
                Effect::Deny => return Err(found.name(facts)),
                Effect::Allow => first = Some(found),
            }
        }
    }
    Ok(first)
}
