//! `PutRolePermissionsBoundary`: the most that a role may do.

use api_iam::ops::PutRolePermissionsBoundary;
use api_iam::types::PutRolePermissionsBoundaryRequest;
use policy::{Access, Authorized, Caller};
use wire::{ApiError, NoOutput};

use crate::{IamContext, access, lookup, role};

pub(crate) fn accesses(
    ctx: &IamContext,
    caller: &Caller,
    input: &PutRolePermissionsBoundaryRequest,
) -> Vec<Access> {
    let own = role::on::<PutRolePermissionsBoundary>(
        ctx,
        &caller.principal.account,
        input.role_name.as_deref(),
    );
    vec![access::with_some(own, "iam:permissionsboundary", input.permissions_boundary.as_deref())]
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<PutRolePermissionsBoundary>,
) -> Result<NoOutput, ApiError> {
    let (caller, input) = call.into_parts();
    let account = &caller.principal.account;
    let name = input.role_name.unwrap_or_default();
    let arn = input.permissions_boundary.unwrap_or_default();
    ctx.commit(|view, change| {
        let row = role::changeable(view, account, &name)?;
        lookup::bound_by(view, change, account, &arn)?;
        let mut role = row.value.as_ref().clone();
        role.permissions_boundary = Some(arn.clone());
        change.update(row, &role);
        Ok(())
    })
    .await?;
    Ok(NoOutput {})
}
