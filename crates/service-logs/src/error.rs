//! Errors that many operations share, in the service's words.

pub(crate) use api_logs::errors::invalid_parameter_exception as invalid_parameter;
use logstore::{BatchError, Damage, LogError, RETENTION_DAYS};
use wire::ApiError;

/// No such group.
pub(crate) fn group_not_found() -> ApiError {
    api_logs::errors::resource_not_found_exception("The specified log group does not exist.")
}

/// Something on our side that may work later; the log says what.
pub(crate) fn unavailable() -> ApiError {
    api_logs::errors::service_unavailable_exception("The service cannot complete the request.")
}

/// A token that this service did not give.
pub(crate) fn invalid_token() -> ApiError {
    invalid_parameter("The specified nextToken is invalid.")
}

/// What the store refused or could not do.
pub(crate) fn of_store(error: &LogError) -> ApiError {
    use api_logs::errors::{
        resource_already_exists_exception, resource_not_found_exception, too_many_tags_exception,
    };
    match error {
        LogError::GroupNotFound(_) => group_not_found(),
        LogError::StreamNotFound { .. } => {
            resource_not_found_exception("The specified log stream does not exist.")
        }
        LogError::GroupExists(_) => {
            resource_already_exists_exception("The specified log group already exists")
        }
        LogError::StreamExists { .. } => {
            resource_already_exists_exception("The specified log stream already exists")
        }
        LogError::Retention(days) => invalid_parameter(format!(
            "1 validation error detected: Value '{days}' at 'retentionInDays' failed to satisfy \
             constraint: Member must satisfy enum value set: {RETENTION_DAYS:?}"
        )),
        LogError::Batch(error) => invalid_parameter(of_batch(error)),
        LogError::TooManyTags { group, .. } => {
            too_many_tags_exception("A log group can have at most 50 tags.")
                .with_field("resourceName", group.as_str())
        }
        LogError::InUse(_)
        | LogError::Io { .. }
        | LogError::Catalog { .. }
        | LogError::Stopped(_) => {
            tracing::error!(%error, "the log store cannot do what was asked of it");
            unavailable()
        }
    }
}

fn of_batch(error: &BatchError) -> String {
    match error {
        BatchError::Unordered => {
            "Log events in a single PutLogEvents request must be in chronological order.".to_owned()
        }
        BatchError::Span => "The batch of log events in a single PutLogEvents request cannot span \
             more than 24 hours."
            .to_owned(),
        BatchError::TooLarge(bytes) => {
            format!("Upload too large: {bytes} bytes exceeds limit of 1048576")
        }
        BatchError::EventTooLarge { bytes, .. } => {
            format!("Log event too large: {bytes} bytes exceeds limit of 1048550")
        }
        BatchError::Empty
        | BatchError::TooMany(_)
        | BatchError::EmptyMessage(_)
        | BatchError::Position(_) => error.to_string(),
    }
}

/// Notes in the log what could not be read; the answer has the rest.
pub(crate) fn report(damage: &[Damage]) {
    for damage in damage {
        tracing::error!(%damage, "log events are missing from an answer");
    }
}
