//! `DescribePolicy`: one policy with its text.

use api_organizations::ops::DescribePolicy;
use api_organizations::types::{DescribePolicyRequest, DescribePolicyResponse};
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::tree::Tree;
use crate::{OrganizationsContext, arn, render};

pub(crate) fn accesses(
    ctx: &OrganizationsContext,
    caller: &Caller,
    input: &DescribePolicyRequest,
) -> Vec<Access> {
    arn::accesses::<DescribePolicy>(&ctx.state.view(), caller, &[input.policy_id.as_ref()])
}

pub(crate) async fn execute(
    ctx: &OrganizationsContext,
    call: Authorized<DescribePolicy>,
) -> Result<DescribePolicyResponse, ApiError> {
    let view = ctx.state.view();
    let tree = Tree::managed(&view, call.caller())?;
    let policy = tree.policy(call.input().policy_id.as_ref())?;
    Ok(DescribePolicyResponse { policy: Some(render::policy(tree.organization, policy)) })
}
