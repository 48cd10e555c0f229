//! `PutUserPermissionsBoundary`: sets the managed policy that bounds a user.

use api_iam::ops::PutUserPermissionsBoundary;
use api_iam::types::PutUserPermissionsBoundaryRequest;
use policy::{Access, Authorized, Caller};
use wire::{ApiError, NoOutput};

use crate::{IamContext, access, lookup};

pub(crate) fn accesses(
    ctx: &IamContext,
    caller: &Caller,
    input: &PutUserPermissionsBoundaryRequest,
) -> Vec<Access> {
    let on = access::on_user::<PutUserPermissionsBoundary>(
        ctx,
        &caller.principal.account,
        input.user_name.as_deref(),
    );
    vec![access::with_some(on, "iam:permissionsboundary", input.permissions_boundary.as_deref())]
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<PutUserPermissionsBoundary>,
) -> Result<NoOutput, ApiError> {
    let (caller, input) = call.into_parts();
    let account = &caller.principal.account;
    let name = input.user_name.as_deref().unwrap_or_default();
    let boundary = input.permissions_boundary.as_deref().unwrap_or_default();
    ctx.commit(|view, change| {
        let row = lookup::user(view, account, name)?;
        lookup::bound_by(view, change, account, boundary)?;
        let mut user = row.value.as_ref().clone();
        user.permissions_boundary = Some(boundary.to_owned());
        change.update(row, &user);
        Ok(())
    })
    .await?;
    Ok(NoOutput {})
}
