//! `RemoveRoleFromInstanceProfile`: an instance profile loses its role.

use api_iam::ops::RemoveRoleFromInstanceProfile;
use api_iam::types::RemoveRoleFromInstanceProfileRequest;
use policy::{Access, Authorized, Caller};
use wire::{ApiError, NoOutput};

use crate::error::no_such_entity;
use crate::{IamContext, instance_profile};

pub(crate) fn accesses(
    ctx: &IamContext,
    caller: &Caller,
    input: &RemoveRoleFromInstanceProfileRequest,
) -> Vec<Access> {
    vec![instance_profile::on::<RemoveRoleFromInstanceProfile>(
        ctx,
        &caller.principal.account,
        input.instance_profile_name.as_deref(),
    )]
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<RemoveRoleFromInstanceProfile>,
) -> Result<NoOutput, ApiError> {
    let (caller, input) = call.into_parts();
    let account = &caller.principal.account;
    let profile = input.instance_profile_name.unwrap_or_default();
    let role = input.role_name.unwrap_or_default();
    ctx.commit(|view, change| {
        let row = instance_profile::find(view, account, &profile)?;
        let has = row.role.as_deref().is_some_and(|name| name.eq_ignore_ascii_case(&role));
        if !has {
            return Err(no_such_entity(format!(
                "The role with name {role} cannot be found in the instance profile {}.",
                row.name
            )));
        }
        let mut profile = row.value.as_ref().clone();
        profile.role = None;
        change.update(row, &profile);
        Ok(())
    })
    .await?;
    Ok(NoOutput {})
}
