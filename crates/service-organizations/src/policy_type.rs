//! Kinds of policies: service control policies, and no others.

use api_organizations::errors;
use api_organizations::types::PolicyType;
use state::Change;
use wire::ApiError;

use crate::tree::Tree;

/// Refuses what is no service control policy.
///
/// # Errors
/// `PolicyTypeNotAvailableForOrganizationException`.
pub(crate) fn check(given: Option<&PolicyType>) -> Result<(), ApiError> {
    match given {
        Some(PolicyType::ServiceControlPolicy) => Ok(()),
        other => Err(errors::policy_type_not_available_for_organization_exception(format!(
            "Policies of type {} are not supported: use SERVICE_CONTROL_POLICY.",
            other.map_or("none", PolicyType::as_str)
        ))),
    }
}

/// Refuses when service control policies are not in force, now or when `change` is made.
///
/// # Errors
/// `PolicyTypeNotEnabledException`.
pub(crate) fn require_enabled(tree: Tree<'_>, change: &mut Change) -> Result<(), ApiError> {
    if !tree.organization.service_control_policies {
        return Err(errors::policy_type_not_enabled_exception(
            "This operation can be performed only for enabled policy types.",
        ));
    }
    change.require(tree.organization);
    Ok(())
}

pub(crate) fn root_not_found() -> ApiError {
    errors::root_not_found_exception("You specified a root that doesn't exist.")
}
