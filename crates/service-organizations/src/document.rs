//! The text of a service control policy.

use api_organizations::errors::malformed_policy_document_exception;
use policy::{Policy, PolicyKind};
use wire::ApiError;

use crate::error::constraint;
use crate::limit;

/// Reads and checks a document.
///
/// # Errors
/// `MalformedPolicyDocumentException` with every place, `ConstraintViolationException` when it is too
/// long.
pub(crate) fn check(content: &str) -> Result<(), ApiError> {
    let policy = Policy::parse(content, PolicyKind::ServiceControl).map_err(|errors| {
        let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
        malformed_policy_document_exception(errors.join("; "))
    })?;
    if policy.size() > limit::POLICY_SIZE {
        return Err(constraint(format!(
            "A service control policy has at most {} characters, not {}.",
            limit::POLICY_SIZE,
            policy.size()
        )));
    }
    Ok(())
}
