//! `CreateOrganizationalUnit`: a unit in a root or unit.

use api_organizations::errors::duplicate_organizational_unit_exception;
use api_organizations::ops::CreateOrganizationalUnit;
use api_organizations::types::{CreateOrganizationalUnitRequest, CreateOrganizationalUnitResponse};
use iam::OrganizationalUnit;
use policy::{Access, Authorized, Caller};
use state::Row;
use std::sync::Arc;
use wire::ApiError;

use crate::attach::attach_full_access;
use crate::error::{constraint, parent_not_found};
use crate::tree::Tree;
use crate::{OrganizationsContext, arn, limit, render, tag};

pub(crate) fn accesses(
    ctx: &OrganizationsContext,
    caller: &Caller,
    input: &CreateOrganizationalUnitRequest,
) -> Vec<Access> {
    arn::accesses::<CreateOrganizationalUnit>(
        &ctx.state.view(),
        caller,
        &[input.parent_id.as_ref()],
    )
}

pub(crate) async fn execute(
    ctx: &OrganizationsContext,
    call: Authorized<CreateOrganizationalUnit>,
) -> Result<CreateOrganizationalUnitResponse, ApiError> {
    let (caller, input) = call.into_parts();
    let name = input.name.unwrap_or_default();
    let tags = tag::read(input.tags)?;
    let (organization, unit) = ctx
        .commit(|view, change| {
            let tree = Tree::managed(view, &caller)?;
            let parent = input.parent_id.as_ref();
            let parent =
                parent.filter(|id| tree.parent(Some(id)).is_some()).ok_or_else(parent_not_found)?;
            if tree.units().count() >= limit::UNITS {
                return Err(constraint(format!(
                    "OU_NUMBER_LIMIT_EXCEEDED: an organization has at most {} units.",
                    limit::UNITS
                )));
            }
            if tree.depth(parent) >= limit::DEPTH {
                return Err(constraint(format!(
                    "OU_DEPTH_LIMIT_EXCEEDED: units are at most {} levels deep.",
                    limit::DEPTH
                )));
            }
            let same =
                |unit: &Row<OrganizationalUnit>| unit.parent_id == *parent && unit.name == name;
            if tree.units().any(same) {
                return Err(duplicate_organizational_unit_exception(
                    "An OU with the same name already exists in the parent.",
                ));
            }
            if let Some(above) = tree.unit(Some(parent)) {
                change.require(above);
            }
            let root = tree.organization.root_id.trim_start_matches("r-");
            let unit = OrganizationalUnit {
                id: format!("ou-{root}-{}", ctx.name(8)),
                name: name.clone(),
                parent_id: parent.clone(),
                tags: tags.clone(),
            };
            change.create(&unit);
            attach_full_access(tree, change, &unit.id);
            Ok((Arc::clone(&tree.organization.value), unit))
        })
        .await?;
    let organizational_unit = Some(render::unit(&organization, &unit));
    Ok(CreateOrganizationalUnitResponse { organizational_unit })
}
