//! `DeleteInstanceProfile`: an instance profile that has no role.

use api_iam::ops::DeleteInstanceProfile;
use api_iam::types::DeleteInstanceProfileRequest;
use policy::{Access, Authorized, Caller};
use wire::{ApiError, NoOutput};

use crate::error::delete_conflict;
use crate::{IamContext, instance_profile};

pub(crate) fn accesses(
    ctx: &IamContext,
    caller: &Caller,
    input: &DeleteInstanceProfileRequest,
) -> Vec<Access> {
    vec![instance_profile::on::<DeleteInstanceProfile>(
        ctx,
        &caller.principal.account,
        input.instance_profile_name.as_deref(),
    )]
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<DeleteInstanceProfile>,
) -> Result<NoOutput, ApiError> {
    let (caller, input) = call.into_parts();
    let account = &caller.principal.account;
    let name = input.instance_profile_name.unwrap_or_default();
    ctx.commit(|view, change| {
        let row = instance_profile::find(view, account, &name)?;
        if row.role.is_some() {
            return Err(delete_conflict(
                "Cannot delete entity, must remove roles from instance profile first.",
            ));
        }
        change.delete(row);
        Ok(())
    })
    .await?;
    Ok(NoOutput {})
}
