//! `GetSessionToken`: temporary credentials of the user who calls, with or without a second factor.

use std::time::Duration;

use api_sts::ops::GetSessionToken;
use api_sts::types::{GetSessionTokenRequest, GetSessionTokenResponse};
use identity::{SessionPrincipal, SessionSpec};
use policy::{Access, Authorized, Caller, PrincipalKind};
use wire::ApiError;

use crate::{StsContext, error, role};

/// How long a session lasts when nothing is said, in seconds: of a user, and of root, whose may not be
/// longer.
const USER_DURATION_S: u64 = 43_200;
const ROOT_DURATION_S: u64 = 3600;

/// Nothing: proving a second factor needs no permission.
pub(crate) fn accesses(
    _context: &StsContext,
    _caller: &Caller,
    _input: &GetSessionTokenRequest,
) -> Vec<Access> {
    Vec::new()
}

pub(crate) async fn execute(
    context: &StsContext,
    call: Authorized<GetSessionToken>,
) -> Result<GetSessionTokenResponse, ApiError> {
    let (caller, input) = call.into_parts();
    // Only sessions have a moment when they were issued.
    if caller.session.issued_at.is_some() {
        return Err(error::access_denied("Cannot call GetSessionToken with session credentials"));
    }
    let wanted = input.duration_seconds.and_then(|seconds| u64::try_from(seconds).ok());
    let id = caller.principal.user_id.clone();
    let (principal, seconds) = match &caller.principal.kind {
        PrincipalKind::Root => {
            (SessionPrincipal::Root, wanted.unwrap_or(ROOT_DURATION_S).min(ROOT_DURATION_S))
        }
        PrincipalKind::User { name } => {
            (SessionPrincipal::User { id, name: name.clone() }, wanted.unwrap_or(USER_DURATION_S))
        }
        PrincipalKind::AssumedRole { .. }
        | PrincipalKind::Service { .. }
        | PrincipalKind::Anonymous => {
            return Err(error::access_denied(
                "Cannot call GetSessionToken with session credentials",
            ));
        }
    };
    let mut spec = SessionSpec::new(caller.principal.account.clone(), principal);
    spec.mfa_at = caller.session.mfa_at;
    let lifetime = Duration::from_secs(seconds);
    let issued = context.sessions.issue(spec, lifetime).map_err(|error| error::issue(&error))?;
    Ok(GetSessionTokenResponse {
        credentials: Some(role::credentials(&issued)),
        session_token_size: None,
        session_token_utilization: None,
    })
}
