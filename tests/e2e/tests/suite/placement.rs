//! Where tasks go, and why not.

use e2e::{World, shell};
use serde_json::{Value, json};

fn failures(output: &Value) -> Vec<String> {
    let failures = output["failures"].as_array().unwrap();
    failures.iter().map(|failure| failure["reason"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_task_that_fits_nowhere_says_what_is_short() {
    let mut world = World::new();
    let mut check = |family: &str, more: Value, input: Value, expected: &str| {
        let mut container = shell("main", "true");
        container.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let definition = world.register(family, &json!([container]));
        let mut request = json!({"taskDefinition": definition});
        request.as_object_mut().unwrap().extend(input.as_object().unwrap().clone());
        let output = world.ecs("run_task", &request);
        assert_eq!(output["tasks"], json!([]), "{output}");
        let reasons = failures(&output);
        assert!(reasons.iter().any(|reason| reason.starts_with(expected)), "{family}: {output}");
    };
    check("cpu", json!({"cpu": 10_000_000}), json!({}), "RESOURCE:CPU");
    check("memory", json!({"memory": 100_000_000}), json!({}), "RESOURCE:MEMORY");
    check(
        "constraint",
        json!({}),
        json!({"placementConstraints": [{"type": "memberOf", "expression": "attribute:disk == nvme"}]}),
        "MemberOf",
    );
    world.finish();
}

#[test]
fn a_host_port_is_given_once_and_again_when_free() {
    let mut world = World::new();
    // Held until the test has one of its own; nobody else takes it in between but by chance.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let definition = world.register(
        "port",
        &json!([{"name": "main", "image": "quotes:1", "memory": 32, "stopTimeout": 2,
            "environment": [{"name": "DRAIN_SECONDS", "value": "0"}],
            "portMappings": [{"containerPort": 8080, "hostPort": port}]}]),
    );
    let first = world.run(&definition);
    world.wait_task(&first, "RUNNING");
    let output = world.ecs("run_task", &json!({"taskDefinition": definition}));
    assert_eq!(failures(&output), ["RESOURCE:PORTS"], "{output}");
    world.stop(&first);
    world.wait_stopped(&first);
    let second = world.run(&definition);
    world.wait_task(&second, "RUNNING");
    world.finish();
}

#[test]
fn a_draining_instance_takes_no_tasks_and_loses_those_of_services() {
    let mut world = World::new();
    let script = "trap 'exit 0' TERM; while true; do sleep 0.1; done";
    let definition = world.register("drain", &json!([shell("main", script)]));
    world.ecs(
        "create_service",
        &json!({"serviceName": "drain", "taskDefinition": definition, "desiredCount": 1,
            "deploymentConfiguration": {"minimumHealthyPercent": 0, "maximumPercent": 100}}),
    );
    world.wait_service("drain", "it runs", |service| service["runningCount"] == 1);
    let standalone = world.run(&definition);
    world.wait_task(&standalone, "RUNNING");
    let instances = world.ecs("list_container_instances", &json!({}));
    let instance = instances["containerInstanceArns"][0].clone();
    let state = |status: &str| json!({"containerInstances": [instance.clone()], "status": status});
    world.ecs("update_container_instances_state", &state("DRAINING"));
    world.wait_service("drain", "its task is gone", |service| service["runningCount"] == 0);
    assert_eq!(world.task(&standalone)["lastStatus"], "RUNNING");
    let output = world.ecs("run_task", &json!({"taskDefinition": definition}));
    assert_eq!(output["tasks"], json!([]), "{output}");
    world.ecs("update_container_instances_state", &state("ACTIVE"));
    world.wait_service("drain", "it runs again", |service| service["runningCount"] == 1);
    world.ecs("delete_service", &json!({"service": "drain", "force": true}));
    world.finish();
}

#[test]
fn attributes_and_the_query_language_choose_the_instance() {
    let mut world = World::new();
    let definition = world.register("choosy", &json!([shell("main", "sleep 1000")]));
    let instances = world.ecs("list_container_instances", &json!({}));
    let instance = instances["containerInstanceArns"][0].as_str().unwrap().to_owned();
    world.ecs(
        "put_attributes",
        &json!({"attributes": [{"name": "disk", "value": "nvme", "targetId": instance}]}),
    );
    let output = world.ecs(
        "run_task",
        &json!({"taskDefinition": definition, "placementConstraints": [
            {"type": "memberOf", "expression": "attribute:disk == nvme and runningTasksCount == 0"}]}),
    );
    assert_eq!(output["failures"], json!([]), "{output}");
    let filtered = world.ecs(
        "list_container_instances",
        &json!({"filter": "attribute:disk =~ nv.* and agentConnected == true"}),
    );
    assert_eq!(filtered["containerInstanceArns"], json!([instance]), "{filtered}");
    world.finish();
}
