//! What every operation answers: the cases of `tests/wire/logs`.

#[cfg(test)]
mod cases {
    use std::sync::Arc;

    use base::{Clock, ManualClock};
    use logstore::LogStore;
    use operation::Service;
    use serde_json::Value;
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

    #[tokio::test]
    async fn every_operation_has_a_success_and_an_error_case() {
        goldens::every_operation_has_its_cases("logs", &World::new().await, &[]);
    }
}
