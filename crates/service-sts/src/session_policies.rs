//! Policies that limit one session.

use api_sts::types::PolicyDescriptorType;
use base::AccountId;
use identity::{SessionSpec, aws_managed, managed_policy};
use policy::{Policy, PolicyKind};
use wire::ApiError;

use crate::{StsContext, error};

/// How long an inline session policy may be, in characters.
const MAX_POLICY_CHARS: usize = 2048;
/// How many managed policies may be passed.
const MAX_POLICIES: usize = 10;

/// Checks the policies that are passed for a session of a role of `account` and puts them into `spec`.
///
/// # Errors
/// `PackedPolicyTooLarge`, `MalformedPolicyDocument`, and `ValidationError` for a managed policy that
/// is not there.
pub(crate) fn put(
    context: &StsContext,
    account: &AccountId,
    policy: Option<&str>,
    managed: Option<&[PolicyDescriptorType]>,
    spec: &mut SessionSpec,
) -> Result<(), ApiError> {
    if let Some(text) = policy {
        let chars = text.chars().count();
        if chars > MAX_POLICY_CHARS {
            let message = format!(
                "The session policy is {chars} characters long, and at most {MAX_POLICY_CHARS} are \
                 allowed"
            );
            return Err(api_sts::errors::packed_policy_too_large_exception(message));
        }
        Policy::parse(text, PolicyKind::Identity).map_err(|errors| {
            let first = errors.first().map(ToString::to_string).unwrap_or_default();
            api_sts::errors::malformed_policy_document_exception(first)
        })?;
        spec.policy = Some(text.to_owned());
    }
    let managed = managed.unwrap_or_default();
    if managed.len() > MAX_POLICIES {
        return Err(error::validation(format!(
            "{} managed session policies are given, and at most {MAX_POLICIES} are allowed",
            managed.len()
        )));
    }
    let view = context.state.view();
    for descriptor in managed {
        let arn = descriptor.arn.as_deref().unwrap_or_default();
        let own = managed_policy(&view, arn).is_some_and(|policy| policy.account == *account);
        if !own && aws_managed::find(arn).is_none() {
            return Err(error::validation(format!("ARN {arn} is not valid.")));
        }
        spec.policy_arns.push(arn.to_owned());
    }
    Ok(())
}
