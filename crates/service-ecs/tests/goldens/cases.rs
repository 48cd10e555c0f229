//! The cases on disk, and what becomes of them.

use std::fs;
use std::path::{Path, PathBuf};

use operation::Service as _;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::world::World;

/// One step of a case.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    #[serde(skip_serializing_if = "Option::is_none")]
    advance_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    container_instance: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    task: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    call: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response: Option<Value>,
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/wire/ecs")
}

/// Every case, by operation.
fn cases() -> Vec<(String, PathBuf)> {
    let mut cases = Vec::new();
    for operation in fs::read_dir(directory()).unwrap() {
        let operation = operation.unwrap();
        for case in fs::read_dir(operation.path()).unwrap() {
            let name = operation.file_name().into_string().unwrap();
            cases.push((name, case.unwrap().path()));
        }
    }
    cases.sort();
    cases
}

fn read(path: &Path) -> Vec<Step> {
    let text = fs::read_to_string(path).unwrap();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
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
            let answer = step.response.as_ref().and_then(|all| all.pointer(&format!("/{pointer}")));
            answer.unwrap_or_else(|| panic!("`{text}` is nothing that was answered")).clone()
        }
        Value::Array(items) => items.into_iter().map(|item| resolve(item, done)).collect(),
        Value::Object(members) => Value::Object(
            members.into_iter().map(|(name, member)| (name, resolve(member, done))).collect(),
        ),
        other @ (Value::Null | Value::Bool(_) | Value::Number(_)) => other,
    }
}

/// The steps as they come out.
async fn run(steps: &[Step]) -> Vec<Step> {
    let world = World::new().await;
    let mut done = Vec::new();
    for step in steps {
        let mut step = step.clone();
        if let Some(milliseconds) = step.advance_ms {
            world.clock.advance_ms(milliseconds);
        }
        if let Some(members) = &step.container_instance {
            world.register(members).await;
        }
        if let Some(members) = &step.task {
            world.change_tasks(members).await;
        }
        if let Some(operation) = &step.call {
            let request = step.request.clone().map(|request| resolve(request, &done).to_string());
            let body = step.body.clone().or(request).unwrap_or_default();
            let response = world.call(operation, body).await;
            step.status = Some(response.status);
            step.response = Some(serde_json::from_slice(&response.body).unwrap_or_default());
        }
        done.push(step);
    }
    done
}

#[tokio::test]
async fn every_answer_is_as_recorded() {
    #[expect(clippy::disallowed_methods, reason = "the switch between comparing and writing")]
    let update = std::env::var("UPDATE_GOLDENS").is_ok();
    let mut wrong = Vec::new();
    for (_, path) in cases() {
        let expected = read(&path);
        let found = run(&expected).await;
        if expected == found {
            continue;
        }
        if update {
            let text = serde_json::to_string_pretty(&found).unwrap();
            fs::write(&path, text + "\n").unwrap();
            continue;
        }
        let pairs = expected.iter().zip(&found).enumerate();
        for (index, (expected, found)) in pairs.filter(|(_, (expected, found))| expected != found) {
            let show = |step: &Step| {
                let answer = step.response.as_ref().map(|answer| format!("{answer:#}"));
                format!("{:?} {}", step.status, answer.unwrap_or_default())
            };
            wrong.push(format!(
                "{} step {index}\nexpected {}\nfound {}",
                path.display(),
                show(expected),
                show(found)
            ));
        }
    }
    assert!(wrong.is_empty(), "{} answers differ:\n{}", wrong.len(), wrong.join("\n\n"));
}

#[tokio::test]
async fn every_operation_has_a_success_and_an_error_case() {
    let mut missing = Vec::new();
    let cases = cases();
    let world = World::new().await;
    for info in world.service.api().operations {
        let own = cases.iter().filter(|(operation, _)| operation == info.name);
        let statuses: Vec<u16> = own
            .flat_map(|(_, path)| read(path))
            .filter(|step| step.call.as_deref() == Some(info.name))
            .filter_map(|step| step.status)
            .collect();
        if !statuses.contains(&200) {
            missing.push(format!("{}: success", info.name));
        }
        if !statuses.iter().any(|status| *status >= 400) {
            missing.push(format!("{}: error", info.name));
        }
    }
    assert!(missing.is_empty(), "no case for {}", missing.join(", "));
}
