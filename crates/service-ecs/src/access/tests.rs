use std::sync::Arc;

use api_ecs::ops::RunTask;
use base::{ManualClock, SeededIds};
use serde_json::{Value, json};
use state::State;
use store::{HistoryLimits, MemoryStore, NoFaults};

use super::*;
use crate::ops::run_task;
use crate::{EcsService, Placements, Registrations};

async fn service() -> EcsService {
    let store = MemoryStore::new(HistoryLimits::default(), Arc::new(NoFaults));
    let (state, follower) = State::open(Arc::new(store)).await.unwrap();
    tokio::spawn(follower.run());
    EcsService::new(EcsContext {
        state,
        clock: Arc::new(ManualClock::new(goldens::START)),
        ids: Arc::new(SeededIds::new(1)),
        scope: goldens::scope(),
        guard_mode: guard::Mode::Enforce,
        registrations: Registrations::default(),
        placements: Placements::default(),
    })
}

async fn register(service: &EcsService, role: &str) {
    let request = json!({ "family": "web", "taskRoleArn": role, "containerDefinitions":
        [{ "name": "web", "image": "web", "memory": 64 }] });
    let response = goldens::call(service, "RegisterTaskDefinition", request.to_string()).await;
    assert_eq!(response.status, 200);
}

#[tokio::test]
async fn a_newer_revision_is_not_run_by_whom_the_older_one_was_allowed() {
    let service = service().await;
    goldens::call(&service, "CreateCluster", "{}".to_owned()).await;
    register(&service, "app").await;
    let ctx = service.context();
    let caller = goldens::caller(json!({ "user": "ann", "policies": [{ "Version": "2012-10-17",
        "Statement": { "Effect": "Allow", "Action": ["ecs:RunTask", "iam:PassRole"], "Resource":
            ["arn:aws:ecs:*:*:task-definition/web:*", "arn:aws:iam::*:role/app"] } }] }));
    let input: types::RunTaskRequest = types::RunTaskRequest {
        task_definition: Some("web".to_owned()),
        ..types::RunTaskRequest::default()
    };
    let accesses = run_task::accesses(ctx, &caller, &input);
    let call = policy::authorize::<RunTask>(caller, accesses, input).1.unwrap();
    register(&service, "admin").await;
    let error = run_task::execute(ctx, call).await.unwrap_err();
    assert_eq!(error.code, "AccessDeniedException", "{error:?}");
    assert!(
        error.message.contains("iam:PassRole on resource: arn:aws:iam::123456789012:role/admin")
    );
}

#[tokio::test]
async fn accesses_are_on_what_is_acted_on() {
    let service = service().await;
    let ctx = service.context();
    let check = |given: &str, expected: &str| {
        let access = in_cluster::<RunTask>(ctx, Kind::Task, Some("c"), given);
        assert_eq!(access.resource, expected, "`{given}`");
    };
    check("id", "arn:aws:ecs:us-east-1:123456789012:task/c/id");
    check("task/d/id", "arn:aws:ecs:us-east-1:123456789012:task/d/id");
    check(
        "arn:aws:ecs:us-east-1:123456789012:task/id",
        "arn:aws:ecs:us-east-1:123456789012:task/c/id",
    );
    check(
        "arn:aws-cn:ecs:eu:123456789012:task/c/id",
        "arn:aws:ecs:us-east-1:123456789012:task/c/id",
    );
    check("arn:aws:ecs:eu::task/c/id", "arn:aws:ecs:us-east-1:123456789012:task/c/id");
    let elsewhere = "arn:aws:ecs:us-east-1:999999999999:task/c/id";
    check(elsewhere, elsewhere);

    let cluster = |given| cluster_arn(&ctx.scope, Some(given));
    let secret = "arn:aws:ecs:us-east-1:123456789012:cluster/secret";
    assert_eq!(cluster("arn:aws:ecs:us-east-1:123456789012:cluster/open:cluster/secret"), secret);
    assert_eq!(cluster("open:cluster/secret"), secret);
}

#[test]
fn postures_are_keys() {
    let containers: Vec<types::ContainerDefinition> = serde_json::from_value(json!([
        { "image": "web:1", "readonlyRootFilesystem": true, "user": "01000:5",
          "environment": [{ "name": "DB_PASSWORD", "value": "x" }, { "name": "MODE", "value": "x" },
                          { "name": "API_TOKEN", "value": "" }] },
        { "image": "registry.example.com:5000/team/web",
          "linuxParameters": { "capabilities": { "add": ["CAP_SYS_PTRACE", "NET_ADMIN"] } } },
    ]))
    .unwrap();
    let containers = containers.iter().map(posture::of_wire);
    let access = posture::keys(Access::new("a:b", "*"), "awsvpc", containers);
    let expected: Value = json!({
        "portcullis:added-capabilities": ["NET_ADMIN", "SYS_PTRACE"],
        "portcullis:image-registry": ["docker.io", "registry.example.com:5000"],
        "portcullis:network-mode": ["awsvpc"],
        "portcullis:plaintext-secrets": ["1"],
        "portcullis:readonly-root-filesystem": ["false"],
        "portcullis:user": ["", "1000"],
    });
    assert_eq!(json!(access.keys), expected);
}
