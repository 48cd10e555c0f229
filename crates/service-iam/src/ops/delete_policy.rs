//! `DeletePolicy`: a managed policy that nothing uses, with its only version.

use api_iam::ops::DeletePolicy;
use api_iam::types::DeletePolicyRequest;
use policy::{Access, Authorized, Caller};
use wire::{ApiError, NoOutput};

use crate::error::delete_conflict;
use crate::{IamContext, managed};

pub(crate) fn accesses(
    ctx: &IamContext,
    caller: &Caller,
    input: &DeletePolicyRequest,
) -> Vec<Access> {
    vec![managed::on::<DeletePolicy>(ctx, &caller.principal.account, input.policy_arn.as_deref())]
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<DeletePolicy>,
) -> Result<NoOutput, ApiError> {
    let (caller, input) = call.into_parts();
    let account = &caller.principal.account;
    let arn = input.policy_arn.unwrap_or_default();
    ctx.commit(|view, change| {
        let row = managed::changeable::<DeletePolicy>(view, &caller, &arn)?;
        if managed::uses(view, account).contains_key(&arn) {
            return Err(delete_conflict("Cannot delete a policy attached to entities."));
        }
        if row.versions.len() > 1 {
            return Err(delete_conflict(
                "This policy has more than one version. Before you delete a policy, you must delete the policy's versions. The default version is deleted with the policy.",
            ));
        }
        change.delete(row);
        Ok(())
    })
    .await?;
    Ok(NoOutput {})
}
