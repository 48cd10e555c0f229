//! `DescribeCreateAccountStatus`: how a request for an account ended.

use api_organizations::errors::create_account_status_not_found_exception;
use api_organizations::ops::DescribeCreateAccountStatus;
use api_organizations::types::{
    DescribeCreateAccountStatusRequest, DescribeCreateAccountStatusResponse,
};
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::tree::Tree;
use crate::{OrganizationsContext, arn, render};

pub(crate) fn accesses(
    ctx: &OrganizationsContext,
    caller: &Caller,
    _input: &DescribeCreateAccountStatusRequest,
) -> Vec<Access> {
    arn::accesses::<DescribeCreateAccountStatus>(&ctx.state.view(), caller, &[None])
}

pub(crate) async fn execute(
    ctx: &OrganizationsContext,
    call: Authorized<DescribeCreateAccountStatus>,
) -> Result<DescribeCreateAccountStatusResponse, ApiError> {
    let view = ctx.state.view();
    let tree = Tree::managed(&view, call.caller())?;
    let wanted = &call.input().create_account_request_id;
    let account = tree.accounts().find(|account| account.request_id == *wanted);
    let account = account.ok_or_else(|| {
        create_account_status_not_found_exception(
            "You specified a create account request that doesn't exist.",
        )
    })?;
    let create_account_status = Some(render::create_account_status(account));
    Ok(DescribeCreateAccountStatusResponse { create_account_status })
}
