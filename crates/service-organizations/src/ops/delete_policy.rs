//! `DeletePolicy`: a policy that is attached nowhere ends.

use api_organizations::errors::policy_in_use_exception;
use api_organizations::ops::DeletePolicy;
use api_organizations::types::DeletePolicyRequest;
use policy::{Access, Authorized, Caller};
use wire::{ApiError, NoOutput};

use crate::error::constraint;
use crate::tree::Tree;
use crate::{OrganizationsContext, arn};

pub(crate) fn accesses(
    ctx: &OrganizationsContext,
    caller: &Caller,
    input: &DeletePolicyRequest,
) -> Vec<Access> {
    arn::accesses::<DeletePolicy>(&ctx.state.view(), caller, &[input.policy_id.as_ref()])
}

pub(crate) async fn execute(
    ctx: &OrganizationsContext,
    call: Authorized<DeletePolicy>,
) -> Result<NoOutput, ApiError> {
    ctx.commit(|view, change| {
        let tree = Tree::managed(view, call.caller())?;
        let row = tree.policy(call.input().policy_id.as_ref())?;
        if row.aws_managed {
            return Err(constraint("A policy that AWS manages cannot be deleted."));
        }
        if !row.targets.is_empty() {
            return Err(policy_in_use_exception(
                "The policy is attached to one or more entities. You must detach it from all roots, \
                 OUs, and accounts before performing this operation.",
            ));
        }
        change.delete(row);
        Ok(())
    })
    .await?;
    Ok(NoOutput {})
}
