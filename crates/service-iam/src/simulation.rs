//! Simulations: what policies would decide about accesses that nobody asks for.
//!
//! A policy that is given in a call is named by its parameter and its place from 1,
//! `PolicyInputList.1`; an inline policy `user/ann/deploy`, a managed one by its ARN. See
//! [`source_of`] for what becomes of the names in answers.

mod context;
mod source;

use std::sync::Arc;

use api_iam::types;
use api_iam::types::{
    EvaluationResult, OrganizationsDecisionDetail, PermissionsBoundaryDecisionDetail,
    PolicyEvaluationDecisionType as Evaluation, PolicySourceType, ResourceSpecificResult,
};
use base::{AccountId, Region, Timestamp};
use policy::{
    Access, Caller, Decision, DocumentError, Effect, Explanation, Keys, MatchedStatement,
    NamedPolicy, Permissions, Policy, PolicyKind, PolicyType, Principal, PrincipalKind,
};
use wire::ApiError;

use crate::error::invalid_input;
use crate::page::{Page, page};

pub(crate) use source::{Source, exclude, simulated_user};

/// The keys that depend on who calls: unknown when nobody in particular does.
const PRINCIPAL_KEYS: [&str; 6] = [
    "aws:username",
    "aws:userid",
    "aws:principalarn",
    "aws:principaltype",
    "aws:principalaccount",
    "aws:principalisawsservice",
];

/// Who would act, with which policies.
pub(crate) struct Actor {
    caller: Caller,
    /// Whether it is somebody in particular.
    is_known: bool,
}

impl Actor {
    /// `principal`, or nobody in particular of `account`, with these policies.
    pub(crate) fn new(
        principal: Option<Principal>,
        permissions: Permissions,
        account: AccountId,
        region: Region,
        time: Timestamp,
    ) -> Self {
        let is_known = principal.is_some();
        let principal = principal.unwrap_or_else(|| Principal {
            arn: format!("arn:aws:iam::{account}:user/"),
            user_id: String::new(),
            kind: PrincipalKind::User { name: String::new() },
            tags: std::collections::BTreeMap::new(),
            account: account.clone(),
        });
        let caller = Caller {
            principal: Arc::new(principal),
            permissions: Arc::new(permissions),
            ..Caller::root(account, region, time)
        };
        Self { caller, is_known }
    }
}

/// What would be done, as the members of the request have it.
pub(crate) struct Questions {
    /// The actions.
    pub(crate) actions: Option<Vec<String>>,
    /// The resources; every one of them with each action.
    pub(crate) resources: Option<Vec<String>>,
    /// The policy of the resources.
    pub(crate) resource_policy: Option<String>,
    /// The account that owns resources whose ARN does not say: an ARN of it, or its id.
    pub(crate) resource_owner: Option<String>,
    /// Condition keys.
    pub(crate) context: Option<Vec<types::ContextEntry>>,
}

/// A simulation, checked and ready to run.
pub(crate) struct Simulation {
    caller: Caller,
    actions: Vec<String>,
    resources: Vec<String>,
    /// Whether resources were given, and not just `*`.
    is_about_resources: bool,
    resource_policy: Option<Arc<Policy>>,
    assumed: Keys,
}

impl Simulation {
    /// Checks what is to be simulated.
    ///
    /// # Errors
    /// `InvalidInput` for what is no action, no value of its type, or no policy.
    pub(crate) fn new(actor: Actor, questions: Questions) -> Result<Self, ApiError> {
        let actions = questions.actions.unwrap_or_default();
        if let Some(wrong) = actions.iter().find(|action| !is_action(action)) {
            return Err(invalid_input(format!("Invalid action name: {wrong}")));
        }
        let mut assumed = context::read(questions.context.unwrap_or_default())?;
        if !actor.is_known {
            for key in PRINCIPAL_KEYS {
                assumed.entry(key.to_owned()).or_default();
            }
        }
        if let Some(owner) = &questions.resource_owner {
            let account = owner.split(':').find(|part| part.parse::<AccountId>().is_ok());
            let account = account.ok_or_else(|| {
                invalid_input(format!("Invalid resource owner: {owner} names no account"))
            })?;
            assumed.insert("aws:resourceaccount".to_owned(), vec![account.to_owned()]);
        }
        let resource_policy = questions
            .resource_policy
            .map(|text| parse("ResourcePolicy", &text, PolicyKind::Resource))
            .transpose()?;
        let resources = questions.resources.filter(|resources| !resources.is_empty());
        Ok(Self {
            caller: actor.caller,
            actions,
            is_about_resources: resources.is_some(),
            resources: resources.unwrap_or_else(|| vec!["*".to_owned()]),
            resource_policy: resource_policy.map(|named| named.policy),
            assumed,
        })
    }

