//! What every operation answers: the cases of `tests/wire/sts`.

#[cfg(test)]
mod cases {
    use base::ManualClock;
    use operation::Service;
    use serde_json::Value;
    use service_sts::StsService;

    struct World {
        service: StsService,
        clock: ManualClock,
    }

    impl World {
        async fn new() -> Self {
            Self { service: StsService::new(()), clock: ManualClock::new(goldens::START) }
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
        goldens::every_answer_is_as_recorded("sts", World::new).await;
    }

    #[tokio::test]
    async fn every_operation_has_a_success_and_an_error_case() {
        goldens::every_operation_has_its_cases("sts", &World::new().await, &[]);
    }
}
