//! `GetCallerIdentity`: whose credentials signed the call.

use api_sts::ops::GetCallerIdentity;
use api_sts::types::{GetCallerIdentityRequest, GetCallerIdentityResponse};
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::StsContext;

/// Nothing: everybody may know who they are.
pub(crate) fn accesses(
    _context: &StsContext,
    _caller: &Caller,
    _input: &GetCallerIdentityRequest,
) -> Vec<Access> {
    Vec::new()
}

pub(crate) async fn execute(
    _context: &StsContext,
    call: Authorized<GetCallerIdentity>,
) -> Result<GetCallerIdentityResponse, ApiError> {
    let principal = &call.caller().principal;
    Ok(GetCallerIdentityResponse {
        account: Some(principal.account.to_string()),
        arn: Some(principal.arn.clone()),
        user_id: Some(principal.user_id.clone()),
    })
}
