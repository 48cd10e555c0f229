//! `ListPolicies`: every policy, without its text.

use api_organizations::ops::ListPolicies;
use api_organizations::types::{ListPoliciesRequest, ListPoliciesResponse};
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::page::page;
use crate::policy_type;
use crate::tree::Tree;
use crate::{OrganizationsContext, arn, render};

pub(crate) fn accesses(
    ctx: &OrganizationsContext,
    caller: &Caller,
    input: &ListPoliciesRequest,
) -> Vec<Access> {
    {
        let kind = input.filter.as_ref().map_or("", |kind| kind.as_str());
        let accesses =
            arn::accesses::<ListPolicies>(&ctx.state.view(), caller, &[None]).into_iter();
        accesses.map(|access| access.with_key("organizations:policytype", kind)).collect()
    }
}

pub(crate) async fn execute(
    ctx: &OrganizationsContext,
    call: Authorized<ListPolicies>,
) -> Result<ListPoliciesResponse, ApiError> {
    let view = ctx.state.view();
    let tree = Tree::managed(&view, call.caller())?;
    let input = call.input();
    policy_type::check(input.filter.as_ref())?;
    let key = |policy: &&state::Row<iam::ServiceControlPolicy>| policy.id.clone();
    let (policies, next_token) =
        page(tree.policies(), key, input.max_results, input.next_token.as_deref())?;
    let policies = policies.into_iter().map(|policy| render::summary(tree.organization, policy));
    Ok(ListPoliciesResponse { next_token, policies: Some(policies.collect()) })
}
