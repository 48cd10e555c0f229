//! Tasks that are started at the same time, and rules that became stricter.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::world::World;

async fn answer(world: &World, operation: &str, request: Value) -> (u16, Value) {
    let response = world.call(operation, request.to_string()).await;
    (response.status, serde_json::from_slice(&response.body).unwrap())
}

async fn set_up(world: &World, container: Value) {
    let definition = json!({ "family": "web", "containerDefinitions": [container] });
    assert_eq!(answer(world, "CreateCluster", json!({})).await.0, 200);
    world.register(&json!({})).await;
    let (status, body) = answer(world, "RegisterTaskDefinition", definition).await;
    assert_eq!(status, 200, "{body}");
}

fn length(body: &Value, member: &str) -> usize {
    body[member].as_array().unwrap().len()
}

#[tokio::test(flavor = "multi_thread")]
async fn as_many_tasks_start_at_once_as_there_is_room_for() {
    let world = Arc::new(World::new().await);
    // The instance has 4096 MiB: room for 16.
    set_up(&world, json!({ "name": "web", "image": "web:1", "memory": 256 })).await;
    let calls: Vec<_> = (0..64)
        .map(|_| {
            let world = Arc::clone(&world);
            tokio::spawn(async move {
                let (status, body) =
                    answer(&world, "RunTask", json!({ "taskDefinition": "web" })).await;
                assert_eq!(status, 200, "{body}");
                (length(&body, "tasks"), length(&body, "failures"))
            })
        })
        .collect();
    let (mut started, mut refused) = (0, 0);
    for call in calls {
        let (tasks, failures) = call.await.unwrap();
        started += tasks;
        refused += failures;
    }
    assert_eq!((started, refused), (16, 48));
}

#[tokio::test]
async fn what_audit_let_pass_does_not_start_under_enforce() {
    let world = World::new().await;
    let lenient = world.with_guard_mode(guard::Mode::Audit);
    let privileged = json!({ "name": "web", "image": "web:1", "memory": 64, "privileged": true });
    set_up(&lenient, privileged).await;
    let run = json!({ "taskDefinition": "web", "containerInstances": ["0123456789abcdef0123456789abcdef"] });
    let service = json!({ "serviceName": "s", "taskDefinition": "web", "desiredCount": 1 });
    for (operation, request) in [
        ("RunTask", json!({ "taskDefinition": "web" })),
        ("StartTask", run),
        ("CreateService", service),
    ] {
        let (status, body) = answer(&world, operation, request.clone()).await;
        assert_eq!(status, 400, "{operation} {body}");
        assert_eq!(body["__type"], "ClientException", "{operation} {body}");
        assert!(body["message"].as_str().unwrap().contains("TSK-004"), "{operation} {body}");
        let (status, body) = answer(&lenient, operation, request).await;
        assert_eq!(status, 200, "{operation} {body}");
    }
}
