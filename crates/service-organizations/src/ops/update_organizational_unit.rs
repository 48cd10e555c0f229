//! `UpdateOrganizationalUnit`: a unit has another name.

use api_organizations::errors::duplicate_organizational_unit_exception;
use api_organizations::ops::UpdateOrganizationalUnit;
use api_organizations::types::{UpdateOrganizationalUnitRequest, UpdateOrganizationalUnitResponse};
use policy::{Access, Authorized, Caller};
use std::sync::Arc;
use wire::ApiError;

use crate::error::unit_not_found;
use crate::tree::Tree;
use crate::{OrganizationsContext, arn, render};

pub(crate) fn accesses(
    ctx: &OrganizationsContext,
    caller: &Caller,
    input: &UpdateOrganizationalUnitRequest,
) -> Vec<Access> {
    arn::accesses::<UpdateOrganizationalUnit>(
        &ctx.state.view(),
        caller,
        &[input.organizational_unit_id.as_ref()],
    )
}

pub(crate) async fn execute(
    ctx: &OrganizationsContext,
    call: Authorized<UpdateOrganizationalUnit>,
) -> Result<UpdateOrganizationalUnitResponse, ApiError> {
    let input = call.input();
    let (organization, unit) = ctx
        .commit(|view, change| {
            let tree = Tree::managed(view, call.caller())?;
            let row =
                tree.unit(input.organizational_unit_id.as_ref()).ok_or_else(unit_not_found)?;
            let mut unit = row.value.as_ref().clone();
            if let Some(name) = &input.name {
                unit.name.clone_from(name);
            }
            let same = |other: &iam::OrganizationalUnit| {
                other.id != unit.id && other.parent_id == unit.parent_id && other.name == unit.name
            };
            if tree.units().any(|other| same(other)) {
                return Err(duplicate_organizational_unit_exception(
                    "An OU with the same name already exists in the parent.",
                ));
            }
            change.update(row, &unit);
            Ok((Arc::clone(&tree.organization.value), unit))
        })
        .await?;
    let organizational_unit = Some(render::unit(&organization, &unit));
    Ok(UpdateOrganizationalUnitResponse { organizational_unit })
}
