//! GENERATED from the AWS service model: AWS Organizations types and operations.
//!
//! [`types`] has the model's structures and enumerated strings, [`ops`] a marker type per
//! operation in scope (`wire::Operation`, for example [`ops::CreateOrganization`]), [`errors`] a constructor per
//! error, and [`API`] the service's tables. `models/scope.toml` says what is in scope; the model
//! itself documents each member.

mod generated;

pub use generated::{API, errors, ops, types};
