//! Everything is on record, and the record cannot be changed unnoticed.

use std::fs;

use e2e::{Credentials, World, eventually};
use serde_json::{Value, json};

/// The newest record of an event by name, as the CloudTrail record itself.
fn event(world: &mut World, name: &str) -> Value {
    let input = json!({"LookupAttributes": [
        {"AttributeKey": "EventName", "AttributeValue": name}]});
    let found = world.client().call("cloudtrail", "lookup_events", &input).unwrap();
    let text = found["Events"][0]["CloudTrailEvent"].as_str();
    serde_json::from_str(text.unwrap_or_else(|| panic!("no {name} in {found}"))).unwrap()
}

#[test]
fn every_call_is_on_record_with_its_decision_and_without_its_secrets() {
    let mut world = World::new();
    let call = |world: &mut World, operation: &str, input: &Value| {
        world.client().call("iam", operation, input).unwrap()
    };
    call(&mut world, "create_user", &json!({"UserName": "ann"}));
    let key = call(&mut world, "create_access_key", &json!({"UserName": "ann"}));
    let ann = Credentials::of(&key["AccessKey"]);
    let answer = world.client().call_as(&ann, "ecs", "list_clusters", &json!({}));
    assert_eq!(answer.unwrap_err().code, "AccessDeniedException");
    let record = event(&mut world, "ListClusters");
    assert_eq!(record["userIdentity"]["userName"], "ann", "{record}");
    assert_eq!(record["userIdentity"]["accessKeyId"], ann.access_key_id, "{record}");
    assert_eq!(record["errorCode"], "AccessDeniedException", "{record}");
    assert_eq!(record["sourceIPAddress"], "127.0.0.1", "{record}");
    assert_eq!(record["eventSource"], "ecs.amazonaws.com", "{record}");
    let record = event(&mut world, "CreateAccessKey");
    assert_eq!(record["requestParameters"]["userName"], "ann", "{record}");
    assert_eq!(record["responseElements"]["accessKey"]["userName"], "ann", "{record}");
    assert!(!record.to_string().contains(&ann.secret), "{record}");
    let secret = "correct-horse-battery-staple";
    world.register(
        "with-environment",
        &json!([{"name": "main", "image": "busybox:1", "memory": 32,
            "environment": [{"name": "GREETING", "value": secret}]}]),
    );
    let record = event(&mut world, "RegisterTaskDefinition");
    assert_eq!(record["requestParameters"]["family"], "with-environment", "{record}");
    assert!(!record.to_string().contains(secret), "{record}");
    // A key that nobody has is on record too.
    let nobody = Credentials { access_key_id: "AKIANOBODYNOBODYNOBO".to_owned(), ..ann };
    world.client().call_as(&nobody, "ecs", "list_services", &json!({})).unwrap_err();
    let record = event(&mut world, "ListServices");
    assert_eq!(record["userIdentity"]["accessKeyId"], "AKIANOBODYNOBODYNOBO", "{record}");
    world.finish();
}

#[test]
fn a_changed_record_is_found_and_a_kill_loses_none() {
    let mut world = World::new();
    for number in 0..20 {
        let input = json!({"clusterName": format!("c{number}")});
        world.ecs("create_cluster", &input);
    }
    world.kill();
    world.start();
    let input = json!({"LookupAttributes": [
        {"AttributeKey": "EventName", "AttributeValue": "CreateCluster"}]});
    let found = world.client().call("cloudtrail", "lookup_events", &input).unwrap();
    assert_eq!(found["Events"].as_array().unwrap().len(), 20, "{found}");
    world.terminate();
    let verified = world.portcullis(&["audit", "verify"]);
    assert_eq!(verified.status, 0, "{verified:?}");
    let directory = world.state_dir().join("audit");
    let changed = fs::read_dir(&directory).unwrap().find_map(|entry| {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).ok()?;
        text.contains("CreateCluster").then(|| {
            fs::write(&path, text.replacen("CreateCluster", "DeleteCluster", 1)).unwrap();
            (path, text)
        })
    });
    let (path, text) = changed.expect("a segment with the calls in it");
    let verified = world.portcullis(&["audit", "verify"]);
    assert_ne!(verified.status, 0, "{verified:?}");
    fs::write(path, text).unwrap();
    assert_eq!(world.portcullis(&["audit", "verify"]).status, 0);
    world.start();
    world.finish();
}

#[test]
fn a_trail_copies_records_and_its_end_does_not_end_the_record() {
    let mut world = World::new();
    let call = |world: &mut World, operation: &str, input: &Value| {
        world.client().call("cloudtrail", operation, input).unwrap()
    };
    call(&mut world, "create_trail", &json!({"Name": "all", "S3BucketName": "trail-bucket"}));
    call(&mut world, "start_logging", &json!({"Name": "all"}));
    world.ecs("create_cluster", &json!({"clusterName": "copied"}));
    let bucket = world.state_dir().join("trails/trail-bucket/AWSLogs/123456789012/CloudTrail");
    eventually("a copy appears", std::time::Duration::from_secs(90), || {
        if bucket.is_dir() { Ok(()) } else { Err(format!("{} is not there", bucket.display())) }
    });
    call(&mut world, "stop_logging", &json!({"Name": "all"}));
    call(&mut world, "delete_trail", &json!({"Name": "all"}));
    assert_eq!(event(&mut world, "StopLogging")["requestParameters"]["name"], "all");
    world.ecs("create_cluster", &json!({"clusterName": "after"}));
    let record = event(&mut world, "CreateCluster");
    assert_eq!(record["requestParameters"]["clusterName"], "after", "{record}");
    world.finish();
}
