//! Errors that several operations share.

pub(crate) use api_portcullis::errors::{
    limit_exceeded_exception as limit_exceeded, resource_not_found_exception as not_found,
    validation_exception as invalid,
};
use wire::ApiError;

/// The store did not take a change; the cause is in the log.
pub(crate) fn unavailable() -> ApiError {
    api_portcullis::errors::service_unavailable_exception(
        "The state could not be changed now. What was done is what a list call shows; try again.",
    )
}
