//! `UpdateAccessKey`: makes a key work or not.

use api_iam::ops::UpdateAccessKey;
use api_iam::types::{UpdateAccessKeyRequest, statusType};
use iam::AccessKeyStatus;
use policy::{Access, Authorized, Caller};
use wire::{ApiError, NoOutput};

use crate::error::validation;
use crate::{IamContext, access, lookup, name};

pub(crate) fn accesses(
    ctx: &IamContext,
    caller: &Caller,
    input: &UpdateAccessKeyRequest,
) -> Vec<Access> {
    vec![access::on_user_or_caller::<UpdateAccessKey>(ctx, caller, input.user_name.as_deref())]
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<UpdateAccessKey>,
) -> Result<NoOutput, ApiError> {
    let (caller, input) = call.into_parts();
    let account = &caller.principal.account;
    let name = name::user_or_caller(&caller, input.user_name.as_deref())?;
    let id = input.access_key_id.as_deref().unwrap_or_default();
    let status = match input.status {
        Some(statusType::Active) => AccessKeyStatus::Active,
        Some(statusType::Inactive) => AccessKeyStatus::Inactive,
        Some(statusType::Expired | statusType::Unrecognized(_)) | None => {
            return Err(validation("Status must be Active or Inactive."));
        }
    };
    ctx.commit(|view, change| {
        let user = lookup::user(view, account, name)?;
        let row = lookup::access_key(view, user, id)?;
        change.update(row, &iam::AccessKey { status, ..row.value.as_ref().clone() });
        Ok(())
    })
    .await?;
    Ok(NoOutput {})
}
