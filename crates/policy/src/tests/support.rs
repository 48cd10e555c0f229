//! Callers and policies for tests.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::{
    Access, Caller, NamedPolicy, Permissions, Policy, PolicyKind, Principal, PrincipalKind,
    SessionFacts,
};

pub(super) const OWN: &str = "111111111111";
pub(super) const OTHER: &str = "222222222222";
pub(super) const ROLE: &str = "arn:aws:iam::111111111111:role/team/deploy";
pub(super) const SESSION: &str = "arn:aws:sts::111111111111:assumed-role/deploy/ci";
pub(super) const USER: &str = "arn:aws:iam::111111111111:user/ann";

#[track_caller]
pub(super) fn policy(text: &str, kind: PolicyKind) -> Arc<Policy> {
    match Policy::parse(text, kind) {
        Ok(policy) => Arc::new(policy),
        Err(errors) => panic!("{errors:?} in {text}"),
    }
}

#[track_caller]
pub(super) fn named(name: &str, text: &str, kind: PolicyKind) -> NamedPolicy {
    NamedPolicy { name: name.into(), policy: policy(text, kind) }
}

/// A document of one statement with `body`.
pub(super) fn one(effect: &str, body: &str) -> String {
    format!(r#"{{"Version":"2012-10-17","Statement":{{"Effect":"{effect}",{body}}}}}"#)
}

pub(super) const EVERYTHING: &str = r#""Action":"*","Resource":"*""#;

/// An identity policy of one statement.
#[track_caller]
pub(super) fn identity(effect: &str, body: &str) -> NamedPolicy {
    named("identity", &one(effect, body), PolicyKind::Identity)
}

pub(super) fn caller(kind: PrincipalKind, permissions: Permissions) -> Caller {
    let is_session = matches!(kind, PrincipalKind::AssumedRole { .. });
    let (arn, user_id) = match &kind {
        PrincipalKind::Root => ("arn:aws:iam::111111111111:root", OWN),
        PrincipalKind::User { .. } => (USER, "AIDAEXAMPLEEXAMPLE01"),
        PrincipalKind::AssumedRole { .. } => (SESSION, "AROAEXAMPLEEXAMPLE01:ci"),
        PrincipalKind::Service { .. } => ("service", ""),
        PrincipalKind::Anonymous => ("anonymous", ""),
    };
    let principal = Principal {
        account: OWN.parse().unwrap(),
        arn: arn.to_owned(),
        user_id: user_id.to_owned(),
        tags: BTreeMap::from([("Team".to_owned(), "blue".to_owned())]),
        kind,
    };
    let time = base::Timestamp::from_epoch_ms(1_732_060_800_500);
    let issued_at = is_session.then(|| time.plus_seconds(-60));
    let session = SessionFacts { issued_at, ..SessionFacts::default() };
    Caller {
        principal: Arc::new(principal),
        permissions: Arc::new(permissions),
        session: Arc::new(session),
        ..Caller::root(OWN.parse().unwrap(), "eu-west-1".parse().unwrap(), time)
    }
}

pub(super) fn user(permissions: Permissions) -> Caller {
    caller(PrincipalKind::User { name: "ann".to_owned() }, permissions)
}

pub(super) fn session(permissions: Permissions) -> Caller {
    let kind = PrincipalKind::AssumedRole {
        role_arn: ROLE.to_owned(),
        role_name: "deploy".to_owned(),
        session_name: "ci".to_owned(),
    };
    caller(kind, permissions)
}

pub(super) fn with_identity(policies: Vec<NamedPolicy>) -> Permissions {
    Permissions { identity: policies, ..Permissions::default() }
}

/// An access with the values of condition keys.
pub(super) fn access(keys: &[(&str, &[&str])]) -> Access {
    let mut access = Access::new("ecs:RunTask", "arn:aws:ecs:eu-west-1:111111111111:cluster/a");
    for (key, values) in keys {
        for value in *values {
            access = access.with_key(key, *value);
        }
    }
    access
}
