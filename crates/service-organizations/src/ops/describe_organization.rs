//! `DescribeOrganization`: the organisation of the caller's account.

use api_organizations::ops::DescribeOrganization;
use api_organizations::types::DescribeOrganizationResponse;
use policy::{Access, Authorized, Caller};
use wire::{ApiError, NoOutput};

use crate::tree::Tree;
use crate::{OrganizationsContext, arn, render};

pub(crate) fn accesses(
    ctx: &OrganizationsContext,
    caller: &Caller,
    _input: &NoOutput,
) -> Vec<Access> {
    arn::accesses::<DescribeOrganization>(&ctx.state.view(), caller, &[None])
}

pub(crate) async fn execute(
    ctx: &OrganizationsContext,
    call: Authorized<DescribeOrganization>,
) -> Result<DescribeOrganizationResponse, ApiError> {
    let view = ctx.state.view();
    let tree = Tree::of(&view, call.caller())?;
    let organization = Some(render::organization(tree.organization));
    Ok(DescribeOrganizationResponse { organization })
}