    /// The answers of one page: each action, and of each action each resource. Only these are
    /// evaluated, and between them others have their turn.
    pub(crate) async fn run(
        &self,
        max_items: Option<i32>,
        marker: Option<&str>,
    ) -> Result<Page<EvaluationResult>, ApiError> {
        let pairs = self
            .actions
            .iter()
            .flat_map(|action| self.resources.iter().map(move |resource| (action, resource)))
            .enumerate();
        let page = page(pairs, |(place, _)| format!("{place:012}"), max_items, marker)?;
        let mut items = Vec::with_capacity(page.items.len());
        for (_, (action, resource)) in page.items {
            items.push(self.evaluate(action, resource));
            tokio::task::yield_now().await;
        }
        Ok(Page { items, marker: page.marker })
    }

    fn evaluate(&self, action: &str, resource: &str) -> EvaluationResult {
        let mut access = Access::new(action.to_owned(), resource);
        if let Some(policy) = &self.resource_policy {
            let is_required = action.to_ascii_lowercase().starts_with("sts:assumerole");
            access = access.with_resource_policy(Arc::clone(policy), is_required);
        }
        let found = policy::simulate(&self.caller, &access, &self.assumed);
        let boundary = found.allowed_by_boundary.map(|allowed| PermissionsBoundaryDecisionDetail {
            allowed_by_permissions_boundary: Some(allowed),
        });
        let details = self.is_cross_account(resource).then(|| by_kind(&found));
        let statements: Vec<types::Statement> = found
            .matched
            .iter()
            .filter(|statement| statement.policy_type != PolicyType::ServiceControl)
            .map(statement)
            .collect();
        let decision = evaluation(&found.decision);
        let specific = self.is_about_resources.then(|| {
            vec![ResourceSpecificResult {
                eval_resource_name: Some(resource.to_owned()),
                eval_resource_decision: Some(decision.clone()),
                matched_statements: Some(statements.clone()),
                missing_context_values: Some(found.missing_keys.clone()),
                eval_decision_details: details.clone(),
                permissions_boundary_decision_detail: boundary.clone(),
            }]
        });
        EvaluationResult {
            eval_action_name: Some(action.to_owned()),
            eval_resource_name: Some(resource.to_owned()),
            eval_decision: Some(decision),
            matched_statements: Some(statements),
            missing_context_values: Some(found.missing_keys),
            organizations_decision_detail: found.allowed_by_service_control.map(|allowed| {
                OrganizationsDecisionDetail { allowed_by_organizations: Some(allowed) }
            }),
            permissions_boundary_decision_detail: boundary,
            eval_decision_details: details,
            resource_specific_results: specific,
        }
    }

    /// Whether the resource is in another account than who would act.
    fn is_cross_account(&self, resource: &str) -> bool {
        let account = resource.split(':').nth(4).unwrap_or_default();
        account.parse::<AccountId>().is_ok_and(|account| account != self.caller.principal.account)
    }
}

/// What identity and resource policies say by themselves.
fn by_kind(found: &Explanation) -> std::collections::BTreeMap<String, Evaluation> {
    let says = |policy_type: PolicyType| {
        let mut effects = found
            .matched
            .iter()
            .filter(|statement| statement.policy_type == policy_type)
            .map(|statement| statement.effect)
            .peekable();
        let is_allowed = effects.peek().is_some();
        if effects.any(|effect| effect == Effect::Deny) {
            Evaluation::ExplicitDeny
        } else if is_allowed {
            Evaluation::Allowed
        } else {
            Evaluation::ImplicitDeny
        }
    };
    [("IAM Policy", PolicyType::Identity), ("Resource Policy", PolicyType::Resource)]
        .map(|(name, policy_type)| (name.to_owned(), says(policy_type)))
        .into()
}

