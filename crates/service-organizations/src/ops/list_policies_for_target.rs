//! `ListPoliciesForTarget`: the policies that are attached directly to a target.

use api_organizations::ops::ListPoliciesForTarget;
use api_organizations::types::{ListPoliciesForTargetRequest, ListPoliciesForTargetResponse};
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::page::page;
use crate::policy_type;
use crate::tree::Tree;
use crate::{OrganizationsContext, arn, render};

pub(crate) fn accesses(
    ctx: &OrganizationsContext,
    caller: &Caller,
    input: &ListPoliciesForTargetRequest,
) -> Vec<Access> {
    {
        let kind = input.filter.as_ref().map_or("", |kind| kind.as_str());
        let accesses = arn::accesses::<ListPoliciesForTarget>(
            &ctx.state.view(),
            caller,
            &[input.target_id.as_ref()],
        )
        .into_iter();
        accesses.map(|access| access.with_key("organizations:policytype", kind)).collect()
    }
}

pub(crate) async fn execute(
    ctx: &OrganizationsContext,
    call: Authorized<ListPoliciesForTarget>,
) -> Result<ListPoliciesForTargetResponse, ApiError> {
    let view = ctx.state.view();
    let tree = Tree::managed(&view, call.caller())?;
    let input = call.input();
    policy_type::check(input.filter.as_ref())?;
    tree.target(input.target_id.as_ref())?;
    let attached = tree.attached(input.target_id.as_deref().unwrap_or_default());
    let key = |policy: &&state::Row<iam::ServiceControlPolicy>| policy.id.clone();
    let (policies, next_token) =
        page(attached, key, input.max_results, input.next_token.as_deref())?;
    let policies = policies.into_iter().map(|policy| render::summary(tree.organization, policy));
    Ok(ListPoliciesForTargetResponse { next_token, policies: Some(policies.collect()) })
}
