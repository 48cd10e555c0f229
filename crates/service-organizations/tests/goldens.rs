//! What every operation answers: the cases of `tests/wire/organizations`.

#[cfg(test)]
mod cases {
    use std::sync::Arc;

    use base::{Clock, ManualClock, SeededIds};
    use operation::Service;
    use serde_json::Value;
    use service_organizations::{OrganizationsContext, OrganizationsService};
    use state::State;
    use store::{HistoryLimits, MemoryStore, NoFaults};

    struct World {
        service: OrganizationsService,
        clock: Arc<ManualClock>,
    }

    impl World {
        async fn new() -> Self {
            let store = MemoryStore::new(HistoryLimits::default(), Arc::new(NoFaults));
            let (state, follower) = State::open(Arc::new(store)).await.unwrap();
            tokio::spawn(follower.run());
            let clock = Arc::new(ManualClock::new(goldens::START));
            let service = OrganizationsService::new(OrganizationsContext {
                state,
                clock: Arc::clone(&clock) as Arc<dyn Clock>,
                ids: Arc::new(SeededIds::new(1)),
                scope: goldens::scope(),
            });
            Self { service, clock }
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

    #[tokio::test]
    async fn every_answer_is_as_recorded() {
        goldens::every_answer_is_as_recorded("organizations", World::new).await;
    }

    #[tokio::test]
    async fn every_operation_can_be_denied() {
        goldens::every_operation_can_be_denied("organizations", World::new).await;
    }

    #[tokio::test]
    async fn every_operation_has_a_success_and_an_error_case() {
        goldens::every_operation_has_its_cases("organizations", &World::new().await, &[]);
    }
}
