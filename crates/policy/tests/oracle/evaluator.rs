//! A second evaluator: slow, obvious, and written from the documentation, on the bare JSON. It shares
//! nothing with the first but the types of questions and answers.

use std::collections::BTreeMap;
use std::net::IpAddr;

use policy::{Access, Caller, PolicyType, PrincipalKind};
use serde_json::Value;

/// The policies of a question, as documents.
#[derive(Debug, Clone, Default)]
pub(crate) struct Documents {
    pub(crate) service_control: Vec<Vec<Value>>,
    pub(crate) resource: Option<(Value, bool)>,
    pub(crate) identity: Vec<Value>,
    pub(crate) boundary: Option<Value>,
    pub(crate) session: Option<Vec<Value>>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Answer {
    Allowed(Option<PolicyType>),
    /// By this statement.
    Denied(PolicyType, usize),
    NotAllowed(PolicyType),
}

pub(crate) type Context = BTreeMap<String, Vec<String>>;

/// All condition keys of a question, by their names in lower case.
pub(crate) fn context(caller: &Caller, access: &Access) -> Context {
    let mut context: Context = access.keys.clone();
    let principal = &caller.principal;
    let seconds = caller.time.as_epoch_ms() / 1000;
    let mut set = |key: &str, value: Option<String>| match value {
        Some(value) => drop(context.insert(key.to_owned(), vec![value])),
        None => drop(context.remove(key)),
    };
    let (arn, username, kind) = match &principal.kind {
        PrincipalKind::Root => (Some(&principal.arn), None, "Account"),
        PrincipalKind::User { name } => (Some(&principal.arn), Some(name.clone()), "User"),
        PrincipalKind::AssumedRole { role_arn, .. } => (Some(role_arn), None, "AssumedRole"),
        PrincipalKind::Service { .. } => (None, None, "Service"),
        PrincipalKind::Anonymous => (None, None, "Anonymous"),
    };
    set("aws:principalarn", arn.cloned());
    set("aws:username", username);
    set("aws:principaltype", Some(kind.to_owned()));
    set("aws:epochtime", Some(seconds.to_string()));
    set("aws:currenttime", Some(caller.time.to_string().replace(".000Z", "Z")));
    set("aws:sourceip", Some(caller.source_ip.to_string()));
    set("aws:securetransport", Some(caller.secure_transport.to_string()));
    set(
        "aws:multifactorauthpresent",
        caller.session.issued_at.map(|_| caller.session.mfa_at.is_some().to_string()),
    );
    for (key, value) in &principal.tags {
        set(&format!("aws:principaltag/{}", key.to_lowercase()), Some(value.clone()));
    }
    context
}

pub(crate) fn decide(caller: &Caller, access: &Access, documents: &Documents) -> Answer {
    let context = &context(caller, access);
    let kind = &caller.principal.kind;
    let identity = |document: &Value| matching(document, access, context);
    let resource: Vec<(usize, Value)> = match &documents.resource {
        None => Vec::new(),
        Some((document, _)) => matching(document, access, context)
            .into_iter()
            .filter(|(_, statement)| named(statement, caller) != "nobody")
            .collect(),
    };
    let has_identity = !matches!(kind, PrincipalKind::Service { .. } | PrincipalKind::Anonymous);
    let levels = if has_identity { documents.service_control.clone() } else { Vec::new() };
    if let Some((policy_type, index)) = denial(&levels, &resource, documents, identity) {
        return Answer::Denied(policy_type, index);
    }
    // From here on every match is an allowance.
    let allows =
        |documents: &[Value]| documents.iter().any(|document| !identity(document).is_empty());
    let granted = |wanted: &str| resource.iter().any(|(_, one)| named(one, caller) == wanted);
    let is_granted = !resource.is_empty();
    if !has_identity {
        return if is_granted {
            Answer::Allowed(Some(PolicyType::Resource))
        } else {
            Answer::NotAllowed(PolicyType::Resource)
        };
    }
    if levels.iter().any(|level| !allows(level)) {
        return Answer::NotAllowed(PolicyType::ServiceControl);
    }
    let is_own_session = matches!(kind, PrincipalKind::Root | PrincipalKind::User { .. })
        && caller.session.issued_at.is_some();
    let needs_mfa = access.action.starts_with("iam:") && caller.session.mfa_at.is_none();
    let is_sts = access.action.starts_with("sts:") && access.action != "sts:AssumeRole";
    if is_own_session && (needs_mfa || is_sts) {
        return Answer::NotAllowed(PolicyType::Session);
    }
    let account = access.resource.split(':').nth(4).unwrap_or_default();
    let same_account = account.is_empty() || account == caller.principal.account.as_str();
    if *kind == PrincipalKind::Root {
        return if same_account {
            Answer::Allowed(None)
        } else {
            Answer::NotAllowed(PolicyType::Resource)
        };
    }
    let is_required = documents.resource.as_ref().is_some_and(|(_, required)| *required);
    if (is_required || !same_account) && !is_granted {
        return Answer::NotAllowed(PolicyType::Resource);
    }
    if same_account && granted("directly") {
        return Answer::Allowed(Some(PolicyType::Resource));
    }
    let by_role = same_account && granted("by its role");
    let by_identity = allows(&documents.identity);
    if !by_identity && !by_role {
        return Answer::NotAllowed(PolicyType::Identity);
    }
    if documents.boundary.as_ref().is_some_and(|document| !allows(std::slice::from_ref(document))) {
        return Answer::NotAllowed(PolicyType::Boundary);
    }
    if documents.session.as_ref().is_some_and(|documents| !allows(documents)) {
        return Answer::NotAllowed(PolicyType::Session);
    }
    Answer::Allowed(Some(if by_identity { PolicyType::Identity } else { PolicyType::Resource }))
}

/// The first matching denial, by kinds in the order in which denials are reported.
fn denial(
    levels: &[Vec<Value>],
    resource: &[(usize, Value)],
    documents: &Documents,
    matching: impl Fn(&Value) -> Vec<(usize, Value)>,
) -> Option<(PolicyType, usize)> {
    let mut everything: Vec<(PolicyType, Vec<(usize, Value)>)> = Vec::new();
    for document in levels.iter().flatten() {
        everything.push((PolicyType::ServiceControl, matching(document)));
    }
    everything.push((PolicyType::Resource, resource.to_vec()));
    for document in &documents.identity {
        everything.push((PolicyType::Identity, matching(document)));
    }
    if let Some(document) = &documents.boundary {
        everything.push((PolicyType::Boundary, matching(document)));
    }
    for document in documents.session.iter().flatten() {
        everything.push((PolicyType::Session, matching(document)));
    }
    for (policy_type, statements) in everything {
        for (index, statement) in statements {
            if statement["Effect"] == "Deny" {
                return Some((policy_type, index));
            }
        }
    }
    None
}

/// How a statement of a resource's policy names the caller.
fn named(statement: &Value, caller: &Caller) -> &'static str {
    let principal = &caller.principal;
    let how = |kind: &str, text: &str| -> &'static str {
        let account = principal.account.as_str();
        let is_account = text == account || text == format!("arn:aws:iam::{account}:root");
        match (kind, &principal.kind) {
            ("AWS", _) if text == "*" => "directly",
            ("AWS", PrincipalKind::Root) if is_account => "directly",
            ("AWS", PrincipalKind::User { .. }) if text == principal.arn => "directly",
            ("AWS", PrincipalKind::AssumedRole { .. }) if text == principal.arn => "directly",
            ("AWS", PrincipalKind::AssumedRole { role_arn, .. }) if text == role_arn => {
                "by its role"
            }
            ("AWS", PrincipalKind::User { .. } | PrincipalKind::AssumedRole { .. })
                if is_account =>
            {
                "by its account"
            }
            ("Service", PrincipalKind::Service { name }) if text == name => "directly",
            ("Federated", PrincipalKind::Anonymous)
                if caller.session.federated_provider.as_deref() == Some(text) =>
            {
                "directly"
            }
            _ => "nobody",
        }
    };
    let of = |principals: &Value| -> &'static str {
        if principals == "*" {
            return "directly";
        }
        let mut all = Vec::new();
        for (kind, texts) in principals.as_object().unwrap() {
            all.extend(list(texts).iter().map(|text| how(kind, text.as_str().unwrap())));
        }
        let best = ["directly", "by its role", "by its account"];
        best.into_iter().find(|wanted| all.contains(wanted)).unwrap_or("nobody")
    };
    match (statement.get("Principal"), statement.get("NotPrincipal")) {
        (Some(principals), _) => of(principals),
        (None, Some(principals)) if of(principals) == "nobody" => "directly",
        (None, _) => "nobody",
    }
}

