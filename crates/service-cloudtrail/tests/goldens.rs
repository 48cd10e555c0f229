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
