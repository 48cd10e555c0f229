//! Reports of what somebody may use, and when they last did.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use access_report::ActionUse;
use api_iam::types::{
    AccessAdvisorUsageGranularityType, ServiceLastAccessed, TrackedActionLastAccessed,
};
use base::{AccountId, Timestamp};
use policy::{Effect, NamedPolicy, PolicyKind};
use state::View;
use wire::{Api, ApiError};

use crate::error::no_such_entity;
use crate::render::role::whole_seconds;
use crate::simulation::Source;
use crate::{IamContext, managed};

/// How many reports are remembered.
const MAX_REPORTS: usize = 100;

/// The services that are here, and what they are called.
static SERVICES: [(&Api, &str); 6] = [
    (&api_cloudtrail::API, "AWS CloudTrail"),
    (&api_ecs::API, "Amazon Elastic Container Service"),
    (&api_iam::API, "AWS Identity and Access Management"),
    (&api_logs::API, "Amazon CloudWatch Logs"),
    (&api_organizations::API, "AWS Organizations"),
    (&api_sts::API, "AWS Security Token Service"),
];

/// A report, ready to be read.
#[derive(Debug)]
pub(crate) struct Report {
    /// What it is found by: a UUID.
    pub(crate) job_id: String,
    /// The account it is of.
    pub(crate) account: AccountId,
    /// Whether it has the actions.
    pub(crate) granularity: AccessAdvisorUsageGranularityType,
    /// When it was made.
    pub(crate) made_at: Timestamp,
    /// What it says, by namespace.
    pub(crate) services: Vec<ServiceLastAccessed>,
}

/// The last 100 reports.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reports(Arc<Mutex<VecDeque<Arc<Report>>>>);

impl Reports {
    /// Remembers a report.
    pub(crate) fn add(&self, report: Report) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MAX_REPORTS {
            known.pop_front();
        }
        known.push_back(Arc::new(report));
    }

    /// The report of this id, when it is of this account.
    pub(crate) fn find(&self, account: &AccountId, job_id: &str) -> Option<Arc<Report>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.iter().find(|report| report.account == *account && report.job_id == job_id).cloned()
    }
}

/// What a report is about.
pub(crate) struct Subject {
    /// The policies that grant.
    policies: Vec<NamedPolicy>,
    /// ARNs of the users and roles that use what is granted.
    entities: Vec<String>,
}

/// The policies and users of a user, group, role or managed policy.
///
/// # Errors
/// `NoSuchEntity` when there is none of this ARN.
pub(crate) fn subject(
    ctx: &IamContext,
    view: &View,
    account: &AccountId,
    arn: &str,
) -> Result<Subject, ApiError> {
    if let Ok(policy) = managed::find(view, account, arn) {
        let named = ctx.policies.named(PolicyKind::Identity, arn, policy.document());
        return Ok(Subject { policies: vec![named], entities: having(view, account, arn) });
    }
    let source = Source::find(view, account, arn)
        .map_err(|_| no_such_entity(format!("ARN {arn} does not exist.")))?;
    let entities = match source {
        Source::User(_) | Source::Role(_) => vec![arn.to_owned()],
        Source::Group(group) => {
            crate::lookup::members_of(view, group).map(|user| user.arn()).collect()
        }
    };
    Ok(Subject { policies: source.policies(&ctx.policies, view), entities })
}

/// The users and roles that a managed policy applies to.
fn having(view: &View, account: &AccountId, arn: &str) -> Vec<String> {
    let identities = view.identities();
    let groups: BTreeSet<&str> = identities
        .groups()
        .filter(|group| group.account == *account && group.attached_policies.contains(arn))
        .map(|group| group.name.as_str())
        .collect();
    let users = identities.users().filter(|user| {
        let by_group = || user.groups.iter().any(|group| groups.contains(group.as_str()));
        user.account == *account && (user.attached_policies.contains(arn) || by_group())
    });
    let roles = identities
        .roles()
        .filter(|role| role.account == *account && role.attached_policies.contains(arn));
    users.map(|user| user.arn()).chain(roles.map(|role| role.arn())).collect()
}

