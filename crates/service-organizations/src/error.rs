//! Errors that many operations share, in Organizations' words.

use api_organizations::errors;
use wire::ApiError;

/// There is no organisation, or the caller's account is in none.
pub(crate) fn not_in_use() -> ApiError {
    errors::aws_organizations_not_in_use_exception(
        "Your account is not a member of an organization.",
    )
}

/// Only the management account may.
pub(crate) fn not_management() -> ApiError {
    errors::access_denied_exception("You don't have permissions to access this resource.")
}

/// What a member says cannot be.
pub(crate) fn invalid_input(message: impl Into<String>) -> ApiError {
    errors::invalid_input_exception(message)
}

/// A rule of organisations would be broken.
pub(crate) fn constraint(message: impl Into<String>) -> ApiError {
    errors::constraint_violation_exception(message)
}

pub(crate) fn account_not_found() -> ApiError {
    errors::account_not_found_exception("You specified an account that doesn't exist.")
}

pub(crate) fn parent_not_found() -> ApiError {
    errors::parent_not_found_exception("You specified parent that doesn't exist.")
}

pub(crate) fn policy_not_found() -> ApiError {
    errors::policy_not_found_exception("You specified a policy that doesn't exist.")
}

pub(crate) fn target_not_found() -> ApiError {
    errors::target_not_found_exception(
        "You specified a target that doesn't exist: it is no root, unit or account of the organization.",
    )
}

pub(crate) fn unit_not_found() -> ApiError {
    errors::organizational_unit_not_found_exception(
        "You specified an organizational unit that doesn't exist.",
    )
}
