//! The API as SDKs and attackers use it.

use e2e::{World, shell};
use serde_json::json;

const TARGET: &str = "AmazonEC2ContainerServiceV20141113";

#[test]
fn only_well_signed_requests_are_answered() {
    let mut world = World::new();
    let target = format!("{TARGET}.ListClusters");
    let request = || json!({"service": "ecs", "target": target});
    let mut check = |more: serde_json::Value, status: u64, code: &str| {
        let mut request = request();
        request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let answer = world.client().raw(request);
        assert_eq!(answer["status"], status, "{more}: {answer}");
        assert!(answer["body"].as_str().unwrap().contains(code), "{more}: {answer}");
    };
    check(json!({}), 200, "clusterArns");
    check(json!({"unsigned": true}), 403, "MissingAuthenticationToken");
    check(json!({"secret": "not-the-secret-of-this-key"}), 403, "InvalidSignatureException");
    check(json!({"access_key_id": "AKIANOBODYNOBODYNOBO"}), 403, "UnrecognizedClientException");
    check(json!({"clock_offset_s": -3600}), 403, "InvalidSignatureException");
    check(json!({"tampered_body": "{\"maxResults\":1}"}), 403, "InvalidSignatureException");
    check(json!({"region": "eu-west-1"}), 403, "SignatureException");
    world.finish();
}

#[test]
fn nonsense_gets_a_clear_error() {
    let mut world = World::new();
    let mut check = |operation: &str, body: &str, status: u64, code: &str| {
        let answer = world.client().raw(json!({
            "service": "ecs", "target": format!("{TARGET}.{operation}"), "body": body}));
        assert_eq!(answer["status"], status, "{operation}: {answer}");
        assert!(answer["body"].as_str().unwrap().contains(code), "{operation}: {answer}");
    };
    check("RunTasks", "{}", 400, "UnknownOperationException");
    check("ExecuteCommand", "{}", 400, "UnknownOperationException");
    check("ListClusters", "{", 400, "SerializationException");
    check("ListClusters", &"[".repeat(100_000), 400, "SerializationException");
    check("RunTask", "{}", 400, "taskDefinition");
    check("ListClusters", "{\"maxResults\":\"one\"}", 400, "SerializationException");
    check("ListClusters", "{}", 200, "clusterArns");
    world.finish();
}

#[test]
fn paginators_and_waiters_of_the_sdk_work() {
    let mut world = World::new();
    for number in 0..7 {
        world.register(&format!("page-{number}"), &json!([shell("main", "sleep 1000")]));
    }
    let pages = world.client().paginate(
        "ecs",
        "list_task_definition_families",
        &json!({"familyPrefix": "page-"}),
        3,
    );
    assert_eq!(pages.unwrap()["families"].as_array().unwrap().len(), 7);
    let run = world.ecs("run_task", &json!({"taskDefinition": "page-0", "count": 5}));
    let tasks: Vec<String> = run["tasks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|task| task["taskArn"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(tasks.len(), 5, "{run}");
    world.client().wait("ecs", "tasks_running", &json!({"tasks": tasks})).unwrap();
    let pages = world.client().paginate("ecs", "list_tasks", &json!({}), 2).unwrap();
    let mut listed: Vec<String> = pages["taskArns"]
        .as_array()
        .unwrap()
        .iter()
        .map(|arn| arn.as_str().unwrap().to_owned())
        .collect();
    let mut expected = tasks.clone();
    listed.sort();
    expected.sort();
    assert_eq!(listed, expected);
    for task in &tasks {
        world.stop(task);
    }
    world.client().wait("ecs", "tasks_stopped", &json!({"tasks": tasks})).unwrap();
    let missing =
        world.ecs("describe_tasks", &json!({"tasks": ["0123456789abcdef0123456789abcdef"]}));
    assert_eq!(missing["failures"][0]["reason"], "MISSING", "{missing}");
    world.finish();
}

#[test]
fn sts_and_metrics_answer() {
    let mut world = World::new();
    let identity = world.client().call("sts", "get_caller_identity", &json!({})).unwrap();
    assert_eq!(identity["Account"], "123456789012", "{identity}");
    assert_eq!(identity["Arn"], "arn:aws:iam::123456789012:root", "{identity}");
    let port = world.endpoint().rsplit(':').next().unwrap().parse().unwrap();
    let metrics = World::get(port, "/metrics").unwrap();
    assert!(metrics.starts_with("HTTP/1.1 200"), "{metrics}");
    assert!(metrics.contains("GetCallerIdentity"), "{metrics}");
    world.finish();
}
