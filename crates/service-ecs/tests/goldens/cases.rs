//! The cases on disk.

use crate::world::World;

#[tokio::test]
async fn every_answer_is_as_recorded() {
    goldens::every_answer_is_as_recorded("ecs", World::new).await;
}

#[tokio::test]
async fn every_operation_has_a_success_and_an_error_case() {
    goldens::every_operation_has_its_cases("ecs", &World::new().await, &[]);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_can_be_denied() {
    goldens::every_operation_can_be_denied("ecs", World::new).await;
}
