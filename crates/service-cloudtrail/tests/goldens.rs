//! What every operation answers: the cases of `tests/wire/cloudtrail`. A step `{"record": {"name":
//! "CreateCluster", "resource": ARN}}` puts an event on record.

#[cfg(test)]
mod cases {
    use std::sync::Arc;

    use audit::{AuditLog, AuditRecorder, Config, Findings, ServiceEvent};
    use base::{Clock, ManualClock, SeededIds};
    use operation::{Service, Who};
    use policy::Principal;
    use serde_json::Value;
    use service_cloudtrail::{CloudTrailContext, CloudTrailService, Deliveries};
    use state::State;
    use store::{HistoryLimits, MemoryStore, NoFaults};
    use tempfile::TempDir;

    #[derive(Debug)]
    struct Nobody;

    impl Findings for Nobody {
        fn raise(&self, finding: iam::Finding) {
            panic!("{finding:?}");
        }
    }

    struct World {
        service: CloudTrailService,
        recorder: AuditRecorder,
        clock: Arc<ManualClock>,
        _directory: TempDir,
    }

    impl World {
        async fn new() -> Self {
            let store = MemoryStore::new(HistoryLimits::default(), Arc::new(NoFaults));
            let (state, follower) = State::open(Arc::new(store)).await.unwrap();
            tokio::spawn(follower.run());
            let manual = Arc::new(ManualClock::new(goldens::START));
            let clock = Arc::clone(&manual) as Arc<dyn Clock>;
            let directory = tempfile::tempdir().unwrap();
            let ids = Arc::new(SeededIds::new(1));
            let audit = AuditLog::open(
                directory.path(),
                Config::default(),
                Arc::clone(&clock),
                ids.as_ref(),
            );
            let audit = audit.unwrap();
            let scope = goldens::scope();
            let recorder = AuditRecorder::new(
                audit.clone(),
                scope.clone(),
                Arc::clone(&clock),
                ids,
                Arc::new(Nobody),
            );
            let deliveries = Arc::new(Deliveries::default());
            let context = CloudTrailContext { state, audit, deliveries, clock, scope };
            let service = CloudTrailService::new(context);
            Self { service, recorder, clock: manual, _directory: directory }
        }
    }

    impl goldens::World for World {
        fn service(&self) -> &dyn Service {
            &self.service
        }

        fn clock(&self) -> &ManualClock {
            &self.clock
        }

        async fn set_up(&self, name: &str, members: &Value) {
            assert_eq!(name, "record");
            let scope = goldens::scope();
            let name = match members["name"].as_str().unwrap() {
                "CreateCluster" => "CreateCluster",
                "DeleteCluster" => "DeleteCluster",
                other => panic!("there is no event `{other}`"),
            };
            let root = Principal::root(scope.account.clone());
            let event = ServiceEvent {
                name,
                source: "ecs.amazonaws.com",
                account: scope.account,
                region: scope.region,
                who: Some(Who { principal: Some(Arc::new(root)), ..Who::default() }),
                source_ip: None,
                resources: vec![members["resource"].as_str().unwrap().to_owned()],
                details: serde_json::Map::new(),
                error: None,
                time: self.clock.now(),
            };
            self.recorder.record_event(&event).await.unwrap();
        }
    }

    /// Makes a trail that writes to the log group `/audit` of the server's account with `role`;
    /// returns the code of the error.
    async fn make_trail(account: &str, role: &str, statements: &[&str]) -> Option<String> {
        let world = World::new().await;
        let request = serde_json::json!({"Name": "all", "S3BucketName": "copies",
            "CloudWatchLogsRoleArn": role, "CloudWatchLogsLogGroupArn":
            "arn:aws:logs:us-east-1:123456789012:log-group:/audit:*"});
        let caller = if statements.is_empty() {
            let region = goldens::scope().region;
            policy::Caller::root(account.parse().unwrap(), region, goldens::START)
        } else {
            let statements: Vec<Value> = statements.iter().map(|action| {
                serde_json::json!({"Effect": "Allow", "Action": action, "Resource": "*"})
            }).collect();
            let document = serde_json::json!({"Version": "2012-10-17", "Statement": statements});
            goldens::caller(serde_json::json!({"user": "ann", "policies": [document]}))
        };
        let service = &world.service;
        let outcome = goldens::call_as(service, "CreateTrail", request.to_string(), caller).await;
        outcome.error.map(|error| error.code.into_owned())
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_trail_is_given_a_role_of_its_account_by_whom_may_pass_it() {
        const ROLE: &str = "arn:aws:iam::123456789012:role/trail";
        let create = "cloudtrail:CreateTrail";
        let own = "123456789012";
        assert_eq!(make_trail(own, ROLE, &[create, "iam:PassRole"]).await, None);
        let denied = make_trail(own, ROLE, &[create]).await;
        assert_eq!(denied.as_deref(), Some("AccessDeniedException"));
        let wrong = make_trail(own, "arn:aws:iam::123456789012:user/trail", &[]).await;
        assert_eq!(wrong.as_deref(), Some("InvalidCloudWatchLogsRoleArnException"));
        // Another account's trail has no business in the log groups of ours.
        let member = make_trail("999999999999", "arn:aws:iam::999999999999:role/trail", &[]).await;
        assert_eq!(member.as_deref(), Some("InvalidCloudWatchLogsLogGroupArnException"));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn every_answer_is_as_recorded() {
        goldens::every_answer_is_as_recorded("cloudtrail", World::new).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn every_operation_can_be_denied() {
        goldens::every_operation_can_be_denied("cloudtrail", World::new).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn every_operation_has_a_success_and_an_error_case() {
        goldens::every_operation_has_its_cases("cloudtrail", &World::new().await, &[]);
    }
}
