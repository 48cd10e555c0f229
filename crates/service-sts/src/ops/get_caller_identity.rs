//! `GetCallerIdentity`: whose credentials signed the call.

use api_sts::ops::GetCallerIdentity;
use api_sts::types::{GetCallerIdentityRequest, GetCallerIdentityResponse};
use policy::Authorized;
use wire::ApiError;

/// Nothing: everybody may know who they are.
pub(crate) const fn resources(_context: &(), _input: &GetCallerIdentityRequest) -> Vec<String> {
    Vec::new()
}

pub(crate) async fn execute(
    _context: &(),
    call: Authorized<GetCallerIdentity>,
) -> Result<GetCallerIdentityResponse, ApiError> {
    let principal = &call.caller().principal;
    Ok(GetCallerIdentityResponse {
        account: Some(principal.account.to_string()),
        arn: Some(principal.arn.clone()),
        user_id: Some(principal.user_id.clone()),
    })
}
