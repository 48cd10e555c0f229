//! Random policies, callers and accesses, from so few words that they often match.

use std::sync::Arc;

use policy::{
    Access, Caller, NamedPolicy, Permissions, Policy, PolicyKind, Principal, PrincipalKind,
    SessionFacts,
};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};

use crate::evaluator::Documents;

const OWN: &str = "111111111111";
const USER: &str = "arn:aws:iam::111111111111:user/ann";
const ROLE: &str = "arn:aws:iam::111111111111:role/r";
const SESSION: &str = "arn:aws:sts::111111111111:assumed-role/r/s";
const PROVIDER: &str = "arn:aws:iam::111111111111:oidc-provider/p";

pub(crate) const OPERATORS: [&str; 26] = [
    "StringEquals",
    "StringNotEquals",
    "StringEqualsIgnoreCase",
    "StringNotEqualsIgnoreCase",
    "StringLike",
    "StringNotLike",
    "NumericEquals",
    "NumericNotEquals",
    "NumericLessThan",
    "NumericLessThanEquals",
    "NumericGreaterThan",
    "NumericGreaterThanEquals",
    "DateEquals",
    "DateNotEquals",
    "DateLessThan",
    "DateLessThanEquals",
    "DateGreaterThan",
    "DateGreaterThanEquals",
    "Bool",
    "BinaryEquals",
    "IpAddress",
    "NotIpAddress",
    "ArnEquals",
    "ArnLike",
    "ArnNotEquals",
    "ArnNotLike",
];

/// What values an operator may have in a document; requests may have any.
pub(crate) fn values_for(operator: &str) -> &'static [&'static str] {
    let operator = operator.rsplit(':').next().unwrap_or_default();
    match operator.strip_suffix("IfExists").unwrap_or(operator) {
        "Null" | "Bool" => &["true", "false"],
        "BinaryEquals" => &["QQ==", "QUI="],
        "IpAddress" | "NotIpAddress" => &["10.0.0.0/8", "10.1.2.3", "2001:db8::/32", "::/0"],
        operator if operator.starts_with("String") => &[
            "x",
            "y",
            "X",
            "x*",
            "?",
            "*",
            "${a:k}x",
            "${a:k}",
            "${aws:username}",
            "${a:none, 'x'}",
            "${*}",
            "1",
            "${aws:PrincipalTag/t}",
            "xy",
        ],
        operator if operator.starts_with("Arn") => &[
            "*",
            "arn:aws:iam::111111111111:role/*",
            "arn:aws:iam::*:user/ann",
            "arn:*:a:?:*:x",
            "${aws:PrincipalArn}",
            "${a:none}",
        ],
        operator if operator.starts_with("Date") => {
            &["2026-01-01", "2026-01-02T00:00:00Z", "2026-01-01T02:00:00+02:00", "1767225600", "1"]
        }
        _ => &["1", "2", "1.5", "-1", "1767225600"],
    }
}

const KEYS: [&str; 22] = [
    "a:k",
    "a:k",
    "a:k",
    "a:k",
    "a:k",
    "a:k",
    "a:k",
    "a:k",
    "a:m",
    "A:K",
    "a:m",
    "a:none",
    "aws:username",
    "aws:PrincipalArn",
    "aws:PrincipalTag/T",
    "aws:PrincipalType",
    "aws:CurrentTime",
    "aws:EpochTime",
    "aws:SourceIp",
    "aws:SecureTransport",
    "aws:MultiFactorAuthPresent",
    "aws:userId-of-nobody",
];

const FOUND: [&str; 14] = [
    "x",
    "y",
    "X",
    "xy",
    "x*",
    "*",
    "1",
    "1.5",
    "2026-01-01",
    "true",
    "QQ==",
    "10.9.9.9",
    "arn:aws:a:b:1:x",
    "ann",
];

pub(crate) fn condition() -> impl Strategy<Value = Value> {
    let name =
        (select(vec!["", "", "", "ForAnyValue:", "ForAllValues:"]), select(&OPERATORS[..]), 0..5)
            .prop_map(|(set, operator, suffix)| match suffix {
                0 => (format!("{set}{operator}IfExists"), operator),
                1 => ("Null".to_owned(), "Null"),
                _ => (format!("{set}{operator}"), operator),
            });
    name.prop_flat_map(|(name, operator)| {
        let values = prop::collection::vec(select(values_for(operator)), 1..3);
        (Just(name), select(&KEYS[..]), values)
    })
    .prop_map(|(name, key, values)| json!({ name: { key: values } }))
}

