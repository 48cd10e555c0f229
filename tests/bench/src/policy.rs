//! The policy engine by itself.

use std::hint::black_box;
use std::sync::Arc;

use anyhow::{Result, anyhow};
use policy::{
    Access, Caller, NamedPolicy, Permissions, Policy, PolicyKind, Principal, PrincipalKind, decide,
};

use crate::report::{Goal, Row};
use crate::{Setting, clock};

const POLICIES: usize = 10;
const DECISIONS: u32 = 1_000_000;

/// Decides one access again and again, for a principal with ten policies of five statements.
pub(crate) fn measure(setting: &Setting) -> Result<Vec<Row>> {
    let decisions = setting.amount(DECISIONS, DECISIONS / 10);
    let policies = (0..POLICIES).map(named).collect::<Result<Vec<_>>>()?;
    let permissions = Permissions { identity: policies, ..Permissions::default() };
    let caller = caller(permissions)?;
    let rows = accesses().map(|(name, access)| {
        let outcome = if decide(&caller, &access).is_allowed() { "allowed" } else { "denied" };
        let begin = clock::now();
        for _ in 0..decisions {
            black_box(decide(black_box(&caller), black_box(&access)));
        }
        let rate = f64::from(decisions) / begin.elapsed().as_secs_f64();
        let name = format!("IAM decisions, ten policies of five statements, {name} ({outcome})");
        Row::new(name, rate, "1/s", Goal::AtLeast(300_000.0))
            .method("The engine alone, in this process, on one core; policies read beforehand.")
    });
    Ok(rows.into())
}

fn named(index: usize) -> Result<NamedPolicy> {
    let policy = Policy::parse(&document(index), PolicyKind::Identity)
        .map_err(|errors| anyhow!("{errors:?}"))?;
    Ok(NamedPolicy { name: format!("policy-{index}").into(), policy: Arc::new(policy) })
}

/// Five statements as teams write them; the first policy allows what is measured.
fn document(index: usize) -> String {
    let team = if index == 9 { "${aws:PrincipalTag/team}" } else { "red" };
    format!(
        r#"{{"Version": "2012-10-17", "Statement": [
  {{"Sid": "Run{index}", "Effect": "Allow", "Action": ["ecs:RunTask", "ecs:StartTask", "ecs:StopTask"],
    "Resource": ["arn:aws:ecs:*:123456789012:task-definition/team-{index}-*", "arn:aws:ecs:*:*:task/*"],
    "Condition": {{"StringEquals": {{"aws:ResourceTag/team": "{team}"}},
                   "ArnLike": {{"ecs:cluster": "arn:aws:ecs:*:123456789012:cluster/*"}}}}}},
  {{"Sid": "Look{index}", "Effect": "Allow", "Action": ["ecs:Describe*", "ecs:List*"], "Resource": "*",
    "Condition": {{"StringLike": {{"aws:RequestedRegion": "eu-*"}}}}}},
  {{"Sid": "Logs{index}", "Effect": "Allow", "Action": ["logs:GetLogEvents", "logs:FilterLogEvents"],
    "Resource": "arn:aws:logs:*:123456789012:log-group:/team/{index}/*",
    "Condition": {{"Bool": {{"aws:SecureTransport": "true"}}}}}},
  {{"Sid": "Pass{index}", "Effect": "Allow", "Action": "iam:PassRole",
    "Resource": "arn:aws:iam::123456789012:role/team-{index}-*",
    "Condition": {{"StringEquals": {{"iam:PassedToService": "ecs-tasks.amazonaws.com"}}}}}},
  {{"Sid": "Office{index}", "Effect": "Deny", "Action": ["ecs:Run*", "ecs:Delete*", "iam:*"], "Resource": "*",
    "Condition": {{"NotIpAddress": {{"aws:SourceIp": ["10.0.0.0/8", "192.168.{index}.0/24", "2001:db8::/32"]}},
                   "DateGreaterThan": {{"aws:CurrentTime": "2024-01-01T00:00:00Z"}}}}}}
]}}"#
    )
}

fn caller(permissions: Permissions) -> Result<Caller> {
    let account: base::AccountId = "123456789012".parse()?;
    let principal = Principal {
        account: account.clone(),
        arn: "arn:aws:sts::123456789012:assumed-role/deploy/ci".to_owned(),
        user_id: "AROAEXAMPLEEXAMPLE01:ci".to_owned(),
        kind: PrincipalKind::AssumedRole {
            role_arn: "arn:aws:iam::123456789012:role/deploy".to_owned(),
            role_name: "deploy".to_owned(),
            session_name: "ci".to_owned(),
        },
        tags: [("team".to_owned(), "blue".to_owned())].into(),
    };
    let time = base::Timestamp::from_epoch_ms(1_795_132_800_000);
    Ok(Caller {
        principal: Arc::new(principal),
        permissions: Arc::new(permissions),
        source_ip: "10.1.2.3".parse()?,
        secure_transport: true,
        ..Caller::root(account, "eu-west-1".parse()?, time)
    })
}

/// The cheapest, the dearest, and what is between.
fn accesses() -> [(&'static str, Access); 4] {
    let cluster = "arn:aws:ecs:eu-west-1:123456789012:cluster/web";
    let run = Access::new(
        "ecs:RunTask",
        "arn:aws:ecs:eu-west-1:123456789012:task-definition/team-9-web:7",
    )
    .with_key("ecs:cluster", cluster);
    [
        ("ecs:DescribeTasks", Access::new("ecs:DescribeTasks", cluster)),
        ("ecs:RunTask by the last policy", run.clone().with_key("aws:ResourceTag/team", "blue")),
        ("ecs:RunTask by no policy", run.with_key("aws:ResourceTag/team", "green")),
        ("s3:GetObject by no policy", Access::new("s3:GetObject", "arn:aws:s3:::bucket/key")),
    ]
}
