//! Why a decision is as it is: for simulations and access reports.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::context::Facts;
use crate::evaluate::{decide_on, resource_statements, service_control_levels};
use crate::statement::{Effect, Position, Statement};
use crate::{Access, Caller, Decision, Keys, NamedPolicy, PolicyType};

/// A decision with all that it was made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// What [`crate::decide`] would answer.
    pub decision: Decision,
    /// Every statement that matches, of all kinds of policies.
    pub matched: Vec<MatchedStatement>,
    /// The keys that the policies ask for and the access does not have, sorted.
    pub missing_keys: Vec<String>,
    /// Whether the boundary allows; `None` when there is none.
    pub allowed_by_boundary: Option<bool>,
    /// Whether the service control policies allow; `None` when none apply.
    pub allowed_by_service_control: Option<bool>,
}

/// A statement that matches an access.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MatchedStatement {
    /// The kind of policy it is in.
    pub policy_type: PolicyType,
    /// The policy's ARN or name; of the policy of the resource, the resource.
    pub policy: Arc<str>,
    /// Its place in the document, from 0.
    pub index: usize,
    /// Its `Sid`, when it has one.
    pub sid: Option<Arc<str>>,
    /// Whether it allows or denies.
    pub effect: Effect,
    /// Where its opening brace stands.
    pub start: Position,
    /// The place after its closing brace.
    pub end: Position,
}

/// Explains the decision on one access of `caller`.
pub fn explain(caller: &Caller, access: &Access) -> Explanation {
    explain_on(&Facts::new(caller, access))
}

/// Explains what would be decided if the request had the condition keys `assumed` (names in lower
/// case): they come before every other, also those of the caller. What only a real request has (its
/// address, endpoint, region, transport, program and session) is unknown unless assumed.
pub fn simulate(caller: &Caller, access: &Access, assumed: &Keys) -> Explanation {
    explain_on(&Facts::assuming(caller, access, assumed))
}

fn explain_on(facts: &Facts<'_>) -> Explanation {
    let permissions = &*facts.caller.permissions;
    let levels = service_control_levels(facts);
    let boundary = permissions.boundary.as_slice();
    let mut matched = Vec::new();
    for policy in levels.iter().flatten() {
        matched.extend(matches_of(facts, PolicyType::ServiceControl, policy));
    }
    for (_, statement) in resource_statements(facts) {
        let name: Arc<str> = facts.access.resource.as_str().into();
        matched.push(MatchedStatement::new(PolicyType::Resource, &name, statement));
    }
    for policy in &permissions.identity {
        matched.extend(matches_of(facts, PolicyType::Identity, policy));
    }
    for policy in boundary {
        matched.extend(matches_of(facts, PolicyType::Boundary, policy));
    }
    for policy in permissions.session.iter().flatten() {
        matched.extend(matches_of(facts, PolicyType::Session, policy));
    }
    let is_denied = |policy_type| {
        matched.iter().any(|found| found.policy_type == policy_type && found.effect == Effect::Deny)
    };
    let allows = |policies: &[NamedPolicy]| {
        let mut statements = policies.iter().flat_map(|policy| policy.policy.statements());
        statements.any(|statement| statement.effect == Effect::Allow && statement.matches(facts))
    };
    let allowed_by_boundary =
        (!boundary.is_empty()).then(|| !is_denied(PolicyType::Boundary) && allows(boundary));
    let allowed_by_service_control = (!levels.is_empty()).then(|| {
        !is_denied(PolicyType::ServiceControl) && levels.iter().all(|level| allows(level))
    });
    Explanation {
        decision: decide_on(facts),
        missing_keys: missing_keys(facts),
        allowed_by_boundary,
        allowed_by_service_control,
        matched,
    }
}

impl MatchedStatement {
    fn new(policy_type: PolicyType, policy: &Arc<str>, statement: &Statement) -> Self {
        Self {
            policy_type,
            policy: Arc::clone(policy),
            index: statement.index,
            sid: statement.sid.clone(),
            effect: statement.effect,
            start: statement.start,
            end: statement.end,
        }
    }
}

fn matches_of(
    facts: &Facts<'_>,
    policy_type: PolicyType,
    policy: &NamedPolicy,
) -> impl Iterator<Item = MatchedStatement> {
    let statements = policy.policy.statements().iter();
    statements
        .filter(|statement| statement.matches(facts))
        .map(move |statement| MatchedStatement::new(policy_type, &policy.name, statement))
}

fn missing_keys(facts: &Facts<'_>) -> Vec<String> {
    let permissions = &*facts.caller.permissions;
    let named = service_control_levels(facts)
        .iter()
        .flatten()
        .chain(&permissions.identity)
        .chain(&permissions.boundary)
        .chain(permissions.session.iter().flatten())
        .map(|policy| &*policy.policy);
    let of_resource = facts.access.resource_policy.iter().map(|resource| &*resource.policy);
    let missing: BTreeMap<String, String> = named
        .chain(of_resource)
        .flat_map(|policy| policy.statements())
        .flat_map(Statement::keys)
        .filter(|key| facts.values(key).is_none())
        .map(|key| (key.name().to_ascii_lowercase(), key.name().to_owned()))
        .collect();
    missing.into_values().collect()
}
