//! `DeleteAccessKey`: a key that works no more.

use api_iam::ops::DeleteAccessKey;
use api_iam::types::DeleteAccessKeyRequest;
use policy::{Access, Authorized, Caller};
use wire::{ApiError, NoOutput};

use crate::{IamContext, access, lookup, name};

pub(crate) fn accesses(
    ctx: &IamContext,
    caller: &Caller,
    input: &DeleteAccessKeyRequest,
) -> Vec<Access> {
    vec![access::on_user_or_caller::<DeleteAccessKey>(ctx, caller, input.user_name.as_deref())]
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<DeleteAccessKey>,
) -> Result<NoOutput, ApiError> {
    let (caller, input) = call.into_parts();
    let account = &caller.principal.account;
    let name = name::user_or_caller(&caller, input.user_name.as_deref())?;
    let id = input.access_key_id.as_deref().unwrap_or_default();
    ctx.commit(|view, change| {
        let user = lookup::user(view, account, name)?;
        change.delete(lookup::access_key(view, user, id)?);
        Ok(())
    })
    .await?;
    Ok(NoOutput {})
}
