//! `ListOrganizationalUnitsForParent`: the units directly in a root or unit.

use api_organizations::ops::ListOrganizationalUnitsForParent;
use api_organizations::types::{
    ListOrganizationalUnitsForParentRequest, ListOrganizationalUnitsForParentResponse,
};
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::error::parent_not_found;
use crate::page::page;
use crate::tree::Tree;
use crate::{OrganizationsContext, arn, render};

pub(crate) fn accesses(
    ctx: &OrganizationsContext,
    caller: &Caller,
    input: &ListOrganizationalUnitsForParentRequest,
) -> Vec<Access> {
    arn::accesses::<ListOrganizationalUnitsForParent>(
        &ctx.state.view(),
        caller,
        &[input.parent_id.as_ref()],
    )
}

pub(crate) async fn execute(
    ctx: &OrganizationsContext,
    call: Authorized<ListOrganizationalUnitsForParent>,
) -> Result<ListOrganizationalUnitsForParentResponse, ApiError> {
    let view = ctx.state.view();
    let tree = Tree::managed(&view, call.caller())?;
    let input = call.input();
    let parent = input.parent_id.as_ref();
    let parent =
        parent.filter(|id| tree.parent(Some(id)).is_some()).ok_or_else(parent_not_found)?;
    let inside = tree.units().filter(|unit| unit.parent_id == *parent);
    let key = |unit: &&state::Row<iam::OrganizationalUnit>| unit.id.clone();
    let (units, next_token) = page(inside, key, input.max_results, input.next_token.as_deref())?;
    let units = units.into_iter().map(|unit| render::unit(tree.organization, unit));
    Ok(ListOrganizationalUnitsForParentResponse {
        next_token,
        organizational_units: Some(units.collect()),
    })
}
