//! `UpdatePolicy`: a policy says something else, or has another name.

use api_organizations::errors::duplicate_policy_exception;
use api_organizations::ops::UpdatePolicy;
use api_organizations::types::{UpdatePolicyRequest, UpdatePolicyResponse};
use policy::{Access, Authorized, Caller};
use std::sync::Arc;
use wire::ApiError;

use crate::error::constraint;
use crate::tree::Tree;
use crate::{OrganizationsContext, arn, document, render};

pub(crate) fn accesses(
    ctx: &OrganizationsContext,
    caller: &Caller,
    input: &UpdatePolicyRequest,
) -> Vec<Access> {
    arn::accesses::<UpdatePolicy>(&ctx.state.view(), caller, &[input.policy_id.as_ref()])
}

pub(crate) async fn execute(
    ctx: &OrganizationsContext,
    call: Authorized<UpdatePolicy>,
) -> Result<UpdatePolicyResponse, ApiError> {
    let (caller, input) = call.into_parts();
    if let Some(content) = &input.content {
        document::check(content)?;
    }
    let (organization, policy) = ctx
        .commit(|view, change| {
            let tree = Tree::managed(view, &caller)?;
            let row = tree.policy(input.policy_id.as_ref())?;
            if row.aws_managed {
                return Err(constraint("A policy that AWS manages cannot be changed."));
            }
            let mut policy = row.value.as_ref().clone();
            if let Some(name) = &input.name {
                policy.name.clone_from(name);
            }
            if let Some(description) = &input.description {
                policy.description.clone_from(description);
            }
            if let Some(content) = &input.content {
                policy.content.clone_from(content);
            }
            if tree.policies().any(|other| other.id != policy.id && other.name == policy.name) {
                return Err(duplicate_policy_exception(
                    "A policy with the same name already exists.",
                ));
            }
            change.update(row, &policy);
            Ok((Arc::clone(&tree.organization.value), policy))
        })
        .await?;
    Ok(UpdatePolicyResponse { policy: Some(render::policy(&organization, &policy)) })
}
