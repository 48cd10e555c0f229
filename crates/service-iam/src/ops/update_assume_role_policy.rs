//! `UpdateAssumeRolePolicy`: another trust policy.

use api_iam::ops::UpdateAssumeRolePolicy;
use api_iam::types::UpdateAssumeRolePolicyRequest;
use policy::{Access, Authorized, Caller};
use wire::{ApiError, NoOutput};

use crate::{IamContext, role};

pub(crate) fn accesses(
    ctx: &IamContext,
    caller: &Caller,
    input: &UpdateAssumeRolePolicyRequest,
) -> Vec<Access> {
    vec![role::on::<UpdateAssumeRolePolicy>(
        ctx,
        &caller.principal.account,
        input.role_name.as_deref(),
    )]
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<UpdateAssumeRolePolicy>,
) -> Result<NoOutput, ApiError> {
    let (caller, input) = call.into_parts();
    let account = &caller.principal.account;
    let name = input.role_name.unwrap_or_default();
    let trust_policy = input.policy_document.unwrap_or_default();
    let trusted = role::check_trust_policy(&trust_policy)?;
    ctx.commit(|view, change| {
        role::check_trusted(view, account, &trusted)?;
        let row = role::changeable(view, account, &name)?;
        let mut role = row.value.as_ref().clone();
        role.trust_policy.clone_from(&trust_policy);
        change.update(row, &role);
        Ok(())
    })
    .await?;
    Ok(NoOutput {})
}
