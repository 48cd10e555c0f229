//! Errors that many operations share, in IAM's words.

pub(crate) use api_iam::errors::{
    delete_conflict_exception as delete_conflict,
    entity_already_exists_exception as already_exists, invalid_input_exception as invalid_input,
    limit_exceeded_exception as limit_exceeded,
    malformed_policy_document_exception as malformed_policy_document,
    no_such_entity_exception as no_such_entity,
};
use wire::ApiError;

/// `ValidationError`: what a parameter says cannot be.
pub(crate) fn validation(message: impl Into<String>) -> ApiError {
    ApiError::sender("ValidationError", message)
}

/// No `kind` (`user`, `group policy`, …) is called `name`.
pub(crate) fn not_found(kind: &str, name: &str) -> ApiError {
    no_such_entity(format!("The {kind} with name {name} cannot be found."))
}

/// There is a `kind` (`User`, `Group`, …) that is called `name`.
pub(crate) fn exists(kind: &str, name: &str) -> ApiError {
    already_exists(format!("{kind} with name {name} already exists."))
}

/// More than `quota` allows.
pub(crate) fn quota_exceeded(quota: &str, limit: usize) -> ApiError {
    limit_exceeded(format!("Cannot exceed quota for {quota}: {limit}"))
}

/// A secret could not be sealed or opened; the cause is in the log, the secret nowhere.
pub(crate) fn sealing_failed(error: &identity::VaultError) -> ApiError {
    tracing::error!(error = error as &dyn std::error::Error, "a secret cannot be sealed or opened");
    api_iam::errors::service_failure_exception(
        "The request processing has failed because of an internal error.",
    )
}