/// A use, and whose it is.
type Use<'a> = (&'a str, &'a ActionUse);

/// What the policies grant of each service, and what of it was used last.
pub(crate) fn report(
    ctx: &IamContext,
    subject: &Subject,
    with_actions: bool,
) -> Vec<ServiceLastAccessed> {
    let uses: Vec<(&str, Vec<ActionUse>)> = subject
        .entities
        .iter()
        .map(|entity| (entity.as_str(), ctx.usage.actions(entity)))
        .collect();
    let uses: Vec<Use<'_>> = uses
        .iter()
        .flat_map(|(entity, uses)| uses.iter().map(move |used| (*entity, used)))
        .collect();
    let mut granted: BTreeMap<String, BTreeSet<&'static str>> = named_services(&subject.policies);
    for (api, _) in &SERVICES {
        let names = api.operations.iter().map(|operation| operation.name);
        let names: BTreeSet<&str> = names
            .filter(|name| grants(&subject.policies, &format!("{}:{name}", api.signing_name)))
            .collect();
        if !names.is_empty() {
            granted.insert(api.signing_name.to_owned(), names);
        }
    }
    granted
        .into_iter()
        .map(|(namespace, names)| {
            let actions = with_actions.then_some(&names);
            service(&namespace, actions, &uses, ctx.region.as_str())
        })
        .collect()
}

/// Whether a policy may allow an action on something.
fn grants(policies: &[NamedPolicy], action: &str) -> bool {
    let mut statements = policies.iter().flat_map(|named| named.policy.statements());
    statements
        .any(|statement| statement.effect() == Effect::Allow && statement.is_about_action(action))
}

/// The services that policies name.
fn named_services(policies: &[NamedPolicy]) -> BTreeMap<String, BTreeSet<&'static str>> {
    let statements = policies.iter().flat_map(|named| named.policy.statements());
    statements
        .filter(|statement| statement.effect() == Effect::Allow && !statement.is_not_action())
        .flat_map(|statement| statement.actions())
        .filter_map(|action| action.split_once(':'))
        .map(|(service, _)| (service.to_ascii_lowercase(), BTreeSet::new()))
        .collect()
}

fn service(
    namespace: &str,
    actions: Option<&BTreeSet<&'static str>>,
    uses: &[Use<'_>],
    region: &str,
) -> ServiceLastAccessed {
    let prefix = format!("{namespace}:");
    let own: Vec<Use<'_>> =
        uses.iter().filter(|(_, used)| used.action.starts_with(&prefix)).copied().collect();
    let last = own.iter().max_by_key(|(_, used)| used.last_used_at);
    let entities: BTreeSet<&str> = own.iter().map(|(entity, _)| *entity).collect();
    let known = SERVICES.iter().find(|(api, _)| api.signing_name == namespace);
    ServiceLastAccessed {
        service_name: Some(known.map_or(namespace, |(_, name)| name).to_owned()),
        service_namespace: Some(namespace.to_owned()),
        last_authenticated: last.map(|(_, used)| whole_seconds(used.last_used_at)),
        last_authenticated_entity: last.map(|(entity, _)| (*entity).to_owned()),
        last_authenticated_region: last.map(|_| region.to_owned()),
        total_authenticated_entities: i32::try_from(entities.len()).ok(),
        tracked_actions_last_accessed: actions
            .map(|names| names.iter().map(|name| tracked(&prefix, name, &own, region)).collect()),
    }
}

fn tracked(prefix: &str, name: &str, uses: &[Use<'_>], region: &str) -> TrackedActionLastAccessed {
    let last = uses
        .iter()
        .filter(|(_, used)| used.action.strip_prefix(prefix) == Some(name))
        .max_by_key(|(_, used)| used.last_used_at);
    TrackedActionLastAccessed {
        action_name: Some(name.to_owned()),
        last_accessed_entity: last.map(|(entity, _)| (*entity).to_owned()),
        last_accessed_region: last.map(|_| region.to_owned()),
        last_accessed_time: last.map(|(_, used)| whole_seconds(used.last_used_at)),
    }
}
