//! What every operation answers, byte for byte: `tests/wire/SERVICE/OPERATION/CASE.json`.
//!
//! A case is a list of steps, run in order on a new, empty service whose time stands still and whose
//! identifiers are the same in every run:
//!
//! - `{"call": "CreateCluster", "request": {…}, "status": 200, "response": {…}}`; instead of
//!   `request`, `body` is a text that may be no JSON; a text `$STEP/POINTER` in a request stands for
//!   that part of an earlier answer: `$2/tasks/0/taskArn`. An answer that is no JSON is a text. For
//!   an awsQuery service the members of `request` become a form, `Action` and `Version` included:
//!   lists as `Tags.member.1.Key`, and `$STEP/POINTER` names elements of the XML answer:
//!   `$2/CreateAccessKeyResponse/CreateAccessKeyResult/AccessKey/AccessKeyId`;
//! - `"as": {…}` in a call says who calls instead of the account's root, at the time of the case:
//!   - `"user": "ann"`, or `"role": "deploy"` with `"session": "s"`; with a path: `"team/ann"`.
//!     Neither is the root, `"anonymous": true` is nobody, `"account"` is another account;
//!   - `"policies": [DOCUMENT, …]` are its identity policies; `"boundary": DOCUMENT`,
//!     `"session_policies": [DOCUMENT, …]`, `"service_control": [[DOCUMENT, …], …]` the others.
//!     Without `policies` nothing is allowed;
//!   - `"tags": {"team": "blue"}`, `"source_ip": "10.0.0.1"`, `"source_vpce": "vpce-task-link"`,
//!     `"user_agent"`, `"secure_transport": true`, `"mfa_age_ms": 1000`,
//!     `"issued_age_ms": 1000`, `"source_identity"`, `"access_key_id"`, and `"time_ms"` since
//!     the epoch instead of the time of the case. The caller need not be known to the service;
//! - `"replay": false` in a call keeps it out of [`every_operation_can_be_denied`], for an answer
//!   that depends on who asks;
//! - `{"advance_ms": 1000}` moves the time;
//! - any other member is the service's own way to bring about a state; see its [`World`].
//!
//! Nobody writes denials by hand: [`every_operation_can_be_denied`] replays the recorded successes
//! as callers that may not, and as one that may do exactly what the call says it needs.
//!
//! With `UPDATE_GOLDENS=1`, statuses and responses are written instead of compared: read the
//! difference before you keep it.

mod answer;
mod caller;
mod denial;
mod query;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use base::{Clock, ManualClock, Scope, Timestamp};
use operation::{Call, Outcome, Service};
use policy::Caller;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use wire::{Protocol, Response};

use crate::caller::Identity;
pub use crate::denial::every_operation_can_be_denied;

/// When every case begins: 2024-11-20T00:00:00Z.
pub const START: Timestamp = Timestamp::from_epoch_ms(1_732_060_800_000);

/// Account and region of every case.
///
/// # Panics
/// Never: the texts are right.
pub fn scope() -> Scope {
    match ("123456789012".parse(), "us-east-1".parse()) {
        (Ok(account), Ok(region)) => Scope { account, region },
        _ => fail("the account or the region of the cases is not one"),
    }
}

/// A service in this process: everything but sockets and chance.
pub trait World {
    /// The service.
    fn service(&self) -> &dyn Service;

    /// Its time.
    fn clock(&self) -> &ManualClock;

    /// Brings about what the member `name` of a step asks for.
    fn set_up(&self, name: &str, members: &Value) -> impl Future<Output = ()>;
}

/// Calls `operation` of `service` with `body`, as the account's root.
///
/// # Panics
/// When the service does not know the operation.
pub async fn call(service: &dyn Service, operation: &str, body: String) -> Response {
    let scope = scope();
    let caller = Caller::root(scope.account, scope.region, START);
    call_as(service, operation, body, caller).await.response
}

/// Calls `operation` of `service` with `body`, as `caller`.
///
/// # Panics
/// When the service does not know the operation.
pub async fn call_as(
    service: &dyn Service,
    operation: &str,
    body: String,
    caller: Caller,
) -> Outcome {
    let info = match service.api().operation(operation) {
        Ok(info) => info,
        Err(error) => fail(&error.to_string()),
    };
    service.call(Call { operation: info.name, caller, body: body.into() }).await
}

/// The caller that the member `as` of a step describes, at [`START`].
///
/// # Panics
/// When it is not one.
pub fn caller(description: Value) -> Caller {
    match serde_json::from_value::<Identity>(description) {
        Ok(identity) => identity.caller(START),
        Err(error) => fail(&error.to_string()),
    }
}

/// One step of a case.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Step {
    #[serde(skip_serializing_if = "Option::is_none")]
    advance_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    call: Option<String>,
    #[serde(rename = "as", skip_serializing_if = "Option::is_none")]
    identity: Option<Identity>,
    #[serde(skip_serializing_if = "Option::is_none")]
    replay: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response: Option<Value>,
    #[serde(flatten)]
    set_up: BTreeMap<String, Value>,
}

impl Step {
    /// What is sent, with references to the answers of `done` resolved.
    fn body(&self, service: &dyn Service, operation: &str, done: &[Self]) -> String {
        if let Some(body) = &self.body {
            return body.clone();
        }
        let request = self.request.clone().map(|request| resolve(request, done));
        match (service.api().protocol, request) {
            (_, None) => String::new(),
            (Protocol::AwsJson1_0 | Protocol::AwsJson1_1, Some(request)) => request.to_string(),
            (Protocol::AwsQuery, Some(request)) => {
                query::form(operation, service.api().api_version, &request)
            }
        }
    }

