//! The cases on disk.

use crate::world::World;

/// Operations that cannot fail: they have no input, and nothing has to be there.
const WITHOUT_ERRORS: &[&str] = &["GenerateCredentialReport", "GetAccountSummary"];

#[tokio::test]
async fn every_answer_is_as_recorded() {
    goldens::every_answer_is_as_recorded("iam", World::new).await;
}

#[tokio::test]
async fn every_operation_has_a_success_and_an_error_case() {
    goldens::every_operation_has_its_cases("iam", &World::new().await, WITHOUT_ERRORS);
}

#[tokio::test]
async fn every_operation_can_be_denied() {
    goldens::every_operation_can_be_denied("iam", World::new).await;
}
