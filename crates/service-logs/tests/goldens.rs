//! What every operation answers: the cases of `tests/wire/logs`.

#[cfg(test)]
mod cases {
    use std::sync::Arc;

    use base::{Clock, ManualClock};
    use goldens::World as _;
    use logstore::LogStore;
    use operation::Service;
    use serde_json::{Value, json};
    use service_logs::{LogsContext, LogsService};
    use tempfile::TempDir;

    struct World {
        service: LogsService,
        clock: Arc<ManualClock>,
        _directory: TempDir,
    }

    impl World {
        async fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            let clock = Arc::new(ManualClock::new(goldens::START));
            let store =
                LogStore::open(directory.path(), Arc::clone(&clock) as Arc<dyn Clock>).unwrap();
            let service = LogsService::new(LogsContext { store, scope: goldens::scope() });
            Self { service, clock, _directory: directory }
        }
    }

    impl goldens::World for World {
        fn service(&self) -> &dyn Service {
            &self.service
        }

        fn clock(&self) -> &ManualClock {
            &self.clock
        }

        async fn set_up(&self, name: &str, _members: &Value) {
            panic!("no step has a member `{name}`");
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn every_answer_is_as_recorded() {
        goldens::every_answer_is_as_recorded("logs", World::new).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn every_operation_can_be_denied() {
        goldens::every_operation_can_be_denied("logs", World::new).await;
    }

    #[tokio::test]
    async fn every_operation_has_a_success_and_an_error_case() {
        goldens::every_operation_has_its_cases("logs", &World::new().await, &[]);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn policies_name_groups_and_streams_as_those_of_aws_do() {
        let world = World::new().await;
        let web = "arn:aws:logs:us-east-1:123456789012:log-group:/ecs/web";
        let name = json!({ "logGroupName": "/ecs/web" });
        let stream = json!({ "logGroupName": "/ecs/web", "logStreamName": "a" });
        for (operation, request) in [("CreateLogGroup", &name), ("CreateLogStream", &stream)] {
            let response = goldens::call(world.service(), operation, request.to_string()).await;
            assert_eq!(response.status, 200);
        }
        let by_arn = json!({ "logGroupIdentifier": web });
        let tags = json!({ "resourceArn": web, "tags": { "team": "blue" } });
        let all = json!({});
        for (resource, operation, request, expected) in [
            (":*", "FilterLogEvents", &name, true),
            (":*", "FilterLogEvents", &by_arn, true),
            (":log-stream:*", "DescribeLogStreams", &by_arn, true),
            (":log-stream:b", "FilterLogEvents", &name, false),
            ("", "FilterLogEvents", &name, false),
            (":*", "GetLogEvents", &stream, true),
            (":log-stream:a", "GetLogEvents", &stream, true),
            (":log-stream:b", "GetLogEvents", &stream, false),
            ("", "TagResource", &tags, true),
            (":*", "TagResource", &tags, false),
            ("2:*", "FilterLogEvents", &name, false),
            (":*", "DescribeLogGroups", &all, false),
        ] {
            let statement = json!({ "Effect": "Allow", "Action": "logs:*",
                "Resource": format!("{web}{resource}") });
            let policy = json!({ "Version": "2012-10-17", "Statement": [statement] });
            let caller = goldens::caller(json!({ "user": "ann", "policies": [policy] }));
            let body = request.to_string();
            let outcome = goldens::call_as(world.service(), operation, body, caller).await;
            let text = String::from_utf8_lossy(&outcome.response.body).into_owned();
            assert_eq!(outcome.response.status == 200, expected, "{resource} {operation} {text}");
            assert_eq!(text.contains("AccessDeniedException"), !expected, "{text}");
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn tags_of_groups_decide() {
        let world = World::new().await;
        let group = json!({ "logGroupName": "/ecs/web", "tags": { "team": "blue" } });
        let response = goldens::call(world.service(), "CreateLogGroup", group.to_string()).await;
        assert_eq!(response.status, 200);
        let condition = json!({ "StringEquals": { "aws:ResourceTag/team": "blue" } });
        let statement = json!({ "Effect": "Allow", "Action": "logs:*", "Resource": "*",
            "Condition": condition });
        let policy = json!({ "Version": "2012-10-17", "Statement": statement });
        let caller = goldens::caller(json!({ "user": "ann", "policies": [policy] }));
        let filter = json!({ "logGroupName": "/ecs/web" }).to_string();
        let arn = "arn:aws:logs:us-east-1:123456789012:log-group:/ecs/web";
        let untag = json!({ "resourceArn": arn, "tagKeys": ["team"] }).to_string();
        for (operation, body, expected) in [
            ("FilterLogEvents", &filter, 200),
            ("UntagResource", &untag, 200),
            ("FilterLogEvents", &filter, 400),
        ] {
            let call = goldens::call_as(world.service(), operation, body.clone(), caller.clone());
            assert_eq!(call.await.response.status, expected, "{operation}");
        }
    }
}
