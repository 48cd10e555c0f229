//! `DeleteUserPermissionsBoundary`: takes the bounds of a user away; no error when there are none.

use api_iam::ops::DeleteUserPermissionsBoundary;
use api_iam::types::DeleteUserPermissionsBoundaryRequest;
use policy::{Access, Authorized, Caller};
use wire::{ApiError, NoOutput};

use crate::{IamContext, access, lookup};

pub(crate) fn accesses(
    ctx: &IamContext,
    caller: &Caller,
    input: &DeleteUserPermissionsBoundaryRequest,
) -> Vec<Access> {
    vec![access::on_bounded_user::<DeleteUserPermissionsBoundary>(
        ctx,
        &caller.principal.account,
        input.user_name.as_deref(),
    )]
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<DeleteUserPermissionsBoundary>,
) -> Result<NoOutput, ApiError> {
    let (caller, input) = call.into_parts();
    let account = &caller.principal.account;
    let name = input.user_name.as_deref().unwrap_or_default();
    ctx.commit(|view, change| {
        let row = lookup::user(view, account, name)?;
        let mut user = row.value.as_ref().clone();
        if user.permissions_boundary.take().is_some() {
            change.update(row, &user);
        }
        Ok(())
    })
    .await?;
    Ok(NoOutput {})
}
