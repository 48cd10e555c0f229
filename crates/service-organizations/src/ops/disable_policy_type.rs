//! `DisablePolicyType`: service control policies are in force no more, and attached nowhere.

use api_organizations::ops::DisablePolicyType;
use api_organizations::types::{DisablePolicyTypeRequest, DisablePolicyTypeResponse};
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::error::constraint;
use crate::policy_type;
use crate::policy_type::root_not_found;
use crate::tree::Tree;
use crate::{OrganizationsContext, arn, render};

pub(crate) fn accesses(
    ctx: &OrganizationsContext,
    caller: &Caller,
    input: &DisablePolicyTypeRequest,
) -> Vec<Access> {
    {
        let kind = input.policy_type.as_ref().map_or("", |kind| kind.as_str());
        let accesses = arn::accesses::<DisablePolicyType>(
            &ctx.state.view(),
            caller,
            &[input.root_id.as_ref()],
        )
        .into_iter();
        accesses.map(|access| access.with_key("organizations:policytype", kind)).collect()
    }
}

pub(crate) async fn execute(
    ctx: &OrganizationsContext,
    call: Authorized<DisablePolicyType>,
) -> Result<DisablePolicyTypeResponse, ApiError> {
    let input = call.input();
    policy_type::check(input.policy_type.as_ref())?;
    let organization = ctx
        .commit(|view, change| {
            let tree = Tree::managed(view, call.caller())?;
            if input.root_id.as_ref() != Some(&tree.organization.root_id) {
                return Err(root_not_found());
            }
            policy_type::require_enabled(tree, change)?;
            let attached: Vec<_> =
                tree.policies().filter(|policy| !policy.targets.is_empty()).collect();
            if attached.len() > MAX_ATTACHED {
                return Err(constraint(format!(
                    "At most {MAX_ATTACHED} policies can be detached in one step, and {} are \
                     attached: detach some first.",
                    attached.len()
                )));
            }
            for policy in attached {
                let mut detached = policy.value.as_ref().clone();
                detached.targets.clear();
                change.update(policy, &detached);
            }
            let mut organization = tree.organization.value.as_ref().clone();
            organization.service_control_policies = false;
            change.update(tree.organization, &organization);
            Ok(organization)
        })
        .await?;
    Ok(DisablePolicyTypeResponse { root: Some(render::root(&organization)) })
}

/// What one transaction of the store can hold, with a margin: each is a condition and a write.
const MAX_ATTACHED: usize = 50;
