//! `UpdateRoleDescription`: another description.

use api_iam::ops::UpdateRoleDescription;
use api_iam::types::{UpdateRoleDescriptionRequest, UpdateRoleDescriptionResponse};
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::{IamContext, lookup, render, role};

pub(crate) fn accesses(
    ctx: &IamContext,
    caller: &Caller,
    input: &UpdateRoleDescriptionRequest,
) -> Vec<Access> {
    vec![role::on::<UpdateRoleDescription>(
        ctx,
        &caller.principal.account,
        input.role_name.as_deref(),
    )]
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<UpdateRoleDescription>,
) -> Result<UpdateRoleDescriptionResponse, ApiError> {
    let (caller, input) = call.into_parts();
    let account = &caller.principal.account;
    let name = input.role_name.unwrap_or_default();
    let role = ctx
        .commit(|view, change| {
            let row = lookup::role(view, account, &name)?;
            let mut role = row.value.as_ref().clone();
            role.description.clone_from(&input.description);
            change.update(row, &role);
            Ok(render::role::made(&role))
        })
        .await?;
    Ok(UpdateRoleDescriptionResponse { role: Some(role) })
}
