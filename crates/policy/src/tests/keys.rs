//! The condition keys of callers, and how resources and actions match.

use std::sync::Arc;

use super::support::{
    EVERYTHING, ROLE, access, caller, identity, named, policy, session, user, with_identity,
};
use crate::{
    Access, Caller, Membership, Permissions, PolicyKind, PrincipalKind, SessionFacts, decide,
};

/// Whether `condition` holds for `made`, who otherwise may do everything.
fn holds(made: &Caller, condition: &str, access: &Access) -> bool {
    let body = format!(r#"{EVERYTHING},"Condition":{{{condition}}}"#);
    let permissions =
        Permissions { identity: vec![identity("Allow", &body)], ..(*made.permissions).clone() };
    decide(&Caller { permissions: Arc::new(permissions), ..made.clone() }, access).is_allowed()
}

#[track_caller]
fn check(made: &Caller, key: &str, expected: Option<&str>) {
    let condition = match expected {
        Some(value) => format!(r#""ForAnyValue:StringEquals":{{"{key}":"{value}"}}"#),
        None => format!(r#""Null":{{"{key}":"true"}}"#),
    };
    assert!(holds(made, &condition, &access(&[])), "{key} should be {expected:?}");
}

#[test]
fn a_user_has_its_keys() {
    let made = Caller {
        source_ip: "::ffff:192.0.2.7".parse().unwrap(),
        source_vpce: Some("vpce-task-link"),
        user_agent: Some("aws-cli/2".to_owned()),
        secure_transport: true,
        permissions: Arc::new(Permissions {
            organization: Some(Arc::new(Membership {
                organization_id: "o-1".to_owned(),
                path: "o-1/r-1/ou-1/".to_owned(),
            })),
            ..Permissions::default()
        }),
        ..user(Permissions::default())
    };
    for (key, expected) in [
        ("aws:PrincipalArn", Some("arn:aws:iam::111111111111:user/ann")),
        ("aws:PrincipalAccount", Some("111111111111")),
        ("aws:PrincipalType", Some("User")),
        ("aws:PrincipalTag/Team", Some("blue")),
        ("AWS:PRINCIPALTAG/team", Some("blue")),
        ("aws:PrincipalTag/none", None),
        ("aws:userid", Some("AIDAEXAMPLEEXAMPLE01")),
        ("aws:username", Some("ann")),
        ("aws:SourceIp", Some("192.0.2.7")),
        ("aws:SourceVpce", Some("vpce-task-link")),
        ("aws:UserAgent", Some("aws-cli/2")),
        ("aws:SecureTransport", Some("true")),
        ("aws:CurrentTime", Some("2024-11-20T00:00:00Z")),
        ("aws:EpochTime", Some("1732060800")),
        ("aws:RequestedRegion", Some("eu-west-1")),
        ("aws:ResourceAccount", Some("111111111111")),
        ("aws:PrincipalOrgID", Some("o-1")),
        ("aws:PrincipalOrgPaths", Some("o-1/r-1/ou-1/")),
        ("aws:PrincipalIsAWSService", Some("false")),
        ("aws:ViaAWSService", Some("false")),
        ("aws:PrincipalServiceName", None),
        ("aws:MultiFactorAuthPresent", None),
        ("aws:MultiFactorAuthAge", None),
        ("aws:TokenIssueTime", None),
        ("aws:SourceIdentity", None),
        ("aws:FederatedProvider", None),
        ("aws:AssumedRoot", None),
        ("ecs:cluster", None),
    ] {
        check(&made, key, expected);
    }
}

#[test]
fn a_session_has_its_keys() {
    let plain = session(Permissions::default());
    for (key, expected) in [
        ("aws:PrincipalArn", Some(ROLE)),
        ("aws:PrincipalType", Some("AssumedRole")),
        ("aws:userid", Some("AROAEXAMPLEEXAMPLE01:ci")),
        ("aws:username", None),
        ("aws:MultiFactorAuthPresent", Some("false")),
        ("aws:MultiFactorAuthAge", None),
        ("aws:TokenIssueTime", Some("2024-11-19T23:59:00Z")),
    ] {
        check(&plain, key, expected);
    }
    let facts = SessionFacts {
        mfa_at: Some(plain.time.plus_seconds(-3_600)),
        source_identity: Some("ann".to_owned()),
        federated_provider: Some("idp".to_owned()),
        ..(*plain.session).clone()
    };
    let proven = Caller { session: Arc::new(facts), ..plain };
    for (key, expected) in [
        ("aws:MultiFactorAuthPresent", Some("true")),
        ("aws:MultiFactorAuthAge", Some("3600")),
        ("aws:SourceIdentity", Some("ann")),
        ("aws:FederatedProvider", Some("idp")),
    ] {
        check(&proven, key, expected);
    }
    let recent = r#""NumericLessThan":{"aws:MultiFactorAuthAge":"3601"},"DateGreaterThan":{"aws:CurrentTime":"2024-11-20"}"#;
    assert!(holds(&proven, recent, &access(&[])));
}

#[test]
fn an_access_cannot_change_what_the_caller_is() {
    let made = user(Permissions::default());
    for key in
        ["aws:username", "aws:MultiFactorAuthPresent", "aws:PrincipalTag/role", "aws:SourceVpce"]
    {
        let condition = format!(r#""StringEquals":{{"{key}":"true"}}"#);
        assert!(!holds(&made, &condition, &access(&[(key, &["true"])])), "{key}");
    }
    let condition = r#""StringEquals":{"aws:ResourceAccount":"1"}"#;
    assert!(!holds(&made, condition, &access(&[("aws:ResourceAccount", &["1"])])));
    let bucket = Access::new("s3:GetObject", "arn:aws:s3:::b").with_key("aws:ResourceAccount", "1");
    assert!(holds(&made, condition, &bucket));
}

#[test]
fn services_and_nobody_have_little() {
    let trust = |condition: &str| {
        let text = format!(
            r#"{{"Statement":{{"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole","Condition":{{{condition}}}}}}}"#
        );
        Access::new("sts:AssumeRole", ROLE)
            .with_resource_policy(policy(&text, PolicyKind::Trust), true)
    };
    let service = PrincipalKind::Service { name: "ecs-tasks.amazonaws.com".to_owned() };
    for (kind, condition) in [
        (
            service.clone(),
            r#""Bool":{"aws:PrincipalIsAWSService":"true"},"Null":{"aws:PrincipalArn":"true","aws:PrincipalAccount":"true"}"#,
        ),
        (service, r#""StringEquals":{"aws:PrincipalServiceName":"ecs-tasks.amazonaws.com"}"#),
        (
            PrincipalKind::Anonymous,
            r#""StringEquals":{"aws:PrincipalType":"Anonymous","aws:PrincipalAccount":"anonymous","aws:userid":"anonymous"}"#,
        ),
    ] {
        let made = caller(kind, Permissions::default());
        assert!(decide(&made, &trust(condition)).is_allowed(), "{condition}");
    }
}

#[test]
fn actions_and_resources_match_as_documented() {
    let cluster = "arn:aws:ecs:eu-west-1:111111111111:cluster/a";
    for (body, action, resource, expected) in [
        (r#""Action":"ECS:run*","Resource":"*""#, "ecs:RunTask", cluster, true),
        (r#""Action":"ecs:Run????","Resource":"*""#, "ecs:RunTask", cluster, true),
        (r#""Action":"ec:*","Resource":"*""#, "ecs:RunTask", cluster, false),
        (r#""Action":"*","Resource":"arn:aws:ecs:*/a""#, "ecs:RunTask", cluster, true),
        (r#""Action":"*","Resource":"arn:aws:ecs:*:cluster/A""#, "ecs:RunTask", cluster, false),
        (r#""Action":"*","Resource":"arn:aws:ecs:*:*:*""#, "ecs:ListClusters", "*", false),
        (r#""Action":"*","NotResource":"arn:aws:ecs:*:*:*""#, "ecs:ListClusters", "*", true),
        (r#""Action":"*","NotResource":"*""#, "ecs:ListClusters", "*", false),
        (r#""NotAction":["iam:*","ecs:Run*"],"Resource":"*""#, "ecs:RunTask", cluster, false),
        (r#""NotAction":"iam:*","Resource":"*""#, "ecs:RunTask", cluster, true),
        (
            r#""Action":"*","Resource":"arn:aws:ecs:*:*:cluster/${aws:PrincipalTag/none}""#,
            "ecs:RunTask",
            cluster,
            false,
        ),
        (
            r#""Action":"*","NotResource":"arn:aws:ecs:*:*:cluster/${aws:PrincipalTag/none}""#,
            "ecs:RunTask",
            cluster,
            false,
        ),
        (
            r#""Action":"*","Resource":"arn:aws:ecs:*:${aws:PrincipalAccount}:cluster/${aws:PrincipalTag/none, 'a'}""#,
            "ecs:RunTask",
            cluster,
            true,
        ),
    ] {
        let made = user(with_identity(vec![identity("Allow", body)]));
        let decision = decide(&made, &Access::new(action, resource));
        assert_eq!(decision.is_allowed(), expected, "{body} for {action} on {resource}");
    }
}

#[test]
fn the_first_version_has_no_variables() {
    let text = r#"{"Version":"2008-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"arn:aws:ecs:::${aws:username}"}}"#;
    let made = user(with_identity(vec![named("old", text, PolicyKind::Identity)]));
    assert!(!decide(&made, &Access::new("ecs:RunTask", "arn:aws:ecs:::ann")).is_allowed());
    assert!(
        decide(&made, &Access::new("ecs:RunTask", "arn:aws:ecs:::${aws:username}")).is_allowed()
    );
}