/// The statements of a document that match but for their principals.
fn matching(document: &Value, access: &Access, context: &Context) -> Vec<(usize, Value)> {
    let variables = document.get("Version").is_some_and(|version| version == "2012-10-17");
    let all = list(&document["Statement"]).into_iter().enumerate();
    all.filter(|(_, statement)| {
        about_action(statement, &access.action)
            && about_resource(statement, &access.resource, variables, context)
            && statement.get("Condition").is_none_or(|all| conditions(all, variables, context))
    })
    .collect()
}

fn about_action(statement: &Value, action: &str) -> bool {
    let any = |patterns: &Value| {
        list(patterns).iter().any(|pattern| {
            let wild =
                pattern_of(&pattern.as_str().unwrap().to_lowercase(), true, false, &Context::new());
            like(&wild.unwrap(), &chars(&action.to_lowercase()))
        })
    };
    match statement.get("Action") {
        Some(patterns) => any(patterns),
        None => !any(&statement["NotAction"]),
    }
}

fn about_resource(statement: &Value, resource: &str, variables: bool, context: &Context) -> bool {
    let filled = |patterns: &Value| -> Vec<Option<Pattern>> {
        let texts = list(patterns);
        texts
            .iter()
            .map(|text| pattern_of(text.as_str().unwrap(), true, variables, context))
            .collect()
    };
    match (statement.get("Resource"), statement.get("NotResource")) {
        (Some(patterns), _) => {
            filled(patterns).into_iter().flatten().any(|pattern| like(&pattern, &chars(resource)))
        }
        (None, Some(patterns)) => filled(patterns)
            .into_iter()
            .all(|pattern| pattern.is_some_and(|pattern| !like(&pattern, &chars(resource)))),
        (None, None) => true,
    }
}

