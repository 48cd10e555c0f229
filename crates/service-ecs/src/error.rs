//! Errors that many operations share, in ECS's words.

pub(crate) use api_ecs::errors::{
    client_exception, invalid_parameter_exception as invalid_parameter, server_exception,
};
use wire::ApiError;

/// No such cluster, or it is deleted.
pub(crate) fn cluster_not_found() -> ApiError {
    api_ecs::errors::cluster_not_found_exception("Cluster not found.")
}

/// No such service.
pub(crate) fn service_not_found() -> ApiError {
    api_ecs::errors::service_not_found_exception("Service not found.")
}

/// A service that is being deleted or is gone.
pub(crate) fn service_not_active() -> ApiError {
    api_ecs::errors::service_not_active_exception("Service was not ACTIVE.")
}
