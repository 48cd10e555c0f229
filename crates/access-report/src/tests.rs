use std::sync::Arc;

use base::Timestamp;
use policy::{
    Access, Caller, Decision, Keys, NamedPolicy, Permissions, Policy, PolicyKind, Principal,
    PrincipalKind, decide,
};
use proptest::prelude::*;

use crate::{ActionUse, grants, smallest_policy, who_can};

const TASK: &str = "arn:aws:ecs:us-east-1:123456789012:task/web/0123456789abcdef0123456789abcdef";

fn one_use(action: &str, resource: &str, at_ms: i64) -> ActionUse {
    let last_used_at = Timestamp::from_epoch_ms(at_ms);
    ActionUse { action: action.to_owned(), resource: resource.to_owned(), last_used_at, count: 1 }
}

fn named(name: &str, document: &str) -> NamedPolicy {
    let policy = Policy::parse(document, PolicyKind::Identity).unwrap();
    NamedPolicy { name: name.into(), policy: Arc::new(policy) }
}

fn user(name: &str, policies: Vec<NamedPolicy>) -> Caller {
    let account: base::AccountId = "123456789012".parse().unwrap();
    let mut caller =
        Caller::root(account.clone(), "us-east-1".parse().unwrap(), Timestamp::default());
    caller.principal = Arc::new(Principal {
        arn: format!("arn:aws:iam::{account}:user/{name}"),
        user_id: "AIDAX".to_owned(),
        kind: PrincipalKind::User { name: name.to_owned() },
        tags: std::collections::BTreeMap::new(),
        account,
    });
    caller.permissions = Arc::new(Permissions { identity: policies, ..Permissions::default() });
    caller
}

#[test]
fn a_grant_knows_when_it_was_last_needed() {
    let policy = named(
        "own",
        r#"{"Version": "2012-10-17", "Statement": [
            {"Sid": "Read", "Effect": "Allow", "Action": ["ecs:List*", "ecs:RunTask"], "Resource": "*"},
            {"Effect": "Deny", "Action": "ecs:Delete*", "Resource": "*"},
            {"Effect": "Allow", "NotAction": "iam:*", "NotResource": "arn:aws:s3:::secret"}]}"#,
    );
    let uses = [
        one_use("ecs:ListTasks", "*", 5),
        one_use("ecs:listclusters", "*", 7),
        one_use("iam:GetUser", "*", 9),
    ];
    let found: Vec<_> = grants(&[policy], &uses)
        .into_iter()
        .map(|grant| (grant.statement, grant.action, grant.last_used_at))
        .collect();
    let at = |ms| Some(Timestamp::from_epoch_ms(ms));
    assert_eq!(
        found,
        [
            (0, "ecs:List*".to_owned(), at(7)),
            (0, "ecs:RunTask".to_owned(), None),
            (2, "*".to_owned(), at(7)),
        ]
    );
}

#[test]
fn the_smallest_policy_names_what_was_used_and_says_where_it_is_wider() {
    let uses = [
        one_use("ecs:DescribeTasks", TASK, 1),
        one_use("ecs:StopTask", TASK, 1),
        one_use("ecs:ListTasks", "*", 1),
    ];
    let smallest = smallest_policy(&uses).unwrap();
    let pattern = "arn:aws:ecs:us-east-1:123456789012:task/web/*";
    assert_eq!(smallest.widened, [pattern]);
    let document: serde_json::Value = serde_json::from_str(&smallest.document).unwrap();
    assert_eq!(
        document,
        serde_json::json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": ["ecs:ListTasks"], "Resource": ["*"]},
            {"Effect": "Allow", "Action": ["ecs:DescribeTasks", "ecs:StopTask"], "Resource": [pattern]},
        ]})
    );
    assert_eq!(smallest_policy(&[]), None);
}

#[test]
fn many_resources_of_one_collection_become_a_pattern() {
    let uses: Vec<ActionUse> = (0..6)
        .map(|number| {
            one_use("ecs:DeleteCluster", &format!("arn:aws:ecs:us-east-1:1:cluster/c{number}"), 1)
        })
        .collect();
    let smallest = smallest_policy(&uses).unwrap();
    assert_eq!(smallest.widened, ["arn:aws:ecs:us-east-1:1:cluster/*"]);
    let few = smallest_policy(&uses[..5]).unwrap();
    assert!(few.widened.is_empty() && few.document.contains("cluster/c4"), "{few:?}");
}

#[test]
fn who_can_names_those_who_can_and_what_it_depends_on() {
    let allow = |condition: &str| {
        format!(
            r#"{{"Version": "2012-10-17", "Statement": {{"Effect": "Allow", "Action": "ecs:RunTask",
            "Resource": "*"{condition}}}}}"#
        )
    };
    let condition = r#", "Condition": {"StringEquals": {"aws:ResourceTag/team": "shop"}}"#;
    let callers = [
        ("can", user("can", vec![named("p", &allow(""))])),
        ("might", user("might", vec![named("p", &allow(condition))])),
        ("cannot", user("cannot", Vec::new())),
    ];
    let access =
        Access::new("ecs:RunTask", "arn:aws:ecs:us-east-1:123456789012:task-definition/a:1");
    let principals = callers.iter().map(|(name, caller)| ((*name).to_owned(), caller));
    let abilities = who_can(principals, &access, &Keys::new());
    let short: Vec<_> = abilities
        .iter()
        .map(|one| (one.principal.as_str(), one.decision.is_allowed(), one.depends_on.len()))
        .collect();
    assert_eq!(short, [("can", true, 0), ("might", false, 1), ("cannot", false, 0)]);
    assert!(
        matches!(&abilities[0].decision, Decision::Allowed(Some(statement)) if statement.index == 0)
    );
    let assumed = Keys::from([("aws:resourcetag/team".to_owned(), vec!["shop".to_owned()])]);
    let (name, might) = &callers[1];
    assert!(who_can([((*name).to_owned(), might)], &access, &assumed)[0].decision.is_allowed());
}

proptest! {
    #[test]
    fn the_smallest_policy_covers_every_use(
        used in prop::collection::vec(("[a-c]:[A-C]{1,2}", "[a-c]", "(task|cluster)/[a-d]{1,2}|[0-9a-f]{32}"), 1..40),
    ) {
        let uses: Vec<ActionUse> = used
            .iter()
            .map(|(action, kind, name)| {
                one_use(action, &format!("arn:aws:ecs:us-east-1:123456789012:{kind}/{name}"), 1)
            })
            .collect();
        let smallest = smallest_policy(&uses).unwrap();
        let caller = user("u", vec![named("smallest", &smallest.document)]);
        for one in &uses {
            let access = Access::new(one.action.clone(), one.resource.clone());
            let decision = decide(&caller, &access);
            prop_assert!(decision.is_allowed(), "{one:?} is not covered by {}", smallest.document);
        }
        let elsewhere = Access::new("d:D", "arn:aws:ecs:us-east-1:123456789012:task/x");
        prop_assert!(!decide(&caller, &elsewhere).is_allowed());
    }
}