fn conditions(all: &Value, variables: bool, context: &Context) -> bool {
    all.as_object().unwrap().iter().all(|(operator, keys)| {
        keys.as_object().unwrap().iter().all(|(key, values)| {
            let found = context.get(&key.to_lowercase()).cloned().unwrap_or_default();
            condition(operator, &found, &list(values), variables, context)
        })
    })
}

fn condition(
    operator: &str,
    found: &[String],
    wanted: &[Value],
    variables: bool,
    context: &Context,
) -> bool {
    let wanted: Vec<String> = wanted
        .iter()
        .map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
        .collect();
    let (set, rest) = operator.split_once(':').unwrap_or(("", operator));
    if rest == "Null" {
        return wanted.contains(&found.is_empty().to_string());
    }
    let (base, if_exists) = match rest.strip_suffix("IfExists") {
        Some(base) => (base, true),
        None => (rest, false),
    };
    let negated = base.contains("Not");
    if found.is_empty() {
        return if_exists || set == "ForAllValues" || set.is_empty() && negated;
    }
    let positive = base.replace("Not", "");
    let is_one = |value: &String| {
        wanted.iter().any(|wanted| compare(&positive, value, wanted, variables, context))
    };
    match (set, negated) {
        ("ForAnyValue", false) => found.iter().any(is_one),
        ("ForAnyValue", true) => !found.iter().all(is_one),
        ("ForAllValues", false) => found.iter().all(is_one),
        ("ForAllValues", true) => !found.iter().any(is_one),
        (_, false) => found.iter().any(is_one),
        (_, true) => !found.iter().any(is_one),
    }
}

fn compare(operator: &str, found: &str, wanted: &str, variables: bool, context: &Context) -> bool {
    let text = |wildcards| pattern_of(wanted, wildcards, variables, context);
    let order = |found: Option<f64>, wanted: Option<f64>| match (found, wanted) {
        (Some(found), Some(wanted)) => found.partial_cmp(&wanted),
        _ => None,
    };
    let ordering = if operator.starts_with("Date") {
        order(seconds(found), seconds(wanted))
    } else {
        order(found.parse().ok(), wanted.parse().ok())
    };
    match operator {
        "StringEquals" => text(false).is_some_and(|pattern| like(&pattern, &chars(found))),
        "StringLike" => text(true).is_some_and(|pattern| like(&pattern, &chars(found))),
        "StringEqualsIgnoreCase" => text(false).is_some_and(|pattern| {
            let lower: Pattern =
                pattern.into_iter().map(|(char, wild)| (char.to_ascii_lowercase(), wild)).collect();
            like(&lower, &chars(&found.to_ascii_lowercase()))
        }),
        "ArnEquals" | "ArnLike" => arn(wanted, found, text(true)),
        "Bool" => found.eq_ignore_ascii_case(wanted) && ["true", "false"].contains(&wanted),
        // Padded base64 says the same bytes only in the same letters.
        "BinaryEquals" => found == wanted,
        "IpAddress" => in_range(found, wanted),
        "NumericEquals" | "DateEquals" => ordering.is_some_and(std::cmp::Ordering::is_eq),
        "NumericLessThan" | "DateLessThan" => ordering.is_some_and(std::cmp::Ordering::is_lt),
        "NumericLessThanEquals" | "DateLessThanEquals" => {
            ordering.is_some_and(std::cmp::Ordering::is_le)
        }
        "NumericGreaterThan" | "DateGreaterThan" => ordering.is_some_and(std::cmp::Ordering::is_gt),
        "NumericGreaterThanEquals" | "DateGreaterThanEquals" => {
            ordering.is_some_and(std::cmp::Ordering::is_ge)
        }
        other => panic!("`{other}` is not an operator"),
    }
}