fn some(values: &'static [&'static str]) -> impl Strategy<Value = Value> {
    prop_oneof![
        select(values).prop_map(|value| json!(value)),
        prop::collection::vec(select(values), 1..3).prop_map(|values| json!(values)),
    ]
}

/// One of two elements with one of these values.
fn either(
    name: &'static str,
    opposite: &'static str,
    values: BoxedStrategy<Value>,
) -> impl Strategy<Value = (&'static str, Value)> {
    (prop_oneof![5 => Just(name), 1 => Just(opposite)], values)
}

fn principals() -> impl Strategy<Value = Value> {
    let aws = &[OWN, USER, ROLE, SESSION, "222222222222", "arn:aws:iam::111111111111:root"];
    prop_oneof![
        1 => Just(json!("*")),
        8 => some(aws).prop_map(|names| json!({ "AWS": names })),
        2 => some(&["ecs.amazonaws.com", "ec2.amazonaws.com"]).prop_map(|names| json!({ "Service": names })),
        1 => Just(json!({ "Federated": PROVIDER, "AWS": USER })),
    ]
}

fn statement(with_principals: bool) -> impl Strategy<Value = Value> {
    let actions = some(&["*", "a:*", "a:Get", "A:G?t", "b:*", "a:P*t", "c:None"]);
    let resources = some(&[
        "*",
        "arn:aws:a:*",
        "arn:aws:a:r:*:x/*",
        "arn:aws:a:::${a:k}",
        "arn:aws:a:r:*:x/${a:none, 'y'}",
        "arn:aws:a:*:*:?/y",
    ]);
    let conditions = prop_oneof![3 => Just(None), 2 => condition().prop_map(Some)];
    (
        prop_oneof![6 => Just("Allow"), 1 => Just("Deny")],
        either("Action", "NotAction", actions.boxed()),
        either("Resource", "NotResource", resources.boxed()),
        either("Principal", "NotPrincipal", principals().boxed()),
        conditions,
    )
        .prop_map(move |(effect, action, resource, principal, conditions)| {
            let mut statement = Map::new();
            statement.insert("Effect".to_owned(), json!(effect));
            statement.insert(action.0.to_owned(), action.1);
            statement.insert(resource.0.to_owned(), resource.1);
            if with_principals {
                statement.insert(principal.0.to_owned(), principal.1);
            }
            if let Some(conditions) = conditions {
                statement.insert("Condition".to_owned(), conditions);
            }
            Value::Object(statement)
        })
}

fn document(with_principals: bool) -> impl Strategy<Value = Value> {
    let version = prop_oneof![9 => Just("2012-10-17"), 1 => Just("2008-10-17")];
    (version, prop::collection::vec(statement(with_principals), 1..4)).prop_map(
        |(version, statements)| {
            let statements = json!(statements);
            // In the first version a variable is no variable, and without one these are no ARNs.
            let has_arns = statements.to_string().contains("Arn");
            let version = if has_arns { "2012-10-17" } else { version };
            json!({ "Version": version, "Statement": statements })
        },
    )
}

pub(crate) fn documents() -> impl Strategy<Value = Documents> {
    let list = || prop::collection::vec(document(false), 1..3);
    let levels = prop_oneof![2 => Just(Vec::new()), 1 => prop::collection::vec(list(), 1..3)];
    (
        levels,
        prop::option::of((document(true), any::<bool>())),
        prop::collection::vec(document(false), 0..3),
        prop::option::weighted(0.3, document(false)),
        prop::option::weighted(0.3, list()),
    )
        .prop_map(|(service_control, resource, identity, boundary, session)| Documents {
            service_control,
            resource,
            identity,
            boundary,
            session,
        })
}

