//! `DetachPolicy`: a policy applies to a target no more; one must stay.

use api_organizations::errors::policy_not_attached_exception;
use api_organizations::ops::DetachPolicy;
use api_organizations::types::DetachPolicyRequest;
use policy::{Access, Authorized, Caller};
use wire::{ApiError, NoOutput};

use crate::error::constraint;
use crate::tree::Tree;
use crate::{OrganizationsContext, arn};

pub(crate) fn accesses(
    ctx: &OrganizationsContext,
    caller: &Caller,
    input: &DetachPolicyRequest,
) -> Vec<Access> {
    arn::accesses::<DetachPolicy>(
        &ctx.state.view(),
        caller,
        &[input.policy_id.as_ref(), input.target_id.as_ref()],
    )
}

pub(crate) async fn execute(
    ctx: &OrganizationsContext,
    call: Authorized<DetachPolicy>,
) -> Result<NoOutput, ApiError> {
    let input = call.input();
    ctx.commit(|view, change| {
        let tree = Tree::managed(view, call.caller())?;
        let row = tree.policy(input.policy_id.as_ref())?;
        tree.target(input.target_id.as_ref())?;
        let id = input.target_id.as_deref().unwrap_or_default();
        if !row.targets.contains(id) {
            return Err(policy_not_attached_exception(
                "The policy isn't attached to the specified target in the specified root.",
            ));
        }
        // Those that stay must still be there when this is committed, or none would.
        let mut others = tree.attached(id).filter(|policy| policy.id != row.id);
        match others.next() {
            Some(other) => change.require(other),
            None => {
                return Err(constraint(
                    "MIN_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED: You can't detach the last service \
                     control policy of a target. Attach another first.",
                ));
            }
        }
        let mut policy = row.value.as_ref().clone();
        policy.targets.remove(id);
        change.update(row, &policy);
        Ok(())
    })
    .await?;
    Ok(NoOutput {})
}
