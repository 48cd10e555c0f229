//! The role that is to be assumed.

use std::time::Duration;

use api_sts::types::{AssumedRoleUser, Credentials};
use base::{AccountId, Arn};
use iam::Role;
use identity::{IssuedCredentials, principal_of_role_session, role_of_arn};
use policy::Access;
use wire::ApiError;

use crate::{StsContext, error};

/// How long a session lasts when nothing is said, in seconds.
const DEFAULT_DURATION_S: u32 = 3600;

/// The role with this ARN, when there is one.
pub(crate) fn find(context: &StsContext, arn: &str) -> Option<Role> {
    role_of_arn(&context.state.view(), arn).cloned()
}

/// The account of a role's ARN.
///
/// # Errors
/// `ValidationError` when it is the ARN of something else.
pub(crate) fn account_of(arn: &str) -> Result<AccountId, ApiError> {
    let parsed: Option<Arn> = arn.parse().ok();
    let role = parsed.filter(|arn| arn.service == "iam" && arn.resource.starts_with("role/"));
    let account = role.and_then(|arn| arn.account.parse().ok());
    account.ok_or_else(|| error::validation(format!("{arn} is invalid")))
}

/// `action` on the role with this ARN, which its trust policy must allow. A role that is not there is like
/// one that does not trust the caller.
pub(crate) fn access(
    context: &StsContext,
    action: &'static str,
    arn: &str,
    role: Option<&Role>,
) -> Access {
    let trust_policy = context.policies().trust_policy(role);
    let mut access = Access::new(action, arn).with_resource_policy(trust_policy, true);
    for (key, value) in role.iter().flat_map(|role| &role.tags) {
        access = access.with_key(&format!("iam:resourcetag/{key}"), value.as_str());
        access = access.with_resource_tags([(key.as_str(), value.as_str())]);
    }
    access
}

/// How long the session is to last; `chained` when a session asks for it.
///
/// # Errors
/// `ValidationError` when that is longer than it may.
pub(crate) fn duration(
    role: &Role,
    wanted: Option<i32>,
    chained: bool,
) -> Result<Duration, ApiError> {
    let wanted = wanted.and_then(|seconds| u32::try_from(seconds).ok());
    let seconds = wanted.unwrap_or(DEFAULT_DURATION_S);
    if chained && seconds > DEFAULT_DURATION_S {
        return Err(error::validation(
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by \
             role chaining.",
        ));
    }
    if seconds > role.max_session_duration_s {
        return Err(error::validation(
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
        ));
    }
    Ok(Duration::from_secs(seconds.into()))
}

/// The session, as answers name it.
pub(crate) fn assumed(role: &Role, session_name: &str) -> AssumedRoleUser {
    let principal = principal_of_role_session(role, session_name, &role.tags);
    AssumedRoleUser { arn: Some(principal.arn), assumed_role_id: Some(principal.user_id) }
}

/// Credentials, as answers show them.
pub(crate) fn credentials(issued: &IssuedCredentials) -> Credentials {
    Credentials {
        access_key_id: Some(issued.access_key_id.clone()),
        expiration: Some(issued.expires_at),
        secret_access_key: Some(issued.secret.expose().to_owned()),
        session_token: Some(issued.session_token.clone()),
    }
}
