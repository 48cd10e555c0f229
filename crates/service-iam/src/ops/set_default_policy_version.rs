//! `SetDefaultPolicyVersion`: another version is in force.

use api_iam::ops::SetDefaultPolicyVersion;
use api_iam::types::SetDefaultPolicyVersionRequest;
use policy::{Access, Authorized, Caller};
use wire::{ApiError, NoOutput};

use crate::{IamContext, managed};

pub(crate) fn accesses(
    ctx: &IamContext,
    caller: &Caller,
    input: &SetDefaultPolicyVersionRequest,
) -> Vec<Access> {
    vec![managed::on::<SetDefaultPolicyVersion>(
        ctx,
        &caller.principal.account,
        input.policy_arn.as_deref(),
    )]
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<SetDefaultPolicyVersion>,
) -> Result<NoOutput, ApiError> {
    let (caller, input) = call.into_parts();
    let arn = input.policy_arn.unwrap_or_default();
    let version_id = input.version_id.unwrap_or_default();
    ctx.commit(|view, change| {
        let row = managed::changeable::<SetDefaultPolicyVersion>(view, &caller, &arn)?;
        let number = managed::version_number(&version_id)
            .filter(|number| row.versions.contains_key(number))
            .ok_or_else(|| managed::no_such_version(&arn, &version_id))?;
        let mut policy = row.value.as_ref().clone();
        policy.default_version = number;
        policy.updated_at = ctx.now();
        change.update(row, &policy);
        Ok(())
    })
    .await?;
    Ok(NoOutput {})
}
