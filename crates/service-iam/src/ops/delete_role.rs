//! `DeleteRole`: nobody can be it any more.

use api_iam::ops::DeleteRole;
use api_iam::types::DeleteRoleRequest;
use policy::{Access, Authorized, Caller};
use wire::{ApiError, NoOutput};

use crate::error::delete_conflict;
use crate::{IamContext, instance_profile, role};

pub(crate) fn accesses(
    ctx: &IamContext,
    caller: &Caller,
    input: &DeleteRoleRequest,
) -> Vec<Access> {
    vec![role::on::<DeleteRole>(ctx, &caller.principal.account, input.role_name.as_deref())]
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<DeleteRole>,
) -> Result<NoOutput, ApiError> {
    let (caller, input) = call.into_parts();
    let account = &caller.principal.account;
    let name = input.role_name.unwrap_or_default();
    ctx.commit(|view, change| {
        let row = role::changeable(view, account, &name)?;
        if instance_profile::with_role(view, account, &name).next().is_some() {
            return Err(delete_conflict(
                "Cannot delete entity, must remove roles from instance profile first.",
            ));
        }
        if !row.attached_policies.is_empty() {
            return Err(delete_conflict("Cannot delete entity, must detach all policies first."));
        }
        if !row.inline_policies.is_empty() {
            return Err(delete_conflict("Cannot delete entity, must delete policies first."));
        }
        change.delete(row);
        Ok(())
    })
    .await?;
    Ok(NoOutput {})
}