fn principal() -> impl Strategy<Value = Principal> {
    let session = PrincipalKind::AssumedRole {
        role_arn: ROLE.to_owned(),
        role_name: "r".to_owned(),
        session_name: "s".to_owned(),
    };
    let kinds = prop_oneof![
        4 => Just((PrincipalKind::User { name: "ann".to_owned() }, USER)),
        4 => Just((session, SESSION)),
        1 => Just((PrincipalKind::Root, "arn:aws:iam::111111111111:root")),
        1 => Just((PrincipalKind::Service { name: "ecs.amazonaws.com".to_owned() }, "ecs.amazonaws.com")),
        1 => Just((PrincipalKind::Anonymous, "anonymous")),
    ];
    (kinds, prop::option::of(select(vec!["x", "y"]))).prop_map(|((kind, arn), tag)| Principal {
        account: OWN.parse().unwrap(),
        arn: arn.to_owned(),
        user_id: "AIDAEXAMPLEEXAMPLE01".to_owned(),
        kind,
        tags: tag.map(|tag| ("t".to_owned(), tag.to_owned())).into_iter().collect(),
    })
}

pub(crate) fn caller() -> impl Strategy<Value = Caller> {
    let address = select(vec!["10.1.2.3", "192.0.2.1", "2001:db8::1"]);
    let session = (any::<bool>(), any::<bool>());
    (principal(), address, any::<bool>(), session, 0..2_i64, any::<bool>()).prop_map(
        |(principal, address, secure_transport, (has_mfa, has_token), day, vouched)| {
            let time = base::Timestamp::from_epoch_ms((1_767_225_600 + day * 86_400) * 1000);
            let is_session = match principal.kind {
                PrincipalKind::AssumedRole { .. } => true,
                PrincipalKind::User { .. } | PrincipalKind::Root => has_token,
                PrincipalKind::Service { .. } | PrincipalKind::Anonymous => false,
            };
            let session = SessionFacts {
                issued_at: is_session.then_some(time),
                mfa_at: (is_session && has_mfa).then_some(time),
                federated_provider: vouched.then(|| PROVIDER.to_owned()),
                ..SessionFacts::default()
            };
            Caller {
                principal: Arc::new(principal),
                session: Arc::new(session),
                source_ip: address.parse().unwrap(),
                secure_transport,
                ..Caller::root(OWN.parse().unwrap(), "eu-west-1".parse().unwrap(), time)
            }
        },
    )
}

pub(crate) fn access() -> impl Strategy<Value = Access> {
    let resources = vec![
        "arn:aws:a:::x",
        "arn:aws:a:r:111111111111:x/y",
        "arn:aws:a:r:111111111111:x/y",
        "arn:aws:a:r:222222222222:x/y",
        "*",
    ];
    let one = prop::option::of(select(&FOUND[..]));
    let many = prop::collection::vec(select(&FOUND[..]), 0..3);
    let actions = vec!["a:Get", "a:Put", "a:Get", "a:Put", "b:Get", "iam:Get", "sts:Get"];
    (select(actions), select(resources), one, many).prop_map(|(action, resource, one, many)| {
        let access = Access::new(action, resource);
        let access = one.iter().fold(access, |access, value| access.with_key("a:k", *value));
        many.iter().fold(access, |access, value| access.with_key("a:m", *value))
    })
}

pub(crate) fn compile(document: &Value, kind: PolicyKind) -> Arc<Policy> {
    // Written with line breaks or without, a document is the same.
    let text = serde_json::to_string_pretty(document).unwrap();
    let policy = Policy::parse(&text, kind).unwrap_or_else(|errors| panic!("{errors:?} in {text}"));
    assert_eq!(policy.size(), document.to_string().chars().count());
    Arc::new(policy)
}

fn name(document: &Value, kind: PolicyKind) -> NamedPolicy {
    NamedPolicy { name: "policy".into(), policy: compile(document, kind) }
}

pub(crate) fn permissions(documents: &Documents) -> Permissions {
    let identity =
        |all: &Vec<Value>| all.iter().map(|one| name(one, PolicyKind::Identity)).collect();
    let control =
        |all: &Vec<Value>| all.iter().map(|one| name(one, PolicyKind::ServiceControl)).collect();
    Permissions {
        identity: identity(&documents.identity),
        boundary: documents.boundary.as_ref().map(|one| name(one, PolicyKind::Identity)),
        session: documents.session.as_ref().map(identity),
        service_control: documents.service_control.iter().map(control).collect(),
        organization: None,
    }
}
