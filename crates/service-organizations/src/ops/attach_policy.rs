//! `AttachPolicy`: a policy applies to a root, unit or account and all below.

use api_organizations::errors::duplicate_policy_attachment_exception;
use api_organizations::ops::AttachPolicy;
use api_organizations::types::AttachPolicyRequest;
use policy::{Access, Authorized, Caller};
use wire::{ApiError, NoOutput};

use crate::error::constraint;
use crate::policy_type;
use crate::tree::{Node, Tree};
use crate::{OrganizationsContext, arn, limit};

pub(crate) fn accesses(
    ctx: &OrganizationsContext,
    caller: &Caller,
    input: &AttachPolicyRequest,
) -> Vec<Access> {
    arn::accesses::<AttachPolicy>(
        &ctx.state.view(),
        caller,
        &[input.policy_id.as_ref(), input.target_id.as_ref()],
    )
}

pub(crate) async fn execute(
    ctx: &OrganizationsContext,
    call: Authorized<AttachPolicy>,
) -> Result<NoOutput, ApiError> {
    let input = call.input();
    ctx.commit(|view, change| {
        let tree = Tree::managed(view, call.caller())?;
        let row = tree.policy(input.policy_id.as_ref())?;
        let target = tree.target(input.target_id.as_ref())?;
        let id = input.target_id.as_deref().unwrap_or_default();
        policy_type::require_enabled(tree, change)?;
        if row.targets.contains(id) {
            return Err(duplicate_policy_attachment_exception(
                "The selected policy is already attached to the specified target.",
            ));
        }
        if tree.attached(id).count() >= limit::POLICIES_PER_TARGET {
            return Err(constraint(format!(
                "MAX_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED: a target has at most {} service control \
                 policies.",
                limit::POLICIES_PER_TARGET
            )));
        }
        if let Node::Unit(unit) = target {
            change.require(unit);
        }
        let mut policy = row.value.as_ref().clone();
        policy.targets.insert(id.to_owned());
        change.update(row, &policy);
        Ok(())
    })
    .await?;
    Ok(NoOutput {})
}
