//! `DeletePolicyVersion`: a version that is not in force.

use api_iam::ops::DeletePolicyVersion;
use api_iam::types::DeletePolicyVersionRequest;
use policy::{Access, Authorized, Caller};
use wire::{ApiError, NoOutput};

use crate::error::delete_conflict;
use crate::{IamContext, managed};

pub(crate) fn accesses(
    ctx: &IamContext,
    caller: &Caller,
    input: &DeletePolicyVersionRequest,
) -> Vec<Access> {
    vec![managed::on::<DeletePolicyVersion>(
        ctx,
        &caller.principal.account,
        input.policy_arn.as_deref(),
    )]
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<DeletePolicyVersion>,
) -> Result<NoOutput, ApiError> {
    let (caller, input) = call.into_parts();
    let arn = input.policy_arn.unwrap_or_default();
    let version_id = input.version_id.unwrap_or_default();
    ctx.commit(|view, change| {
        let row = managed::changeable::<DeletePolicyVersion>(view, &caller, &arn)?;
        let number = managed::version_number(&version_id)
            .filter(|number| row.versions.contains_key(number))
            .ok_or_else(|| managed::no_such_version(&arn, &version_id))?;
        if number == row.default_version {
            return Err(delete_conflict("Cannot delete the default version of a policy."));
        }
        let mut policy = row.value.as_ref().clone();
        policy.versions.remove(&number);
        policy.updated_at = ctx.now();
        change.update(row, &policy);
        Ok(())
    })
    .await?;
    Ok(NoOutput {})
}