    /// Who calls at the time of `world`.
    fn caller(&self, world: &impl World) -> Caller {
        self.identity.clone().unwrap_or_default().caller(world.clock().now())
    }

    /// Brings about the state that the step starts from.
    async fn prepare(&self, world: &impl World) {
        if let Some(milliseconds) = self.advance_ms {
            world.clock().advance_ms(milliseconds);
        }
        for (name, members) in &self.set_up {
            world.set_up(name, members).await;
        }
    }
}

#[expect(clippy::panic, reason = "this crate is used by tests only")]
fn fail(message: &str) -> ! {
    panic!("{message}")
}

fn or_fail<T, E: std::fmt::Display>(result: Result<T, E>, what: &Path) -> T {
    result.unwrap_or_else(|error| fail(&format!("{}: {error}", what.display())))
}

/// Every case of a service, by operation.
fn cases(service: &str) -> Vec<(String, PathBuf)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join(service);
    let mut cases = Vec::new();
    for operation in or_fail(fs::read_dir(&directory), &directory) {
        let operation = or_fail(operation, &directory);
        for case in or_fail(fs::read_dir(operation.path()), &operation.path()) {
            let name = operation.file_name().to_string_lossy().into_owned();
            cases.push((name, or_fail(case, &directory).path()));
        }
    }
    cases.sort();
    cases
}

fn read(path: &Path) -> Vec<Step> {
    or_fail(serde_json::from_str(&or_fail(fs::read_to_string(path), path)), path)
}

/// `request` with every text `$STEP/POINTER` replaced by that part of an earlier answer.
fn resolve(request: Value, done: &[Step]) -> Value {
    match request {
        Value::String(text) => {
            let reference = text.strip_prefix('$').and_then(|text| text.split_once('/'));
            let step = reference.and_then(|(step, _)| done.get(step.parse::<usize>().ok()?));
            let Some((step, (_, pointer))) = step.zip(reference) else {
                return Value::String(text);
            };
            match step.response.as_ref().and_then(|all| answer::part(all, pointer)) {
                Some(answer) => answer,
                None => fail(&format!("`{text}` is nothing that was answered")),
            }
        }
        Value::Array(items) => items.into_iter().map(|item| resolve(item, done)).collect(),
        Value::Object(members) => Value::Object(
            members.into_iter().map(|(name, member)| (name, resolve(member, done))).collect(),
        ),
        other @ (Value::Null | Value::Bool(_) | Value::Number(_)) => other,
    }
}

fn text_or_json(body: &[u8]) -> Value {
    serde_json::from_slice(body)
        .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(body).into_owned()))
}

/// The steps as they come out.
async fn run(world: &impl World, steps: &[Step]) -> Vec<Step> {
    let mut done = Vec::new();
    for step in steps {
        let mut step = step.clone();
        step.prepare(world).await;
        if let Some(operation) = &step.call {
            let body = step.body(world.service(), operation, &done);
            let caller = step.caller(world);
            let response = call_as(world.service(), operation, body, caller).await.response;
            step.status = Some(response.status);
            step.response = Some(text_or_json(&response.body));
        }
        done.push(step);
    }
    done
}

/// Runs every case of a service, each in a world of its own.
///
/// # Panics
/// With every answer that differs from the recorded one.
pub async fn every_answer_is_as_recorded<W: World>(service: &str, new_world: impl AsyncFn() -> W) {
    #[expect(clippy::disallowed_methods, reason = "the switch between comparing and writing")]
    let update = std::env::var("UPDATE_GOLDENS").is_ok();
    let mut wrong = Vec::new();
    for (_, path) in cases(service) {
        let expected = read(&path);
        let found = run(&new_world().await, &expected).await;
        if expected == found {
            continue;
        }
        if update {
            let text = or_fail(serde_json::to_string_pretty(&found), &path);
            or_fail(fs::write(&path, text + "\n"), &path);
            continue;
        }
        let pairs = expected.iter().zip(&found).enumerate();
        for (index, (expected, found)) in pairs.filter(|(_, (expected, found))| expected != found) {
            let show = |step: &Step| {
                let answer = step.response.as_ref().map(|answer| format!("{answer:#}"));
                format!("{:?} {}", step.status, answer.unwrap_or_default())
            };
            let (expected, found) = (show(expected), show(found));
            let path = path.display();
            wrong.push(format!("{path} step {index}\nexpected {expected}\nfound {found}"));
        }
    }
    if !wrong.is_empty() {
        fail(&format!("{} answers differ:\n{}", wrong.len(), wrong.join("\n\n")));
    }
}

/// Looks for a recorded success and a recorded error of every operation.
///
/// # Panics
/// With every operation that lacks one. `without_errors` names those that cannot fail.
pub fn every_operation_has_its_cases(service: &str, world: &impl World, without_errors: &[&str]) {
    let mut missing = Vec::new();
    let cases = cases(service);
    for info in world.service().api().operations {
        let own = cases.iter().filter(|(operation, _)| operation == info.name);
        let statuses: Vec<u16> = own
            .flat_map(|(_, path)| read(path))
            .filter(|step| step.call.as_deref() == Some(info.name))
            .filter_map(|step| step.status)
            .collect();
        if !statuses.contains(&200) {
            missing.push(format!("{}: success", info.name));
        }
        let fails = statuses.iter().any(|status| *status >= 400);
        if !fails && !without_errors.contains(&info.name) {
            missing.push(format!("{}: error", info.name));
        }
    }
    if !missing.is_empty() {
        fail(&format!("no case for {}", missing.join(", ")));
    }
}
