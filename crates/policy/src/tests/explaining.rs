//! Explanations and simulations.

use super::support::{EVERYTHING, USER, access, named, one, policy, user, with_identity};
use crate::{Effect, Keys, Permissions, PolicyKind, PolicyType, Position, explain, simulate};

const TWO: &str = r#"{
  "Version": "2012-10-17",
  "Statement": [
    {"Sid": "Tagged", "Effect": "Allow", "Action": "ecs:Run*", "Resource": "*",
     "Condition": {"StringEquals": {"aws:RequestTag/team": "${aws:PrincipalTag/Team}"}}},
    {
      "Effect": "Deny", "Action": "ecs:*", "NotResource": "arn:aws:ecs:*:*:cluster/a",
      "Condition": {"Bool": {"aws:MultiFactorAuthPresent": "false"}}
    },
    {"Effect": "Allow", "Action": "ecs:RunTask", "Resource": "arn:aws:ecs:*:*:cluster/*"}
  ]
}"#;

#[test]
fn an_explanation_names_matches_and_missing_keys() {
    let made = user(Permissions {
        boundary: Some(named("edge", &one("Allow", EVERYTHING), PolicyKind::Identity)),
        ..with_identity(vec![named("two", TWO, PolicyKind::Identity)])
    });
    let text = one("Allow", &format!(r#""Principal":{{"AWS":"{USER}"}},"Action":"*""#));
    let asked = access(&[]).with_resource_policy(policy(&text, PolicyKind::Resource), false);
    let explanation = explain(&made, &asked);
    assert!(explanation.decision.is_allowed());
    assert_eq!(explanation.missing_keys, ["aws:MultiFactorAuthPresent", "aws:RequestTag/team"]);
    assert_eq!(explanation.allowed_by_boundary, Some(true));
    assert_eq!(explanation.allowed_by_service_control, None);
    let types: Vec<PolicyType> =
        explanation.matched.iter().map(|found| found.policy_type).collect();
    assert_eq!(types, [PolicyType::Resource, PolicyType::Identity, PolicyType::Boundary]);
    let found = &explanation.matched[1];
    assert_eq!((&*found.policy, found.index, found.effect), ("two", 2, Effect::Allow));
    assert_eq!(found.start, Position { line: 10, column: 5 });
    assert_eq!(found.end, Position { line: 10, column: 90 });
}

#[test]
fn service_control_is_explained_level_by_level() {
    let full = named("full", &one("Allow", EVERYTHING), PolicyKind::ServiceControl);
    let some = named(
        "some",
        &one("Allow", r#""Action":"s3:*","Resource":"*""#),
        PolicyKind::ServiceControl,
    );
    let with = |levels| user(Permissions { service_control: levels, ..Permissions::default() });
    let both = with(vec![vec![full.clone()], vec![some]]);
    assert_eq!(explain(&both, &access(&[])).allowed_by_service_control, Some(false));
    let one = with(vec![vec![full]]);
    assert_eq!(explain(&one, &access(&[])).allowed_by_service_control, Some(true));
}

#[test]
fn a_simulation_knows_only_what_it_is_told_of_the_request() {
    let condition = r#""Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"},"StringEquals":{"aws:username":"bob"}}"#;
    let text = one("Allow", &format!("{EVERYTHING},{condition}"));
    let made = user(with_identity(vec![named("ip", &text, PolicyKind::Identity)]));
    let nothing = simulate(&made, &access(&[]), &Keys::new());
    assert_eq!(nothing.missing_keys, ["aws:SourceIp"]);
    assert!(!nothing.decision.is_allowed());
    let keys = Keys::from([
        ("aws:sourceip".to_owned(), vec!["10.1.1.1".to_owned()]),
        ("aws:username".to_owned(), vec!["bob".to_owned()]),
    ]);
    let told = simulate(&made, &access(&[]), &keys);
    assert!(told.decision.is_allowed());
    assert_eq!(told.missing_keys, Vec::<String>::new());
}

#[test]
fn a_document_tells_what_it_says() {
    let two = policy(TWO, PolicyKind::Identity);
    assert_eq!(
        two.context_keys(),
        ["aws:MultiFactorAuthPresent", "aws:PrincipalTag/Team", "aws:RequestTag/team"]
    );
    let [tagged, denied, _] = two.statements() else { panic!("{:?}", two.statements()) };
    assert_eq!(
        (tagged.sid(), tagged.effect(), tagged.has_conditions()),
        (Some("Tagged"), Effect::Allow, true)
    );
    assert!(tagged.is_about_action("ECS:RunTask") && !tagged.is_about_action("ecs:StopTask"));
    assert!(denied.is_not_resource() && !denied.is_not_action());
    assert_eq!(denied.resources().collect::<Vec<_>>(), ["arn:aws:ecs:*:*:cluster/a"]);
    assert_eq!(denied.actions().collect::<Vec<_>>(), ["ecs:*"]);
    let bare: String = TWO.chars().filter(|char| !char.is_whitespace()).collect();
    assert_eq!(two.size(), bare.chars().count());
    assert_eq!(two.text(), TWO);
}
