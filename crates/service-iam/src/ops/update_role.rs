//! `UpdateRole`: another description and session duration.

use api_iam::ops::UpdateRole;
use api_iam::types::{UpdateRoleRequest, UpdateRoleResponse};
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::{IamContext, role};

pub(crate) fn accesses(
    ctx: &IamContext,
    caller: &Caller,
    input: &UpdateRoleRequest,
) -> Vec<Access> {
    vec![role::on::<UpdateRole>(ctx, &caller.principal.account, input.role_name.as_deref())]
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<UpdateRole>,
) -> Result<UpdateRoleResponse, ApiError> {
    let (caller, input) = call.into_parts();
    let account = &caller.principal.account;
    let name = input.role_name.unwrap_or_default();
    ctx.commit(|view, change| {
        let row = role::changeable(view, account, &name)?;
        let mut role = row.value.as_ref().clone();
        if let Some(description) = &input.description {
            role.description = Some(description.clone());
        }
        if input.max_session_duration.is_some() {
            role.max_session_duration_s = role::session_duration_s(input.max_session_duration);
        }
        change.update(row, &role);
        Ok(())
    })
    .await?;
    Ok(UpdateRoleResponse {})
}
