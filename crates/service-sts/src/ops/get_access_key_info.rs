//! `GetAccessKeyInfo`: whose account an access key is of.

use api_sts::ops::GetAccessKeyInfo;
use api_sts::types::{GetAccessKeyInfoRequest, GetAccessKeyInfoResponse};
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::{StsContext, error};

pub(crate) fn accesses(
    _context: &StsContext,
    _caller: &Caller,
    _input: &GetAccessKeyInfoRequest,
) -> Vec<Access> {
    vec![Access::of::<GetAccessKeyInfo>("*")]
}

pub(crate) async fn execute(
    context: &StsContext,
    call: Authorized<GetAccessKeyInfo>,
) -> Result<GetAccessKeyInfoResponse, ApiError> {
    let id = call.input().access_key_id.as_deref().unwrap_or_default();
    let account = context.directory.account_of_key(id);
    let account = account
        .ok_or_else(|| error::validation(format!("The access key ID `{id}` is not valid.")))?;
    Ok(GetAccessKeyInfoResponse { account: Some(account.to_string()) })
}
