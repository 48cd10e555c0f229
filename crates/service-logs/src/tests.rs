use std::sync::Arc;

use base::{Clock, ManualClock, Scope, Timestamp};
use bytes::Bytes;
use logstore::LogStore;
use operation::{Call, Service};
use policy::Caller;
use serde_json::{Value, json};

use crate::{LogsContext, LogsService};

const NOW_MS: i64 = 1_800_000_000_000;
const GROUP_ARN: &str = "arn:aws:logs:us-east-1:123456789012:log-group:/ecs/quotes";

struct World {
    service: LogsService,
    _directory: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(Timestamp::from_epoch_ms(NOW_MS)));
        let scope = Scope {
            account: "123456789012".parse().unwrap(),
            region: "us-east-1".parse().unwrap(),
        };
        let store = LogStore::open(directory.path(), clock).unwrap();
        Self { service: LogsService::new(LogsContext { store, scope }), _directory: directory }
    }

    /// One with the group `/ecs/quotes` and the stream `web/1`.
    async fn with_stream() -> Self {
        let world = Self::new();
        world.ok("CreateLogGroup", json!({"logGroupName": "/ecs/quotes"})).await;
        let stream = json!({"logGroupName": "/ecs/quotes", "logStreamName": "web/1"});
        world.ok("CreateLogStream", stream).await;
        world
    }

    async fn call(&self, operation: &'static str, input: Value) -> (u16, Value) {
        let caller = Caller::root(
            "123456789012".parse().unwrap(),
            "us-east-1".parse().unwrap(),
            Timestamp::default(),
        );
        let body = Bytes::from(input.to_string());
        let response = self.service.call(Call { operation, caller, body }).await.response;
        (response.status, serde_json::from_slice(&response.body).unwrap_or(Value::Null))
    }

    async fn ok(&self, operation: &'static str, input: Value) -> Value {
        let (status, output) = self.call(operation, input).await;
        assert_eq!(status, 200, "{operation}: {output}");
        output
    }

    async fn refused(&self, operation: &'static str, input: Value, code: &str, message: &str) {
        let (status, output) = self.call(operation, input.clone()).await;
        let answer = output.to_string();
        assert!(
            status == 400 && answer.contains(code) && answer.contains(message),
            "{operation} {input}: {status} {answer} instead of {code}: {message}"
        );
    }

    async fn put(&self, events: &[(i64, &str)]) -> Value {
        let events: Vec<Value> = events
            .iter()
            .map(|(after_ms, message)| json!({"timestamp": NOW_MS + after_ms, "message": message}))
            .collect();
        let input = json!({
            "logGroupName": "/ecs/quotes", "logStreamName": "web/1", "logEvents": events
        });
        self.ok("PutLogEvents", input).await
    }
}

