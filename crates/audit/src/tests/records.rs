//! What is in records, and how they are found.

use std::sync::{Arc, Mutex};

use base::{Clock, Scope, SeededIds};
use iam::Finding;
use identity::Usage as _;
use operation::{CallRecord, ErrorFacts, Recorder as _, Who};
use policy::{Access, Decided, Decision, PolicyType, Principal, PrincipalKind, SessionFacts};
use serde_json::{Value, json};
use wire::{Api, Protocol, Recorded};

use super::Bench;
use crate::{Attribute, AuditLog, AuditRecorder, Findings, Query, ServiceEvent};

static ECS: Api = Api {
    service_id: "ECS",
    full_name: "Amazon ECS",
    signing_name: "ecs",
    endpoint_prefix: "ecs",
    target_prefix: None,
    protocol: Protocol::AwsJson1_1,
    api_version: "2014-11-13",
    xml_namespace: None,
    validation_error_code: "InvalidParameterException",
    operations: &[],
    operation_names: &[],
};
const CLUSTER: &str = "arn:aws:ecs:us-east-1:123456789012:cluster/web";
const TASK: &str = "arn:aws:ecs:us-east-1:123456789012:task/web/0123";
const ROLE: &str = "arn:aws:iam::123456789012:role/path/web";

#[derive(Debug, Default)]
struct Raised(Mutex<Vec<Finding>>);

impl Findings for Raised {
    fn raise(&self, finding: Finding) {
        self.0.lock().unwrap().push(finding);
    }
}

struct Desk {
    bench: Bench,
    log: AuditLog,
    recorder: AuditRecorder,
    raised: Arc<Raised>,
}

fn scope() -> Scope {
    Scope { account: "123456789012".parse().unwrap(), region: "us-east-1".parse().unwrap() }
}

impl Desk {
    fn new() -> Self {
        let bench = Bench::new();
        let log = bench.open();
        let raised = Arc::new(Raised::default());
        let clock = Arc::clone(&bench.clock) as Arc<dyn Clock>;
        let ids = Arc::new(SeededIds::new(3));
        let findings = Arc::clone(&raised) as Arc<dyn Findings>;
        let recorder = AuditRecorder::new(log.clone(), scope(), clock, ids, findings);
        Self { bench, log, recorder, raised }
    }

    fn call(&self, operation: &'static str) -> CallRecord {
        let principal = Principal {
            account: "123456789012".parse().unwrap(),
            arn: "arn:aws:sts::123456789012:assumed-role/web/ann".to_owned(),
            user_id: "AROAEXAMPLE:ann".to_owned(),
            kind: PrincipalKind::AssumedRole {
                role_arn: ROLE.to_owned(),
                role_name: "web".to_owned(),
                session_name: "ann".to_owned(),
            },
            tags: std::collections::BTreeMap::new(),
        };
        let session = SessionFacts {
            issued_at: Some(super::NOW),
            task_arn: Some(TASK.to_owned()),
            ..SessionFacts::default()
        };
        let decided = Decided {
            access: Access::new(format!("ecs:{operation}"), CLUSTER),
            decision: Decision::Allowed(None),
        };
        CallRecord {
            api: &ECS,
            operation,
            who: Who {
                principal: Some(Arc::new(principal)),
                session: Arc::new(session),
                access_key_id: "ASIAEXAMPLE".into(),
                bound_elsewhere: None,
            },
            request_id: "11111111-2222-3333-4444-555555555555".into(),
            source_ip: "10.0.0.7".parse().unwrap(),
            source_vpce: None,
            user_agent: Some("aws-cli/2".to_owned()),
            host: None,
            secure_transport: false,
            time: self.bench.clock.now(),
            region: "us-east-1".parse().unwrap(),
            request: Recorded::Json("{\"cluster\":\"web\"}".to_owned()),
            elements: Recorded::Absent,
            error: None,
            decisions: vec![decided].into(),
        }
    }

    async fn record(&self, call: CallRecord) {
        self.recorder.reserve().unwrap().record(call).await.unwrap();
        self.bench.clock.advance_ms(1000);
    }

    fn find(&self, attribute: Option<Attribute>) -> Vec<Value> {
        let query = Query {
            account: "123456789012".parse().unwrap(),
            attribute,
            from: None,
            to: None,
            before: None,
            max: 50,
        };
        let page = self.log.lookup(&query).unwrap();
        page.events.iter().map(|event| serde_json::from_str(&event.text).unwrap()).collect()
    }
}