fn evaluation(decision: &Decision) -> Evaluation {
    match decision {
        Decision::Allowed(_) => Evaluation::Allowed,
        Decision::ExplicitlyDenied(_) => Evaluation::ExplicitDeny,
        Decision::NotAllowed(_) => Evaluation::ImplicitDeny,
    }
}

fn statement(matched: &MatchedStatement) -> types::Statement {
    let (id, source_type) = source_of(matched.policy_type, &matched.policy);
    let position = |at: policy::Position| types::Position {
        line: i32::try_from(at.line).ok(),
        column: i32::try_from(at.column).ok(),
    };
    types::Statement {
        source_policy_id: Some(id),
        source_policy_type: Some(source_type),
        start_position: Some(position(matched.start)),
        end_position: Some(position(matched.end)),
    }
}

/// What a policy is called in answers, and where it is from.
fn source_of(policy_type: PolicyType, name: &str) -> (String, PolicySourceType) {
    if policy_type == PolicyType::Resource {
        return ("ResourcePolicy".to_owned(), PolicySourceType::Resource);
    }
    let short = |name: &str| name.rsplit('/').next().unwrap_or(name).to_owned();
    if name.starts_with("arn:aws:iam::aws:") {
        return (short(name), PolicySourceType::AwsManaged);
    }
    if name.starts_with("arn:") {
        return (short(name), PolicySourceType::UserManaged);
    }
    let source_type = match name.split('/').next() {
        Some("user") => PolicySourceType::User,
        Some("group") => PolicySourceType::Group,
        Some("role") => PolicySourceType::Role,
        Some(_) | None => PolicySourceType::None,
    };
    (name.replace('/', "_"), source_type)
}

/// Reads the documents of a parameter.
pub(crate) fn parse_all(
    parameter: &str,
    documents: &[String],
) -> Result<Vec<NamedPolicy>, ApiError> {
    let numbered = (1_usize..).zip(documents);
    numbered
        .map(|(number, text)| parse(&format!("{parameter}.{number}"), text, PolicyKind::Identity))
        .collect()
}

fn parse(name: &str, text: &str, kind: PolicyKind) -> Result<NamedPolicy, ApiError> {
    let policy = Policy::parse(text, kind).map_err(|problems| {
        let problems: Vec<String> = problems.iter().map(DocumentError::to_string).collect();
        invalid_input(format!("Syntax errors in {name}: {}.", problems.join("; ")))
    })?;
    Ok(NamedPolicy { name: name.into(), policy: Arc::new(policy) })
}

/// The permissions boundary that is given in a call.
pub(crate) fn boundary(documents: Option<&[String]>) -> Result<Option<NamedPolicy>, ApiError> {
    let documents = documents.unwrap_or_default();
    if documents.len() > 1 {
        return Err(invalid_input("Only one permissions boundary policy can be given."));
    }
    Ok(parse_all("PermissionsBoundaryPolicyInputList", documents)?.pop())
}

/// The service control policies that are given in a call, from the root down.
pub(crate) fn service_control(
    levels: &[types::OrderedOrganizationPolicyType],
) -> Result<Vec<Vec<NamedPolicy>>, ApiError> {
    let numbered = (1_usize..).zip(levels);
    numbered
        .map(|(level, given)| {
            let documents = given.service_control_policy_input_list.iter().flatten();
            (1_usize..)
                .zip(documents)
                .map(|(number, text)| {
                    let name = format!("OrderedOrganizationPolicyInputList.{level}.{number}");
                    parse(&name, text, PolicyKind::ServiceControl)
                })
                .collect()
        })
        .collect()
}

/// The condition keys that policies ask for, each once.
pub(crate) fn context_keys(policies: &[NamedPolicy]) -> Vec<String> {
    let keys = policies.iter().flat_map(|named| named.policy.context_keys());
    let once: std::collections::BTreeMap<String, String> =
        keys.map(|key| (key.to_ascii_lowercase(), key)).collect();
    once.into_values().collect()
}

/// A policy of a resource is about somebody in particular.
pub(crate) fn caller_is_missing() -> ApiError {
    invalid_input(
        "CallerArn is required when a resource policy is given, and must be the ARN of a user.",
    )
}

fn is_action(text: &str) -> bool {
    let is_part = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    text.split_once(':').is_some_and(|(service, name)| is_part(service) && is_part(name))
}