fn arn(wanted: &str, found: &str, pattern: Option<Pattern>) -> bool {
    let parts = |chars: Vec<(char, bool)>| -> Vec<Vec<(char, bool)>> {
        chars.splitn(6, |(char, _)| *char == ':').map(<[(char, bool)]>::to_vec).collect()
    };
    let found = parts(found.chars().map(|char| (char, false)).collect());
    if found.len() < 6 {
        return false;
    }
    let Some(pattern) = pattern else { return false };
    let wanted_parts = parts(pattern);
    wanted == "*"
        || wanted_parts.len() == 6
            && wanted_parts.iter().zip(&found).all(|(wanted, found)| {
                like(wanted, &found.iter().map(|(char, _)| *char).collect::<Vec<_>>())
            })
}

/// The days and seconds that the generator writes.
fn seconds(text: &str) -> Option<f64> {
    match text {
        "2026-01-01" | "2026-01-01T00:00:00Z" | "2026-01-01T02:00:00+02:00" => {
            Some(1_767_225_600.0)
        }
        "2026-01-02T00:00:00Z" => Some(1_767_312_000.0),
        // Four digits are a year, of which the generator writes none.
        _ => text.parse().ok(),
    }
}

fn in_range(found: &str, range: &str) -> bool {
    let bits = |text: &str| -> Option<String> {
        Some(match text.parse::<IpAddr>().ok()? {
            IpAddr::V4(address) => format!("4{:032b}", u32::from(address)),
            IpAddr::V6(address) => format!("6{:0128b}", u128::from(address)),
        })
    };
    let (network, length) = match range.split_once('/') {
        Some((network, length)) => (network, length.parse::<usize>().unwrap()),
        None => (range, 128),
    };
    match (bits(found), bits(network)) {
        (Some(found), Some(network)) => {
            let length = (length + 1).min(network.len());
            found.get(..length) == network.get(..length)
        }
        _ => false,
    }
}

/// Characters, and whether each is a wildcard.
type Pattern = Vec<(char, bool)>;

/// `text` with its variables filled in; `None` when one has no value.
fn pattern_of(text: &str, wildcards: bool, variables: bool, context: &Context) -> Option<Pattern> {
    if let Some((before, rest)) = text.split_once("${").filter(|_| variables) {
        let (inner, after) = rest.split_once('}').unwrap();
        let (key, default) = match inner.split_once(", ") {
            Some((key, default)) => (key, Some(default.trim_matches('\'').to_owned())),
            None => (inner, None),
        };
        let value = match key {
            "*" | "?" | "$" => Some(key.to_owned()),
            key => match context.get(&key.to_lowercase()).map(Vec::as_slice) {
                Some([value]) => Some(value.clone()),
                _ => default,
            },
        };
        let mut pattern = pattern_of(before, wildcards, false, context)?;
        pattern.extend(value?.chars().map(|char| (char, false)));
        pattern.extend(pattern_of(after, wildcards, true, context)?);
        return Some(pattern);
    }
    Some(text.chars().map(|char| (char, wildcards && matches!(char, '*' | '?'))).collect())
}

fn like(pattern: &[(char, bool)], text: &[char]) -> bool {
    match (pattern, text) {
        ([], []) => true,
        ([('*', true), rest @ ..], _) => {
            like(rest, text) || !text.is_empty() && like(pattern, &text[1..])
        }
        ([('?', true), rest @ ..], [_, others @ ..]) => like(rest, others),
        ([(wanted, false), rest @ ..], [found, others @ ..]) => {
            wanted == found && like(rest, others)
        }
        _ => false,
    }
}

fn chars(text: &str) -> Vec<char> {
    text.chars().collect()
}

fn list(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_else(|| vec![value.clone()])
}
