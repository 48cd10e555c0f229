//! `DeleteRolePermissionsBoundary`: nothing bounds a role any more.

use api_iam::ops::DeleteRolePermissionsBoundary;
use api_iam::types::DeleteRolePermissionsBoundaryRequest;
use policy::{Access, Authorized, Caller};
use wire::{ApiError, NoOutput};

use crate::{IamContext, role};

pub(crate) fn accesses(
    ctx: &IamContext,
    caller: &Caller,
    input: &DeleteRolePermissionsBoundaryRequest,
) -> Vec<Access> {
    vec![role::on_bounded::<DeleteRolePermissionsBoundary>(
        ctx,
        &caller.principal.account,
        input.role_name.as_deref(),
    )]
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<DeleteRolePermissionsBoundary>,
) -> Result<NoOutput, ApiError> {
    let (caller, input) = call.into_parts();
    let account = &caller.principal.account;
    let name = input.role_name.unwrap_or_default();
    ctx.commit(|view, change| {
        let row = role::changeable(view, account, &name)?;
        let mut role = row.value.as_ref().clone();
        role.permissions_boundary = None;
        change.update(row, &role);
        Ok(())
    })
    .await?;
    Ok(NoOutput {})
}
