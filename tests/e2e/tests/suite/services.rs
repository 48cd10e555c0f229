//! Services: deployments, health, roll-back.

use std::process::Stdio;

use e2e::{World, eventually, shell};
use serde_json::{Value, json};

/// The example service at a revision of its prices.
fn quotes(revision: &str) -> Value {
    json!([{
        "name": "quotes", "image": "quotes:1", "memory": 32,
        "portMappings": [{"containerPort": 8080}],
        "environment": [{"name": "PRICE_REVISION", "value": revision}, {"name": "DRAIN_SECONDS", "value": "3"}],
        "healthCheck": {"command": ["CMD", "/quotes", "health"], "interval": 5, "retries": 2},
        "stopTimeout": 10,
    }])
}

#[test]
fn a_rolling_update_fails_no_request() {
    let mut world = World::new();
    let first = world.register("quotes", &quotes("1"));
    world.ecs(
        "create_service",
        &json!({"serviceName": "quotes", "taskDefinition": first, "desiredCount": 2}),
    );
    world.wait_stable("quotes");
    let traffic = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/quotes/traffic.py");
    let mut client = world
        .client_command(
            "python",
            &[traffic, "--service", "quotes", "--until-revision", "2", "--seconds", "90"],
        )
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let second = world.register("quotes", &quotes("2"));
    world.ecs("update_service", &json!({"service": "quotes", "taskDefinition": second}));
    world.wait_stable("quotes");
    eventually("the client has seen the new revision", std::time::Duration::from_secs(90), || {
        client.try_wait().unwrap().ok_or_else(|| "it goes on".to_owned())
    });
    let output = client.wait_with_output().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["failed"], 0, "{report}");
    assert!(report["succeeded"].as_u64().unwrap() > 50, "{report}");
    assert!(report["revisions"]["1"].as_u64() > Some(0), "{report}");
    assert!(report["revisions"]["2"].as_u64() > Some(0), "{report}");
    let service = world.service("quotes");
    let events = service["events"].to_string();
    assert!(events.contains("has reached a steady state."), "{events}");
    world.ecs("delete_service", &json!({"service": "quotes", "force": true}));
    world.finish();
}

#[test]
fn the_circuit_breaker_rolls_a_broken_deployment_back() {
    let mut world = World::new();
    let good = world.register("breaker", &quotes("1"));
    world.ecs(
        "create_service",
        &json!({"serviceName": "breaker", "taskDefinition": good, "desiredCount": 1,
            "deploymentConfiguration": {"deploymentCircuitBreaker": {"enable": true, "rollback": true}}}),
    );
    world.wait_stable("breaker");
    let before = world.service_tasks("breaker");
    let broken = world
        .register("breaker", &json!([{"name": "quotes", "image": "quotes:missing", "memory": 32}]));
    world.ecs("update_service", &json!({"service": "breaker", "taskDefinition": broken}));
    let service = world.wait_service("breaker", "it is rolled back", |service| {
        service["deployments"].as_array().map(Vec::len) == Some(1)
            && service["taskDefinition"].as_str().is_some_and(|arn| arn.ends_with(&good))
            && service["deployments"][0]["rolloutState"] == "COMPLETED"
    });
    assert!(
        service["events"].to_string().contains("rolling back to deployment"),
        "{}",
        service["events"]
    );
    assert_eq!(world.service_tasks("breaker"), before, "the task of before serves on");
    let deployments = world.ecs("list_service_deployments", &json!({"service": "breaker"}));
    let statuses = deployments["serviceDeployments"].to_string();
    assert!(statuses.contains("ROLLBACK_SUCCESSFUL"), "{statuses}");
    world.ecs("delete_service", &json!({"service": "breaker", "force": true}));
    world.finish();
}

#[test]
fn an_unhealthy_task_is_replaced() {
    let mut world = World::new();
    let definition = world.register(
        "sick",
        &json!([{
            "name": "main", "image": "busybox:1", "memory": 32, "stopTimeout": 2,
            "command": ["sh", "-c", "trap 'exit 0' TERM; touch /tmp/well; (sleep 12; rm /tmp/well) & while true; do sleep 0.1; done"],
            "healthCheck": {"command": ["CMD-SHELL", "test -e /tmp/well"], "interval": 5, "retries": 1},
        }]),
    );
    world.ecs(
        "create_service",
        &json!({"serviceName": "sick", "taskDefinition": definition, "desiredCount": 1}),
    );
    world.wait_service("sick", "it runs", |service| service["runningCount"] == 1);
    let first = world.service_tasks("sick").remove(0);
    let stopped = world.wait_stopped(&first);
    assert_eq!(stopped["stopCode"], "ServiceSchedulerInitiated", "{stopped}");
    assert_eq!(stopped["stoppedReason"], "Task failed container health checks", "{stopped}");
    world.wait_service("sick", "another one runs", |service| service["runningCount"] == 1);
    assert_ne!(world.service_tasks("sick"), [first]);
    world.ecs("delete_service", &json!({"service": "sick", "force": true}));
    world.finish();
}

#[test]
fn a_service_follows_its_desired_count_and_replaces_what_ends() {
    let mut world = World::new();
    let definition = world.register(
        "count",
        &json!([shell("main", "trap 'exit 0' TERM; while true; do sleep 0.1; done")]),
    );
    world.ecs(
        "create_service",
        &json!({"serviceName": "count", "taskDefinition": definition, "desiredCount": 2}),
    );
    world.wait_service("count", "two run", |service| service["runningCount"] == 2);
    let error = world.ecs_error("delete_service", &json!({"service": "count"}));
    assert_eq!(error.code, "InvalidParameterException", "{error:?}");
    let tasks = world.service_tasks("count");
    world.stop(&tasks[0]);
    world.wait_stopped(&tasks[0]);
    world.wait_service("count", "two run again", |service| {
        service["runningCount"] == 2 && service["pendingCount"] == 0
    });
    assert!(!world.service_tasks("count").contains(&tasks[0]));
    world.ecs("update_service", &json!({"service": "count", "desiredCount": 0}));
    world.wait_service("count", "none runs", |service| service["runningCount"] == 0);
    world.ecs("delete_service", &json!({"service": "count"}));
    let service = world.service("count");
    assert_ne!(service["status"], "ACTIVE", "{service}");
    world.finish();
}

#[test]
fn a_daemon_service_runs_one_task_on_the_instance() {
    let mut world = World::new();
    let definition = world.register(
        "daemon",
        &json!([shell("main", "trap 'exit 0' TERM; while true; do sleep 0.1; done")]),
    );
    world.ecs(
        "create_service",
        &json!({"serviceName": "daemon", "taskDefinition": definition, "schedulingStrategy": "DAEMON"}),
    );
    let service = world.wait_service("daemon", "it runs", |service| service["runningCount"] == 1);
    assert_eq!(service["desiredCount"], 1, "{service}");
    let instances = world.ecs("list_container_instances", &json!({}));
    let instance = instances["containerInstanceArns"][0].clone();
    world.ecs(
        "update_container_instances_state",
        &json!({"containerInstances": [instance], "status": "DRAINING"}),
    );
    world.wait_service("daemon", "it is drained", |service| service["runningCount"] == 0);
    world.ecs("delete_service", &json!({"service": "daemon", "force": true}));
    world.finish();
}
