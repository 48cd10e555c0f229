//! `DescribeOrganizationalUnit`: one unit.

use api_organizations::ops::DescribeOrganizationalUnit;
use api_organizations::types::{
    DescribeOrganizationalUnitRequest, DescribeOrganizationalUnitResponse,
};
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::error::unit_not_found;
use crate::tree::Tree;
use crate::{OrganizationsContext, arn, render};

pub(crate) fn accesses(
    ctx: &OrganizationsContext,
    caller: &Caller,
    input: &DescribeOrganizationalUnitRequest,
) -> Vec<Access> {
    arn::accesses::<DescribeOrganizationalUnit>(
        &ctx.state.view(),
        caller,
        &[input.organizational_unit_id.as_ref()],
    )
}

pub(crate) async fn execute(
    ctx: &OrganizationsContext,
    call: Authorized<DescribeOrganizationalUnit>,
) -> Result<DescribeOrganizationalUnitResponse, ApiError> {
    let view = ctx.state.view();
    let tree = Tree::managed(&view, call.caller())?;
    let unit =
        tree.unit(call.input().organizational_unit_id.as_ref()).ok_or_else(unit_not_found)?;
    let organizational_unit = Some(render::unit(tree.organization, unit));
    Ok(DescribeOrganizationalUnitResponse { organizational_unit })
}