fn messages(output: &Value) -> Vec<&str> {
    let events = output["events"].as_array().unwrap().iter();
    events.map(|event| event["message"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_group_is_described_with_both_forms_of_its_arn() {
    let world = World::with_stream().await;
    let retention = json!({"logGroupName": "/ecs/quotes", "retentionInDays": 7});
    world.ok("PutRetentionPolicy", retention).await;
    world.put(&[(0, "hello")]).await;
    let expected = json!({
        "logGroupName": "/ecs/quotes",
        "arn": format!("{GROUP_ARN}:*"),
        "logGroupArn": GROUP_ARN,
        "creationTime": NOW_MS,
        "retentionInDays": 7,
        "metricFilterCount": 0,
        "storedBytes": 31,
        "logGroupClass": "STANDARD",
        "deletionProtectionEnabled": false,
    });
    for selection in [
        json!({}),
        json!({"logGroupNamePrefix": "/ecs"}),
        json!({"logGroupNamePattern": "quote"}),
        json!({"logGroupIdentifiers": [GROUP_ARN]}),
    ] {
        let output = world.ok("DescribeLogGroups", selection).await;
        assert_eq!(output, json!({"logGroups": [expected]}));
    }
    let output = world.ok("DescribeLogGroups", json!({"logGroupNamePrefix": "/x"})).await;
    assert_eq!(output, json!({"logGroups": []}));
    world.ok("DeleteRetentionPolicy", json!({"logGroupName": "/ecs/quotes"})).await;
    let output = world.ok("DescribeLogGroups", json!({})).await;
    assert_eq!(output["logGroups"][0]["retentionInDays"], Value::Null);
}

#[tokio::test]
async fn lists_are_paged() {
    let world = World::new();
    for group in ["a", "b", "c"] {
        world.ok("CreateLogGroup", json!({"logGroupName": group})).await;
        let stream = json!({"logGroupName": "a", "logStreamName": format!("s/{group}")});
        world.ok("CreateLogStream", stream).await;
    }
    for (operation, list, name) in [
        ("DescribeLogGroups", "logGroups", "logGroupName"),
        ("DescribeLogStreams", "logStreams", "logStreamName"),
    ] {
        let mut input = json!({"limit": 2});
        if operation == "DescribeLogStreams" {
            input["logGroupIdentifier"] = json!("a");
        }
        let first = world.ok(operation, input.clone()).await;
        input["nextToken"] = first["nextToken"].clone();
        let second = world.ok(operation, input).await;
        let pages = [first[list].as_array().unwrap(), second[list].as_array().unwrap()];
        assert_eq!(pages.map(Vec::len), [2, 1], "{operation}");
        assert!(pages[1][0][name].as_str().unwrap().ends_with('c'), "{second}");
        assert_eq!(second["nextToken"], Value::Null);
    }
}

#[tokio::test]
async fn what_does_not_exist_or_exists_already_is_named() {
    let world = World::with_stream().await;
    let not_found = "ResourceNotFoundException";
    let (no_group, no_stream) =
        ("The specified log group does not exist.", "The specified log stream does not exist.");
    let exists = "ResourceAlreadyExistsException";
    let group = json!({"logGroupName": "/ecs/quotes"});
    world.refused("CreateLogGroup", group, exists, "The specified log group already exists").await;
    let stream = json!({"logGroupName": "/ecs/quotes", "logStreamName": "web/1"});
    let message = "The specified log stream already exists";
    world.refused("CreateLogStream", stream, exists, message).await;
    for operation in
        ["DeleteLogGroup", "DeleteRetentionPolicy", "DescribeLogStreams", "FilterLogEvents"]
    {
        world.refused(operation, json!({"logGroupName": "x"}), not_found, no_group).await;
    }
    for operation in ["CreateLogStream", "DeleteLogStream", "GetLogEvents"] {
        let input = json!({"logGroupName": "x", "logStreamName": "y"});
        world.refused(operation, input, not_found, no_group).await;
    }
    for operation in ["DeleteLogStream", "GetLogEvents"] {
        let input = json!({"logGroupName": "/ecs/quotes", "logStreamName": "y"});
        world.refused(operation, input, not_found, no_stream).await;
    }
    let named = json!({"logGroupName": "/ecs/quotes", "logStreamNames": ["y"]});
    world.refused("FilterLogEvents", named, not_found, no_stream).await;
    let elsewhere = GROUP_ARN.replace("us-east-1", "eu-west-1");
    let elsewhere = json!({"logGroupIdentifier": elsewhere});
    world.refused("FilterLogEvents", elsewhere, not_found, no_group).await;
    let foreign = json!({"logGroupIdentifier": GROUP_ARN.replace("123456789012", "999999999999")});
    world.refused("FilterLogEvents", foreign, "AccessDeniedException", "not authorized").await;
}

#[tokio::test]
async fn wrong_parameters_are_refused_with_their_reason() {
    let world = World::with_stream().await;
    let group = "/ecs/quotes";
    for (operation, input, message) in [
        ("CreateLogGroup", json!({"logGroupName": "a:b"}), "logGroupName"),
        ("CreateLogGroup", json!({"logGroupName": "a", "kmsKeyId": "k"}), "kmsKeyId"),
        ("CreateLogGroup", json!({"logGroupName": "a", "tags": {"aws:x": "y"}}), "reserved"),
        (
            "PutRetentionPolicy",
            json!({"logGroupName": group, "retentionInDays": 8}),
            "enum value set",
        ),
        (
            "PutRetentionPolicy",
            json!({"logGroupName": group, "retentionInDays": -1}),
            "enum value set",
        ),
        (
            "FilterLogEvents",
            json!({"logGroupName": group, "filterPattern": "{ $.a"}),
            "Invalid filter pattern",
        ),
        (
            "FilterLogEvents",
            json!({"logGroupName": group, "nextToken": "x"}),
            "nextToken is invalid",
        ),
        ("FilterLogEvents", json!({}), "must be specified"),
        (
            "FilterLogEvents",
            json!({"logGroupName": group, "logGroupIdentifier": group}),
            "mutually exclusive",
        ),
        (
            "FilterLogEvents",
            json!({"logGroupName": group, "logStreamNames": ["a"], "logStreamNamePrefix": "a"}),
            "mutually exclusive",
        ),
        (
            "DescribeLogStreams",
            json!({"logGroupName": group, "orderBy": "LastEventTime", "logStreamNamePrefix": "a"}),
            "Cannot order by LastEventTime with a logStreamNamePrefix.",
        ),
        (
            "PutLogEvents",
            json!({"logGroupName": group, "logStreamName": "web/1", "logEvents": [
                {"timestamp": NOW_MS, "message": "b"}, {"timestamp": NOW_MS - 1, "message": "a"}
            ]}),
            "must be in chronological order.",
        ),
        (
            "TagResource",
            json!({"resourceArn": "arn:x", "tags": {"a": "b"}}),
            "not the ARN of a log group",
        ),
    ] {
        world.refused(operation, input, "InvalidParameterException", message).await;
    }
}

#[tokio::test]
async fn rejected_events_are_told_by_index() {
    let world = World::with_stream().await;
    let day_ms = 24 * 60 * 60 * 1000;
    let output = world.put(&[(-15 * day_ms, "old"), (0, "now"), (day_ms, "tomorrow")]).await;
    let expected = json!({"tooOldLogEventEndIndex": 1, "tooNewLogEventStartIndex": 2});
    assert_eq!(output, json!({"rejectedLogEventsInfo": expected}));
    assert_eq!(world.put(&[(1, "fine")]).await, json!({}));
}

#[tokio::test]
async fn tokens_lead_through_a_stream_and_repeat_at_its_ends() {
    let world = World::with_stream().await;
    world.put(&[(0, "1"), (1, "2"), (2, "3")]).await;
    let get = async |mut input: Value| {
        input["logGroupIdentifier"] = json!(GROUP_ARN);
        input["logStreamName"] = json!("web/1");
        world.ok("GetLogEvents", input).await
    };
    let latest = get(json!({"limit": 2})).await;
    assert_eq!(messages(&latest), ["2", "3"]);
    assert_eq!(latest["events"][0]["ingestionTime"], json!(NOW_MS));
    let earlier = get(json!({"nextToken": latest["nextBackwardToken"]})).await;
    assert_eq!(messages(&earlier), ["1"]);
    let token = &earlier["nextBackwardToken"];
    let none = get(json!({"nextToken": token})).await;
    assert_eq!((messages(&none), &none["nextBackwardToken"]), (vec![], token));
    let token = &latest["nextForwardToken"];
    let none = get(json!({"nextToken": token, "startFromHead": true})).await;
    assert_eq!((messages(&none), &none["nextForwardToken"]), (vec![], token));
    world.put(&[(2, "4")]).await;
    assert_eq!(messages(&get(json!({"nextToken": token})).await), ["4"]);
    let first = get(json!({"startFromHead": true, "limit": 1, "endTime": NOW_MS + 1})).await;
    assert_eq!(messages(&first), ["1"]);
}

#[tokio::test]
async fn a_search_gives_stable_ids_and_includes_its_end_time() {
    let world = World::with_stream().await;
    let other = json!({"logGroupName": "/ecs/quotes", "logStreamName": "job/1"});
    world.ok("CreateLogStream", other).await;
    world.put(&[(0, "error a"), (0, "fine"), (5, "error b"), (6, "error c")]).await;
    let search = async |mut input: Value| {
        input["logGroupName"] = json!("/ecs/quotes");
        input["filterPattern"] = json!("error");
        world.ok("FilterLogEvents", input).await
    };
    let all = search(json!({"startTime": NOW_MS, "endTime": NOW_MS + 5})).await;
    assert_eq!(messages(&all), ["error a", "error b"]);
    assert_eq!(all["searchedLogStreams"], json!([]));
    assert_eq!(all["nextToken"], Value::Null);
    assert_eq!(all["events"][1]["logStreamName"], json!("web/1"));
    let again = search(json!({"logStreamNamePrefix": "web", "startTime": NOW_MS + 1})).await;
    assert_eq!(again["events"][0]["eventId"], all["events"][1]["eventId"]);
    assert_ne!(all["events"][0]["eventId"], all["events"][1]["eventId"]);
    let first = search(json!({"limit": 2, "startFromHead": false})).await;
    assert_eq!(messages(&first), ["error c", "error b"]);
    let rest = search(json!({"nextToken": first["nextToken"]})).await;
    assert_eq!(messages(&rest), ["error a"]);
    assert_eq!(messages(&search(json!({"logStreamNames": ["job/1"]})).await), [""; 0]);
}

#[tokio::test]
async fn groups_are_tagged_by_their_arn() {
    let world = World::with_stream().await;
    for tags in [json!({"a": "1"}), json!({"b": "2", "c": "3"})] {
        world.ok("TagResource", json!({"resourceArn": GROUP_ARN, "tags": tags})).await;
    }
    world.ok("UntagResource", json!({"resourceArn": GROUP_ARN, "tagKeys": ["b", "x"]})).await;
    let output = world.ok("ListTagsForResource", json!({"resourceArn": GROUP_ARN})).await;
    assert_eq!(output, json!({"tags": {"a": "1", "c": "3"}}));
    let many: serde_json::Map<String, Value> =
        (0..49).map(|number| (format!("k{number}"), json!("v"))).collect();
    let input = json!({"resourceArn": GROUP_ARN, "tags": many});
    world.refused("TagResource", input, "TooManyTagsException", "at most 50").await;
}