#[tokio::test]
async fn a_denied_call_says_who_from_where_what_on_what_and_why() {
    let desk = Desk::new();
    let mut call = desk.call("RunTask");
    call.decisions = vec![Decided {
        access: Access::new("ecs:RunTask", CLUSTER),
        decision: Decision::NotAllowed(PolicyType::Identity),
    }]
    .into();
    call.error =
        Some(ErrorFacts { code: "AccessDeniedException".into(), message: "no".to_owned() });
    desk.record(call).await;
    let mut found = desk.find(None).pop().unwrap();
    assert!(found["portcullis"]["sequence"].as_u64().unwrap() > 1);
    for volatile in ["portcullis", "eventID"] {
        found.as_object_mut().unwrap().remove(volatile).unwrap();
    }
    let expected = json!({
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "AssumedRole",
            "principalId": "AROAEXAMPLE:ann",
            "arn": "arn:aws:sts::123456789012:assumed-role/web/ann",
            "accountId": "123456789012",
            "accessKeyId": "ASIAEXAMPLE",
            "sessionContext": {
                "sessionIssuer": {
                    "type": "Role",
                    "principalId": "AROAEXAMPLE",
                    "arn": ROLE,
                    "accountId": "123456789012",
                    "userName": "web"
                },
                "attributes": {
                    "creationDate": "2026-02-28T23:59:30Z",
                    "mfaAuthenticated": "false"
                }
            }
        },
        "eventTime": "2026-02-28T23:59:30Z",
        "eventSource": "ecs.amazonaws.com",
        "eventName": "RunTask",
        "awsRegion": "us-east-1",
        "sourceIPAddress": "10.0.0.7",
        "userAgent": "aws-cli/2",
        "errorCode": "AccessDeniedException",
        "errorMessage": "no",
        "requestParameters": { "cluster": "web" },
        "responseElements": null,
        "additionalEventData": {
            "authorization": [{
                "action": "ecs:RunTask",
                "resource": CLUSTER,
                "decision": "NotAllowed",
                "policyType": "identity-based policy"
            }],
            "taskArn": TASK
        },
        "requestID": "11111111-2222-3333-4444-555555555555",
        "readOnly": false,
        "resources": [
            { "ARN": CLUSTER, "accountId": "123456789012", "type": "AWS::ECS::Cluster" }
        ],
        "eventType": "AwsApiCall",
        "managementEvent": true,
        "recipientAccountId": "123456789012",
        "eventCategory": "Management"
    });
    assert_eq!(found, expected, "{found:#}");
}

#[tokio::test]
async fn records_are_found_by_every_attribute_newest_first_and_in_pages() {
    let desk = Desk::new();
    for operation in ["RunTask", "ListTasks", "StopTask"] {
        desk.record(desk.call(operation)).await;
    }
    let names = |attribute| -> Vec<String> {
        let found = desk.find(Some(attribute));
        found.iter().map(|event| event["eventName"].as_str().unwrap().to_owned()).collect()
    };
    let all = ["StopTask", "ListTasks", "RunTask"];
    assert_eq!(names(Attribute::EventName("ListTasks".to_owned())), ["ListTasks"]);
    assert_eq!(names(Attribute::EventName("istTasks".to_owned())), [""; 0]);
    assert_eq!(names(Attribute::ReadOnly(false)), ["StopTask", "RunTask"]);
    assert_eq!(names(Attribute::Username("ann".to_owned())), all);
    assert_eq!(names(Attribute::Username("bob".to_owned())), [""; 0]);
    assert_eq!(names(Attribute::AccessKeyId("ASIAEXAMPLE".to_owned())), all);
    assert_eq!(names(Attribute::EventSource("ecs.amazonaws.com".to_owned())), all);
    assert_eq!(names(Attribute::ResourceName("web".to_owned())), all);
    assert_eq!(names(Attribute::ResourceName("eb".to_owned())), [""; 0]);
    assert_eq!(names(Attribute::ResourceName(CLUSTER.to_owned())), all);
    assert_eq!(names(Attribute::ResourceType("AWS::ECS::Cluster".to_owned())), all);
    let id = desk.find(None)[1]["eventID"].as_str().unwrap().to_owned();
    assert_eq!(names(Attribute::EventId(id)), ["ListTasks"]);

    let mut query = Query {
        account: "123456789012".parse().unwrap(),
        attribute: None,
        from: Some(super::NOW),
        to: Some(super::NOW.plus_ms(1000)),
        before: None,
        max: 1,
    };
    let mut seen = Vec::new();
    loop {
        let page = desk.log.lookup(&query).unwrap();
        seen.extend(page.events.into_iter().map(|event| event.event_name));
        query.before = page.next;
        if page.next.is_none() {
            break;
        }
    }
    assert_eq!(seen, ["ListTasks", "RunTask"]);
    query.account = "999999999999".parse().unwrap();
    assert_eq!(desk.log.lookup(&query).unwrap().events, []);
}

#[tokio::test]
async fn a_record_that_is_too_long_is_shortened_and_not_dropped() {
    let desk = Desk::new();
    let mut call = desk.call("RunTask");
    call.request = Recorded::TooLong;
    call.elements = Recorded::Json(format!("{{\"a\":\"{}\"}}", "b".repeat(300_000)));
    call.user_agent = Some("\u{1}".repeat(100_000));
    desk.record(call).await;
    let found = desk.find(None).pop().unwrap();
    assert_eq!(found["requestParameters"]["omitted"], true);
    assert_eq!(found["responseElements"]["omitted"], true);
    assert_eq!(found["eventName"], "RunTask");
}

