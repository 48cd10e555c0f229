//! `DescribeAccount`: one account.

use api_organizations::ops::DescribeAccount;
use api_organizations::types::{DescribeAccountRequest, DescribeAccountResponse};
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::tree::Tree;
use crate::{OrganizationsContext, arn, render};

pub(crate) fn accesses(
    ctx: &OrganizationsContext,
    caller: &Caller,
    input: &DescribeAccountRequest,
) -> Vec<Access> {
    arn::accesses::<DescribeAccount>(&ctx.state.view(), caller, &[input.account_id.as_ref()])
}

pub(crate) async fn execute(
    ctx: &OrganizationsContext,
    call: Authorized<DescribeAccount>,
) -> Result<DescribeAccountResponse, ApiError> {
    let view = ctx.state.view();
    let tree = Tree::managed(&view, call.caller())?;
    let account = tree.account(call.input().account_id.as_ref())?;
    let account = Some(render::account(tree.organization, account));
    Ok(DescribeAccountResponse { account })
}
