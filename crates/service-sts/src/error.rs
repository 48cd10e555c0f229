//! Errors that several operations have.

use identity::IssueError;
use state::StateError;
use wire::ApiError;

/// Something in the request is not as it must be.
pub(crate) fn validation(message: impl Into<String>) -> ApiError {
    ApiError::sender("ValidationError", message)
}

/// The caller may not, for a reason that is no policy.
pub(crate) fn access_denied(message: impl Into<String>) -> ApiError {
    ApiError::sender("AccessDenied", message).with_status(403)
}

/// The state could not be changed.
pub(crate) fn state(error: &StateError) -> ApiError {
    tracing::error!(error = error as &dyn std::error::Error, "the state was not changed");
    ApiError::receiver(
        "InternalFailure",
        "the state could not be changed; the server's log says more",
    )
}

/// No session was made.
pub(crate) fn issue(error: &IssueError) -> ApiError {
    match error {
        IssueError::TooLarge { .. } => {
            api_sts::errors::packed_policy_too_large_exception(error.to_string())
        }
        IssueError::Seal => {
            tracing::error!("a session token cannot be sealed");
            ApiError::receiver("InternalFailure", error.to_string())
        }
    }
}