#[tokio::test]
async fn uses_are_known_at_once_and_after_a_restart() {
    let desk = Desk::new();
    desk.record(desk.call("ListTasks")).await;
    let mut by_key = desk.call("ListTasks");
    by_key.who.access_key_id = "AKIAEXAMPLE".into();
    desk.record(by_key).await;
    let mut failed = desk.call("RunTask");
    failed.who.access_key_id = "AKIAEXAMPLE".into();
    failed.error = Some(ErrorFacts { code: "ClientException".into(), message: String::new() });
    desk.record(failed).await;
    let mut refused = desk.call("StopTask");
    refused.who.principal = None;
    desk.recorder.refused(refused).await.unwrap();
    let check = |log: &AuditLog| {
        let last = log.access_key("AKIAEXAMPLE").unwrap();
        assert_eq!((last.at, last.service.as_str()), (super::NOW.plus_ms(2000), "ecs"));
        assert_eq!(log.principal(ROLE), Some(last));
        let actions = log.actions(ROLE);
        assert_eq!(actions.len(), 1, "{actions:?}");
        assert_eq!((actions[0].action.as_str(), actions[0].count), ("ecs:ListTasks", 2));
        assert_eq!(actions[0].resource, CLUSTER);
        assert_eq!(log.principals(&scope().account), [ROLE]);
        assert_eq!(log.access_key("AKIAOTHER"), None);
        // Nobody can ask for the keys of sessions, and there are many.
        assert_eq!(log.access_key("ASIAEXAMPLE"), None);
    };
    check(&desk.log);
    desk.log.close();
    let log = desk.bench.open();
    // The index is read by a thread.
    let read = async {
        while log.principal(ROLE).is_none_or(|last| last.at < super::NOW.plus_ms(2000)) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), read).await.unwrap();
    check(&log);
}

#[tokio::test]
async fn a_flood_of_refused_calls_is_counted_and_credentials_used_elsewhere_raise_a_finding() {
    let desk = Desk::new();
    for _ in 0..150 {
        let mut call = desk.call("ListTasks");
        call.who = Who { access_key_id: "AKIAGUESS".into(), ..Who::default() };
        desk.recorder.refused(call).await.unwrap();
    }
    let own = |desk: &Desk| desk.find(Some(Attribute::AccessKeyId("AKIAGUESS".to_owned()))).len();
    assert_eq!(own(&desk), 50, "the page's limit");
    desk.recorder.flush(false).await.unwrap();
    desk.bench.clock.advance_ms(60_000);
    desk.recorder.flush(false).await.unwrap();
    let counts = desk.find(Some(Attribute::EventName("RefuseCalls".to_owned())));
    assert_eq!(counts.len(), 1);
    assert_eq!(counts[0]["serviceEventDetails"]["furtherRefusedCalls"], 50);
    assert_eq!(counts[0]["sourceIPAddress"], "10.0.0.7");

    let mut call = desk.call("ListTasks");
    call.who.bound_elsewhere = Some(TASK.to_owned());
    desk.recorder.refused(call).await.unwrap();
    let found = desk.find(Some(Attribute::Username("ann".to_owned())));
    assert_eq!(found[0]["additionalEventData"]["authentication"], "refused");
    assert_eq!(found[0]["additionalEventData"]["taskArn"], TASK);
    let raised = desk.raised.0.lock().unwrap();
    let finding = raised.first().unwrap();
    assert_eq!((finding.rule.as_str(), finding.severity.as_str()), ("DET-005", "HIGH"));
    assert_eq!((finding.resource.as_str(), finding.id.len()), (TASK, 36));
}

#[tokio::test]
async fn events_that_are_no_calls_are_recorded() {
    let desk = Desk::new();
    let event = ServiceEvent {
        name: "IssueTaskCredentials",
        source: "ecs.amazonaws.com",
        account: scope().account,
        region: scope().region,
        who: None,
        source_ip: None,
        resources: vec![TASK.to_owned(), ROLE.to_owned()],
        details: [("accessKeyId".to_owned(), json!("ASIAEXAMPLE"))].into_iter().collect(),
        error: None,
        time: super::NOW,
    };
    desk.recorder.record_event(&event).await.unwrap();
    let found = desk.find(Some(Attribute::ResourceType("AWS::IAM::Role".to_owned())));
    assert_eq!(found[0]["eventType"], "AwsServiceEvent");
    assert_eq!(found[0]["userIdentity"]["invokedBy"], "ecs.amazonaws.com");
    assert_eq!(found[0]["serviceEventDetails"]["accessKeyId"], "ASIAEXAMPLE");
}
