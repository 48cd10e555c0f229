//! Policy documents of all kinds, and decisions made with them.
//!
//! A document that is accepted as an identity policy decides as its explanation says; denials of a
//! document that allows something are never turned round by attaching it twice.

use std::sync::Arc;

use base::{AccountId, Region, Timestamp};
use policy::{
    Access, Caller, NamedPolicy, Permissions, Policy, PolicyKind, Principal, PrincipalKind, decide,
    explain,
};

use super::{Target, behaviour};

pub(super) const TARGET: Target = Target {
    name: "policy",
    dictionary: &[
        "\"Version\":\"2012-10-17\"",
        "\"Statement\":",
        "\"Effect\":\"Allow\"",
        "\"Effect\":\"Deny\"",
        "\"Action\":",
        "\"NotAction\":",
        "\"Resource\":",
        "\"NotResource\":",
        "\"Principal\":",
        "\"Condition\":{",
        "\"StringLike\":{",
        "\"ForAllValues:StringEquals\":{",
        "\"IpAddress\":{",
        "\"NumericLessThan\":{",
        "\"DateGreaterThan\":{",
        "\"Bool\":{",
        "\"Null\":{",
        "IfExists",
        "\"ArnLike\":{",
        "\"BinaryEquals\":{",
        "\"aws:SourceIp\":",
        "\"aws:CurrentTime\":",
        "\"aws:username\":",
        "${aws:username}",
        "${",
        "}",
        "*",
        "?",
        "${*}",
        "***",
        "ecs:*",
        "\"ecs:RunTask\"",
        "arn:aws:ecs:*:*:task/*",
        "\"0.0.0.0/0\"",
        "\"::/129\"",
        "[",
        "]",
        "{",
        "\"Sid\":\"a\"",
        "\"2026-01-01T00:00:00Z\"",
        ",",
    ],
    repair: None,
    run,
};

fn run(input: &[u8]) -> u64 {
    let text = String::from_utf8_lossy(input);
    let mut outcomes = Vec::new();
    for kind in
        [PolicyKind::Identity, PolicyKind::Trust, PolicyKind::Resource, PolicyKind::ServiceControl]
    {
        outcomes.push(match Policy::parse(&text, kind) {
            Ok(policy) => decisions(policy, kind),
            Err(problems) => {
                assert!(!problems.is_empty() && problems.len() <= policy::MAX_PROBLEMS);
                problems.first().map(|problem| problem.problem.clone()).unwrap_or_default()
            }
        });
    }
    behaviour(&outcomes)
}

fn decisions(policy: Policy, kind: PolicyKind) -> String {
    assert!(policy.statements().len() <= policy::MAX_STATEMENTS);
    let again = Policy::parse(policy.text(), kind).expect("what was accepted is accepted again");
    assert_eq!(again.size(), policy.size());
    assert_eq!(again.context_keys(), policy.context_keys());
    let policy = Arc::new(policy);
    let mut outcome = String::new();
    for access in accesses() {
        let access = match kind {
            PolicyKind::Trust | PolicyKind::Resource => {
                access.with_resource_policy(Arc::clone(&policy), true)
            }
            PolicyKind::Identity | PolicyKind::ServiceControl => access,
        };
        let once = caller(&policy, kind, 1);
        let decision = decide(&once, &access);
        assert_eq!(explain(&once, &access).decision, decision, "explained otherwise");
        let twice = decide(&caller(&policy, kind, 2), &access);
        assert_eq!(twice.is_allowed(), decision.is_allowed(), "twice decides otherwise");
        outcome.push(if decision.is_allowed() { 'y' } else { 'n' });
    }
    outcome
}

fn accesses() -> [Access; 3] {
    [
        Access::new("ecs:RunTask", "arn:aws:ecs:us-east-1:123456789012:task-definition/web:1")
            .with_key("ecs:cluster", "arn:aws:ecs:us-east-1:123456789012:cluster/default"),
        Access::new("iam:CreateUser", "arn:aws:iam::123456789012:user/ann")
            .with_key("iam:PermissionsBoundary", ""),
        Access::new("sts:AssumeRole", "arn:aws:iam::123456789012:role/deploy"),
    ]
}

fn caller(policy: &Arc<Policy>, kind: PolicyKind, times: usize) -> Caller {
    let account: AccountId = "123456789012".parse().expect("an account");
    let region: Region = "us-east-1".parse().expect("a region");
    let time = Timestamp::from_epoch_ms(1_790_000_000_000);
    let mut caller = Caller::root(account.clone(), region, time);
    caller.principal = Arc::new(Principal {
        account,
        arn: "arn:aws:iam::123456789012:user/ann".to_owned(),
        user_id: "AIDAEXAMPLE".to_owned(),
        kind: PrincipalKind::User { name: "ann".to_owned() },
        tags: [("team".to_owned(), "${*}?".to_owned())].into(),
    });
    let named = NamedPolicy { name: "p".into(), policy: Arc::clone(policy) };
    let all = Policy::parse(
        r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#,
        PolicyKind::Identity,
    )
    .expect("a policy");
    let all = NamedPolicy { name: "all".into(), policy: Arc::new(all) };
    let attached = vec![named; times];
    caller.permissions = Arc::new(match kind {
        PolicyKind::Identity => Permissions { identity: attached, ..Permissions::default() },
        PolicyKind::ServiceControl => Permissions {
            identity: vec![all],
            service_control: vec![attached],
            ..Permissions::default()
        },
        PolicyKind::Trust | PolicyKind::Resource => Permissions::default(),
    });
    caller
}
