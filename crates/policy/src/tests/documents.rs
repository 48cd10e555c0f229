//! What is refused, where and in which words.

use std::sync::Arc;

use proptest::prelude::*;

use super::support::{OWN, access, one, session};
use crate::{MAX_DOCUMENT_BYTES, Permissions, Policy, PolicyKind, explain};

/// Each problem as `path: problem`.
fn problems(text: &str, kind: PolicyKind) -> Vec<String> {
    let errors = Policy::parse(text, kind).err().unwrap_or_default();
    errors.iter().map(|error| format!("{}: {}", error.path, error.problem)).collect()
}

#[track_caller]
fn check(kind: PolicyKind, body: &str, expected: &[&str]) {
    assert_eq!(problems(&one("Allow", body), kind), expected, "{body}");
}

#[test]
fn all_problems_are_reported_with_their_places() {
    let text = r#"{
  "Version": "2012-10-18",
  "Statements": [],
  "Statement": [
    {"Sid": "a b", "Effect": "allow", "Action": "RunTask", "Resource": "cluster/a"},
    {"Sid": "x", "Effect": "Allow", "Action": "ecs:*", "Resource": "*",
     "Condition": {"StringEqual": {"ecs:cluster": "a"}, "Bool": {"aws:SecureTransport": "yes"}}},
    {"Sid": "x", "Effect": "Deny", "NotAction": "ecs:*", "Action": "ecs:*"}
  ]
}"#;
    let errors = Policy::parse(text, PolicyKind::Identity).unwrap_err();
    let found: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(
        found,
        [
            "the policy language has the versions `2012-10-17` and `2008-10-17` at Version (line 2, column 14)",
            "`Statements` is not an element of a policy: write `Version`, `Id` or `Statement` at Statements (line 3, column 3)",
            "statement ids (`Sid`) must be alphanumeric: `a b` is not at Statement[0].Sid (line 5, column 13)",
            "the effect is `Allow` or `Deny`, written so at Statement[0].Effect (line 5, column 30)",
            "`RunTask` is not an action: it must be prefaced by a service, as in `ecs:RunTask` at Statement[0].Action (line 5, column 49)",
            "resource `cluster/a` must be in ARN format or `*` at Statement[0].Resource (line 5, column 72)",
            "`StringEqual` is not a condition operator: write one such as `StringEquals`, `ArnLike`, `Bool` or `IpAddress` at Statement[1].Condition.StringEqual (line 7, column 20)",
            "`yes` is not `true` or `false` at Statement[1].Condition.Bool.aws:SecureTransport (line 7, column 89)",
            "missing required field `Resource` at Statement[2] (line 8, column 5)",
            "statement ids (`Sid`) in a single policy must be unique: `x` is there twice at Statement[2].Sid (line 8, column 5)",
            "a statement has `NotAction` or `Action`, not both: keep one at Statement[2].Action (line 8, column 58)",
        ]
    );
}

