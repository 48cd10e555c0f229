//! Errors in CloudTrail's words.

use api_cloudtrail::errors;
use base::AccountId;
use wire::ApiError;

pub(crate) fn trail_not_found(account: &AccountId, name: &str) -> ApiError {
    errors::TRAIL_NOT_FOUND_EXCEPTION
        .error(format!("Unknown trail: {name} for the user: {account}"))
}

pub(crate) fn unavailable() -> ApiError {
    ApiError::receiver(
        "ServiceUnavailable",
        "The service is temporarily unable to make the change. Try again.",
    )
    .with_status(503)
}

pub(crate) fn unsupported(what: &str) -> ApiError {
    errors::UNSUPPORTED_OPERATION_EXCEPTION.error(format!("{what} is not supported here."))
}
