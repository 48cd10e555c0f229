//! Every branch of the decision.

use std::sync::Arc;

use super::support::{
    EVERYTHING, OTHER, OWN, ROLE, SESSION, USER, caller, identity, named, one, policy, session,
    user, with_identity,
};
use crate::{
    Access, Caller, Decision, NamedPolicy, Permissions, PolicyKind, PolicyType, PrincipalKind,
    SessionFacts, decide,
};

const HERE: &str = "arn:aws:logs:eu-west-1:111111111111:log-group:a";
const THERE: &str = "arn:aws:logs:eu-west-1:222222222222:log-group:a";
const NOTHING: &str = r#""Action":"none:None","Resource":"*""#;

#[track_caller]
fn all(kind: PolicyKind) -> NamedPolicy {
    named("all", &one("Allow", EVERYTHING), kind)
}

#[track_caller]
fn nothing() -> NamedPolicy {
    identity("Allow", NOTHING)
}

fn allowing() -> Permissions {
    with_identity(vec![all(PolicyKind::Identity)])
}

/// Reading `resource`, whose policy grants to `principal`.
#[track_caller]
fn granted(resource: &str, principal: &str, required: bool) -> Access {
    let text = one("Allow", &format!(r#""Principal":{principal},"Action":"*""#));
    Access::new("logs:GetLogEvents", resource)
        .with_resource_policy(policy(&text, PolicyKind::Resource), required)
}

fn aws(principal: &str) -> String {
    format!(r#"{{"AWS":"{principal}"}}"#)
}

fn plain(resource: &str) -> Access {
    Access::new("logs:GetLogEvents", resource)
}

/// `None` for an allowance, else the kind that does not allow.
#[track_caller]
fn check(caller: &Caller, access: &Access, expected: Option<PolicyType>) {
    match (decide(caller, access), expected) {
        (Decision::Allowed(_), None) => {}
        (Decision::NotAllowed(found), Some(expected)) if found == expected => {}
        (found, expected) => panic!("expected {expected:?}, found {found:?}"),
    }
}

#[test]
fn a_user_needs_an_identity_policy() {
    check(&user(Permissions::default()), &plain(HERE), Some(PolicyType::Identity));
    check(&user(allowing()), &plain(HERE), None);
}

#[test]
fn an_explicit_deny_in_any_policy_decides_and_is_named() {
    let deny = |kind| {
        let text = format!(
            r#"{{"Statement":[{{"Effect":"Allow",{EVERYTHING}}},{{"Sid":"No","Effect":"Deny",{EVERYTHING}}}]}}"#
        );
        named("deny", &text, kind)
    };
    let denies = deny(PolicyKind::Identity);
    let scp = deny(PolicyKind::ServiceControl);
    let full = all(PolicyKind::ServiceControl);
    for (permissions, expected) in [
        (Permissions { identity: vec![denies.clone()], ..allowing() }, PolicyType::Identity),
        (Permissions { boundary: Some(denies.clone()), ..allowing() }, PolicyType::Boundary),
        (Permissions { session: Some(vec![nothing(), denies]), ..allowing() }, PolicyType::Session),
        (
            Permissions { service_control: vec![vec![full], vec![scp]], ..allowing() },
            PolicyType::ServiceControl,
        ),
    ] {
        let Decision::ExplicitlyDenied(statement) = decide(&session(permissions), &plain(HERE))
        else {
            panic!("expected a denial by {expected:?}");
        };
        assert_eq!(statement.policy_type, expected);
        assert_eq!((&*statement.policy, statement.index), ("deny", 1));
        assert_eq!(statement.sid.as_deref(), Some("No"));
    }
    let text = one("Deny", r#""Principal":{"AWS":"111111111111"},"Action":"*""#);
    let access = plain(HERE).with_resource_policy(policy(&text, PolicyKind::Resource), false);
    let Decision::ExplicitlyDenied(statement) = decide(&user(allowing()), &access) else {
        panic!("expected a denial");
    };
    assert_eq!((statement.policy_type, &*statement.policy), (PolicyType::Resource, HERE));
}

#[test]
fn a_deny_wins_over_whatever_is_missing() {
    let permissions = Permissions {
        identity: vec![identity("Deny", EVERYTHING)],
        service_control: vec![vec![]],
        ..Permissions::default()
    };
    assert!(matches!(
        decide(&user(permissions), &plain(THERE)),
        Decision::ExplicitlyDenied(statement) if statement.policy_type == PolicyType::Identity
    ));
}

#[test]
fn service_control_policies_must_allow_at_every_level() {
    let full = || vec![all(PolicyKind::ServiceControl)];
    let with = |levels| Permissions { service_control: levels, ..allowing() };
    let missing = Some(PolicyType::ServiceControl);
    check(&user(with(vec![full(), full()])), &plain(HERE), None);
    check(&user(with(vec![full(), vec![]])), &plain(HERE), missing);
    check(&user(with(vec![vec![], full()])), &plain(HERE), missing);
    check(&caller(PrincipalKind::Root, with(vec![full(), vec![]])), &plain(HERE), missing);
    check(&caller(PrincipalKind::Root, with(vec![full()])), &plain(HERE), None);
    let linked = PrincipalKind::AssumedRole {
        role_arn: format!("arn:aws:iam::{OWN}:role/aws-service-role/ecs.amazonaws.com/Ecs"),
        role_name: "Ecs".to_owned(),
        session_name: "ecs".to_owned(),
    };
    check(&caller(linked, with(vec![vec![]])), &plain(HERE), None);
}

#[test]
fn boundaries_and_session_policies_limit() {
    let bounded = Permissions { boundary: Some(nothing()), session: Some(vec![]), ..allowing() };
    check(&user(bounded), &plain(HERE), Some(PolicyType::Boundary));
    let scoped = Permissions { session: Some(vec![nothing()]), ..allowing() };
    check(&session(scoped), &plain(HERE), Some(PolicyType::Session));
    let both = Permissions {
        boundary: Some(all(PolicyKind::Identity)),
        session: Some(vec![nothing(), all(PolicyKind::Identity)]),
        ..allowing()
    };
    check(&session(both), &plain(HERE), None);
}

#[test]
fn a_resource_in_the_account_grants_by_how_it_names_the_caller() {
    let bounded = || Permissions { boundary: Some(nothing()), ..Permissions::default() };
    let scoped = || Permissions { session: Some(vec![]), ..Permissions::default() };
    // Itself, or everybody: past every implicit deny.
    check(&user(bounded()), &granted(HERE, &aws(USER), false), None);
    check(&user(bounded()), &granted(HERE, &aws("AIDAEXAMPLEEXAMPLE01"), false), None);
    check(&user(bounded()), &granted(HERE, "\"*\"", false), None);
    check(&session(bounded()), &granted(HERE, &aws(SESSION), false), None);
    check(&session(scoped()), &granted(HERE, &aws(SESSION), false), None);
    // Its role: boundary and session policies still limit.
    let by_role = granted(HERE, &aws(ROLE), false);
    check(&session(Permissions::default()), &by_role, None);
    check(&session(bounded()), &by_role, Some(PolicyType::Boundary));
    check(&session(scoped()), &by_role, Some(PolicyType::Session));
    check(
        &session(scoped()),
        &granted(HERE, &aws("AROAEXAMPLEEXAMPLE01"), false),
        Some(PolicyType::Session),
    );
    // Its account: the account's policies decide.
    for account in [aws(OWN), aws("arn:aws:iam::111111111111:root")] {
        check(
            &user(Permissions::default()),
            &granted(HERE, &account, false),
            Some(PolicyType::Identity),
        );
        check(&user(allowing()), &granted(HERE, &account, false), None);
    }
    // Somebody else.
    let other = granted(HERE, &aws("arn:aws:iam::111111111111:user/bob"), false);
    check(&user(Permissions::default()), &other, Some(PolicyType::Identity));
    check(&user(allowing()), &other, None);
}

#[test]
fn the_most_direct_of_several_grants_counts() {
    let text = format!(
        r#"{{"Statement":[{{"Effect":"Allow","Principal":{{"AWS":"{OWN}"}},"Action":"*"}},
        {{"Effect":"Allow","Principal":{{"AWS":["{ROLE}","{USER}"]}},"Action":"*"}}]}}"#
    );
    let access = plain(HERE).with_resource_policy(policy(&text, PolicyKind::Resource), false);
    let Decision::Allowed(Some(statement)) = decide(&user(Permissions::default()), &access) else {
        panic!("expected an allowance");
    };
    assert_eq!((statement.policy_type, statement.index), (PolicyType::Resource, 1));
}

#[test]
fn some_resources_must_allow_themselves() {
    let required = |principal: &str| granted(HERE, principal, true);
    check(
        &user(allowing()),
        &required(&aws("arn:aws:iam::111111111111:user/bob")),
        Some(PolicyType::Resource),
    );
    check(&user(Permissions::default()), &required(&aws(USER)), None);
    check(&session(Permissions::default()), &required(&aws(ROLE)), None);
    check(&user(Permissions::default()), &required(&aws(OWN)), Some(PolicyType::Identity));
    check(&user(allowing()), &required(&aws(OWN)), None);
    let bounded = Permissions { boundary: Some(nothing()), ..allowing() };
    check(&user(bounded), &required(&aws(OWN)), Some(PolicyType::Boundary));
}

#[test]
fn across_accounts_both_sides_must_allow() {
    check(&user(allowing()), &plain(THERE), Some(PolicyType::Resource));
    for principal in [aws(USER), aws(OWN), "\"*\"".to_owned()] {
        let access = granted(THERE, &principal, false);
        check(&user(Permissions::default()), &access, Some(PolicyType::Identity));
        check(&user(allowing()), &access, None);
        let bounded = Permissions { boundary: Some(nothing()), ..allowing() };
        check(&user(bounded), &access, Some(PolicyType::Boundary));
    }
    let by_session = granted(THERE, &aws(SESSION), true);
    check(&session(Permissions::default()), &by_session, Some(PolicyType::Identity));
    check(&session(allowing()), &by_session, None);
    check(&user(allowing()), &granted(THERE, &aws(OTHER), false), Some(PolicyType::Resource));
    // What AWS owns is everybody's own.
    check(&user(allowing()), &plain("arn:aws:iam::aws:policy/ReadOnlyAccess"), None);
}

#[test]
fn not_principal_is_about_everybody_else() {
    let deny = |principals: &str| {
        let text = one("Deny", &format!(r#""NotPrincipal":{{"AWS":[{principals}]}},"Action":"*""#));
        plain(HERE).with_resource_policy(policy(&text, PolicyKind::Resource), false)
    };
    let denied =
        |caller: &Caller, access| matches!(decide(caller, &access), Decision::ExplicitlyDenied(_));
    assert!(!denied(&user(allowing()), deny(&format!("\"{USER}\""))));
    assert!(denied(&session(allowing()), deny(&format!("\"{USER}\""))));
    assert!(!denied(&session(allowing()), deny(&format!("\"{USER}\",\"{ROLE}\""))));
    assert!(denied(&user(allowing()), deny(&format!("\"{OTHER}\""))));
}

#[test]
fn services_and_federated_callers_need_the_resource() {
    let service = |name: &str| {
        caller(PrincipalKind::Service { name: name.to_owned() }, Permissions::default())
    };
    let trust =
        granted(HERE, r#"{"Service":["ecs.amazonaws.com","ecs-tasks.amazonaws.com"]}"#, true);
    check(&service("ecs-tasks.amazonaws.com"), &trust, None);
    check(&service("ec2.amazonaws.com"), &trust, Some(PolicyType::Resource));
    check(&service("ec2.amazonaws.com"), &plain(HERE), Some(PolicyType::Resource));
    check(&user(allowing()), &trust, Some(PolicyType::Resource));

    let nobody = caller(PrincipalKind::Anonymous, Permissions::default());
    check(&nobody, &plain(HERE), Some(PolicyType::Resource));
    check(&nobody, &granted(HERE, &aws("*"), false), None);
    let federated =
        granted(HERE, r#"{"Federated":"arn:aws:iam::111111111111:oidc-provider/x"}"#, true);
    check(&nobody, &federated, Some(PolicyType::Resource));
    let provider = Some("arn:aws:iam::111111111111:oidc-provider/x".to_owned());
    let vouched = SessionFacts { federated_provider: provider, ..SessionFacts::default() };
    check(&Caller { session: Arc::new(vouched.clone()), ..nobody }, &federated, None);
    let made = session(allowing());
    check(&Caller { session: Arc::new(vouched), ..made }, &federated, Some(PolicyType::Resource));
}

#[test]
fn root_may_do_all_but_leave_its_account_or_become_a_role() {
    let root = caller(PrincipalKind::Root, Permissions::default());
    check(&root, &plain(HERE), None);
    check(&root, &granted(HERE, &aws(USER), true), None);
    check(&root, &granted(THERE, &aws(OWN), false), Some(PolicyType::Resource));
    let trust =
        policy(&one("Allow", r#""Principal":"*","Action":"sts:AssumeRole""#), PolicyKind::Trust);
    let assume = Access::new("sts:AssumeRole", ROLE).with_resource_policy(trust, true);
    check(&root, &assume, Some(PolicyType::Identity));
    let text = one("Deny", r#""Principal":{"AWS":"arn:aws:iam::111111111111:root"},"Action":"*""#);
    let denied = plain(HERE).with_resource_policy(policy(&text, PolicyKind::Resource), false);
    assert!(matches!(decide(&root, &denied), Decision::ExplicitlyDenied(_)));
}

#[test]
fn everybody_with_a_name_may_ask_for_it() {
    let ask = Access::new("sts:GetCallerIdentity", "*");
    let denied = with_identity(vec![identity("Deny", EVERYTHING)]);
    check(&user(denied), &ask, None);
    check(&caller(PrincipalKind::Anonymous, allowing()), &ask, Some(PolicyType::Resource));
}

#[test]
fn an_allowance_names_its_statement() {
    let made = user(with_identity(vec![nothing(), all(PolicyKind::Identity)]));
    let Decision::Allowed(Some(statement)) = decide(&made, &plain(HERE)) else {
        panic!("expected an allowance");
    };
    assert_eq!((&*statement.policy, statement.index), ("all", 0));
}

#[test]
fn only_the_beginning_of_a_path_makes_a_role_a_services_own() {
    let bound = Permissions { service_control: vec![Vec::new()], ..allowing() };
    let of = |path: &str| {
        let kind = PrincipalKind::AssumedRole {
            role_arn: format!("arn:aws:iam::{OWN}:role{path}r"),
            role_name: "r".to_owned(),
            session_name: "s".to_owned(),
        };
        caller(kind, bound.clone())
    };
    check(&of("/aws-service-role/ecs.amazonaws.com/"), &plain(HERE), None);
    for path in ["/", "/x:role/aws-service-role/", "/x/aws-service-role/"] {
        check(&of(path), &plain(HERE), Some(PolicyType::ServiceControl));
    }
}

#[test]
fn a_session_token_is_for_no_iam_without_a_second_factor_and_for_no_sts_but_roles() {
    let with = |kind: PrincipalKind, mfa: bool| {
        let plain = caller(kind, allowing());
        let session = SessionFacts {
            issued_at: Some(plain.time),
            mfa_at: mfa.then_some(plain.time),
            ..SessionFacts::default()
        };
        Caller { session: Arc::new(session), ..plain }
    };
    let user = || PrincipalKind::User { name: "ann".to_owned() };
    let beyond = Some(PolicyType::Session);
    for (action, without, with_mfa) in [
        ("iam:CreateAccessKey", beyond, None),
        ("IAM:getuser", beyond, None),
        ("iam:PassRole", None, None),
        ("sts:GetAccessKeyInfo", beyond, beyond),
        ("sts:AssumeRoleWithWebIdentity", beyond, beyond),
        ("sts:GetCallerIdentity", None, None),
        ("sts:AssumeRole", None, None),
        ("sts:TagSession", None, None),
        ("ecs:RunTask", None, None),
    ] {
        let access = Access::new(action, "*");
        check(&with(user(), false), &access, without);
        check(&with(user(), true), &access, with_mfa);
        check(&session(allowing()), &access, None);
    }
    let root = with(PrincipalKind::Root, false);
    check(&root, &Access::new("iam:CreateUser", "*"), beyond);
    check(&root, &Access::new("ecs:RunTask", "*"), None);
    check(&caller(PrincipalKind::Root, allowing()), &Access::new("iam:CreateUser", "*"), None);
}