#[test]
fn the_outline_must_be_a_policy() {
    for (text, expected) in [
        ("", "document: the document is not valid JSON: it ends where a value is expected"),
        ("[]", "document: expected an object, found a list"),
        ("{}", "document: missing required field `Statement`"),
        (r#"{"Statement":[]}"#, "Statement: the policy has no statements: write at least one"),
        (r#"{"Statement":"a"}"#, "Statement: a statement is an object, found a text"),
        (
            r#"{"Version":1,"Version":1,"Statement":[1]}"#,
            "Version: the policy language has the versions `2012-10-17` and `2008-10-17`",
        ),
    ] {
        assert_eq!(
            problems(text, PolicyKind::Identity).first().map(String::as_str),
            Some(expected),
            "{text}"
        );
    }
    let long = format!(
        "{}{}",
        one("Allow", r#""Action":"*","Resource":"*""#),
        " ".repeat(MAX_DOCUMENT_BYTES)
    );
    assert!(
        problems(&long, PolicyKind::Identity)[0].contains("no policy may have more than 20480")
    );
    let many = format!(r#"{{"Statement":[{}{{}}]}}"#, "{},".repeat(250));
    assert_eq!(
        problems(&many, PolicyKind::Identity),
        ["Statement: the policy has more than 250 statements: split it"]
    );
    let wrong = format!(r#"{{"Statement":[{}{{}}]}}"#, "{},".repeat(100));
    assert_eq!(problems(&wrong, PolicyKind::Identity).len(), crate::MAX_PROBLEMS);
}

#[test]
fn elements_belong_to_their_kinds_of_documents() {
    let principal = r#""Principal":{"AWS":"111111111111"},"Action":"sts:AssumeRole""#;
    check(PolicyKind::Trust, principal, &[]);
    check(PolicyKind::Resource, principal, &[]);
    for kind in [PolicyKind::Identity, PolicyKind::ServiceControl] {
        check(kind, r#""Action":"*","Resource":"*""#, &[]);
        check(
            kind,
            r#""NotAction":"iam:*","NotResource":["arn:aws:s3:::b/*"],"Condition":{}"#,
            &[],
        );
        check(
            kind,
            principal,
            &[
                "Statement: missing required field `Resource`",
                "Statement.Principal: has prohibited field `Principal`",
            ],
        );
    }
    check(
        PolicyKind::Trust,
        r#""Principal":"*","Action":["sts:AssumeRole","*"],"Resource":"*""#,
        &[
            "Statement.Action[1]: a role's trust policy may only specify STS AssumeRole actions",
            "Statement.Resource: has prohibited field `Resource`: a trust policy is about its own role",
        ],
    );
    check(
        PolicyKind::Trust,
        r#""NotPrincipal":"*","NotAction":"sts:TagSession""#,
        &[
            "Statement.NotPrincipal: has prohibited field `NotPrincipal`",
            "Statement.NotAction: a role's trust policy may only specify STS AssumeRole actions",
        ],
    );
    check(
        PolicyKind::Resource,
        r#""Action":"*""#,
        &["Statement: missing required field `Principal`"],
    );
    let spaced = one("Allow", r#""Sid":"let them in","Principal":"*","Action":"*""#);
    assert!(problems(&spaced, PolicyKind::Resource).is_empty());
}

#[test]
fn principals_are_written_out() {
    let problem = |kind: &str, text: &str| {
        let body = format!(r#""Principal":{{"{kind}":"{text}"}},"Action":"sts:AssumeRole""#);
        problems(&one("Allow", &body), PolicyKind::Trust).pop()
    };
    for (kind, text) in [
        ("AWS", "*"),
        ("AWS", OWN),
        ("AWS", "arn:aws:iam::111111111111:root"),
        ("AWS", "arn:aws:iam::111111111111:user/team/ann"),
        ("AWS", "arn:aws-cn:iam::111111111111:role/a"),
        ("AWS", "arn:aws:sts::111111111111:assumed-role/deploy/ci"),
        ("AWS", "AROAEXAMPLEEXAMPLE01"),
        ("Service", "ecs-tasks.amazonaws.com"),
        ("Federated", "arn:aws:iam::111111111111:oidc-provider/token.example"),
        ("Federated", "accounts.google.com"),
    ] {
        assert_eq!(problem(kind, text), None, "{kind} {text}");
    }
    for (kind, text) in [
        ("AWS", ""),
        ("AWS", "11111111111"),
        ("AWS", "arn:aws:iam::111111111111:user/*"),
        ("AWS", "arn:aws:iam::111111111111:group/a"),
        ("AWS", "arn:aws:iam::111111111111:root/a"),
        ("AWS", "arn:aws:iam::*:role/a"),
        ("AWS", "arn:aws:sts::111111111111:assumed-role/deploy"),
        ("Service", "*"),
        ("Federated", ""),
        ("CanonicalUser", "ann"),
        ("Account", OWN),
    ] {
        assert!(problem(kind, text).is_some(), "{kind} {text}");
    }
    check(
        PolicyKind::Trust,
        r#""Principal":"ann","Action":"sts:AssumeRole""#,
        &["Statement.Principal: invalid principal `ann` in policy: write `*` or an object"],
    );
    check(
        PolicyKind::Trust,
        r#""Principal":{},"Action":"sts:AssumeRole""#,
        &["Statement.Principal: policy statement must contain principals"],
    );
}

#[test]
fn actions_and_resources_have_their_forms() {
    for (action, expected) in [
        ("*:*", "the service `*` of the action `*:*` is not valid"),
        ("e cs:Run", "the service `e cs` of the action `e cs:Run` is not valid"),
        ("ecs:", "the name of the action `ecs:` is not valid"),
        ("ecs:Run Task", "the name of the action `ecs:Run Task` is not valid"),
        ("ecs:Run:Task", "the action `ecs:Run:Task` can contain only one colon"),
    ] {
        let body = format!(r#""Action":["ecs:*","{action}"],"Resource":"*""#);
        check(PolicyKind::Identity, &body, &[&format!("Statement.Action[1]: {expected}")]);
    }
    for (resource, expected) in [
        ("", "resource `` must be in ARN format or `*`"),
        ("arn:aws:s3:b", "resource `arn:aws:s3:b` must be in ARN format or `*`"),
        ("arn:aws:s3:::", "resource `arn:aws:s3:::` must be in ARN format or `*`"),
        ("arn:AWS:s3:::b", "partition `AWS` is not valid for resource `arn:AWS:s3:::b`"),
        (
            "arn:aws:*:::b",
            "the service of resource `arn:aws:*:::b` must be written out, without wildcards",
        ),
        (
            "arn:aws:s3:::${aws:username",
            "the variable in `arn:aws:s3:::${aws:username` is not closed: write `${key}`",
        ),
        (
            "arn:aws:s3:::${user}",
            "`${user}` is not a policy variable: write `${key}` or `${key, 'default'}`",
        ),
        (
            "arn:aws:s3:::${aws:a, b}",
            "`${aws:a, b}` is not a policy variable: write `${key}` or `${key, 'default'}`",
        ),
    ] {
        let body = format!(r#""Action":"*","Resource":"{resource}""#);
        check(PolicyKind::Identity, &body, &[&format!("Statement.Resource: {expected}")]);
    }
    let old = r#"{"Statement":{"Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::${user"}}"#;
    assert_eq!(problems(old, PolicyKind::Identity), Vec::<String>::new());
}

#[test]
fn condition_values_have_the_operators_type() {
    for (condition, expected) in [
        (r#""NumericEquals":{"ecs:k":"ten"}"#, "NumericEquals.ecs:k: `ten` is not a number"),
        (
            r#""DateEquals":{"ecs:k":[1,"soon"]}"#,
            "DateEquals.ecs:k[1]: `soon` is not a date: write one such as `2026-11-20T00:00:00Z`, or seconds since 1970",
        ),
        (
            r#""IpAddress":{"ecs:k":"10/8"}"#,
            "IpAddress.ecs:k: `10/8` is not an address range: write one such as `203.0.113.0/24` or `2001:db8::/32`",
        ),
        (r#""BinaryEquals":{"ecs:k":"Q"}"#, "BinaryEquals.ecs:k: `Q` is not padded base64"),
        (r#""Null":{"ecs:k":1}"#, "Null.ecs:k: `1` is not `true` or `false`"),
        (
            r#""NullIfExists":{"ecs:k":true}"#,
            "NullIfExists: `Null` already asks whether the key exists: remove `IfExists`",
        ),
        (
            r#""ArnLike":{"ecs:k":"arn:aws:iam"}"#,
            "ArnLike.ecs:k: `arn:aws:iam` is not an ARN: write all six parts, `arn:partition:service:region:account:resource`",
        ),
        (
            r#""StringLike":{"ecs:k":null}"#,
            "StringLike.ecs:k: expected a text or a list of texts, found null",
        ),
        (
            r#""StringLike":{"ecs:k":[]}"#,
            "StringLike.ecs:k: the list is empty: write at least one value",
        ),
        (r#""StringLike":{}"#, "StringLike: the operator has no keys: add one or remove it"),
        (
            r#""StringLike":{"user":"a"}"#,
            "StringLike.user: `user` is not a condition key: it must be prefaced by a service, as in `ecs:cluster`",
        ),
        (
            r#""StringLike":{"ecs:k":"a","ECS:K":"b"}"#,
            "StringLike.ECS:K: `ECS:K` is `ecs:k` in another case: keep one",
        ),
        (
            r#""StringLike":{"ecs:k":"a","ecs:k":"b"}"#,
            "StringLike.ecs:k: the key `ecs:k` is there twice: keep one",
        ),
    ] {
        let body = format!(r#""Action":"*","Resource":"*","Condition":{{{condition}}}"#);
        check(PolicyKind::Identity, &body, &[&format!("Statement.Condition.{expected}")]);
    }
}

const SAMPLE: &str = r#"{"Version":"2012-10-17","Id":"i","Statement":[{"Sid":"a","Effect":"Allow",
"Principal":{"AWS":["111111111111","*"],"Service":"ecs.amazonaws.com"},"NotAction":["ecs:Run*"],
"Resource":["arn:aws:ecs:*:*:cluster/${aws:username, 'x'}","*"],"Condition":{"ForAnyValue:StringLike":
{"aws:TagKeys":["a*","${*}"]},"DateLessThan":{"aws:CurrentTime":"2026-11-20T00:00:00Z"},
"IpAddress":{"aws:SourceIp":["10.0.0.0/8","2001:db8::/32"]},"NumericLessThan":{"aws:MultiFactorAuthAge":36e2}}}]}"#;

fn parse_as_all(text: &str) {
    for kind in
        [PolicyKind::Identity, PolicyKind::Trust, PolicyKind::Resource, PolicyKind::ServiceControl]
    {
        match Policy::parse(text, kind) {
            Ok(policy) => {
                assert!(policy.size() <= text.chars().count());
                let asked = access(&[("aws:TagKeys", &["a", "*"])]);
                let asked = asked.with_resource_policy(Arc::new(policy), true);
                assert!(explain(&session(Permissions::default()), &asked).matched.len() < 3);
            }
            Err(errors) => assert!(!errors.is_empty()),
        }
    }
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,200}") {
        parse_as_all(&text);
    }

    #[test]
    fn any_damage_is_read_or_refused(
        edits in prop::collection::vec((any::<prop::sample::Index>(), "[\"{}\\[\\],:*$\\\\'a1é/.\\-]{0,3}", 0..40_usize), 1..6)
    ) {
        let mut chars: Vec<char> = SAMPLE.chars().collect();
        for (at, insert, remove) in edits {
            let start = at.index(chars.len() + 1);
            let end = (start + remove).min(chars.len());
            chars.splice(start..end, insert.chars());
        }
        parse_as_all(&chars.into_iter().collect::<String>());
    }
}

#[test]
fn the_sample_that_is_damaged_is_whole() {
    assert_eq!(problems(SAMPLE, PolicyKind::Resource), Vec::<String>::new());
}
