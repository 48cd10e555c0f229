//! `DeleteOrganizationalUnit`: an empty unit ends.

use api_organizations::errors::organizational_unit_not_empty_exception;
use api_organizations::ops::DeleteOrganizationalUnit;
use api_organizations::types::DeleteOrganizationalUnitRequest;
use policy::{Access, Authorized, Caller};
use wire::{ApiError, NoOutput};

use crate::error::unit_not_found;
use crate::tree::Tree;
use crate::{OrganizationsContext, arn};

pub(crate) fn accesses(
    ctx: &OrganizationsContext,
    caller: &Caller,
    input: &DeleteOrganizationalUnitRequest,
) -> Vec<Access> {
    arn::accesses::<DeleteOrganizationalUnit>(
        &ctx.state.view(),
        caller,
        &[input.organizational_unit_id.as_ref()],
    )
}

pub(crate) async fn execute(
    ctx: &OrganizationsContext,
    call: Authorized<DeleteOrganizationalUnit>,
) -> Result<NoOutput, ApiError> {
    ctx.commit(|view, change| {
        let tree = Tree::managed(view, call.caller())?;
        let id = call.input().organizational_unit_id.as_ref();
        let row = tree.unit(id).ok_or_else(unit_not_found)?;
        if tree.units().any(|unit| unit.parent_id == row.id)
            || tree.accounts().any(|account| account.parent_id == row.id)
        {
            return Err(organizational_unit_not_empty_exception(
                "The organizational unit (OU) isn't empty: move its accounts and delete its units \
                 first.",
            ));
        }
        for policy in tree.attached(&row.id) {
            let mut without = policy.value.as_ref().clone();
            without.targets.remove(&row.id);
            change.update(policy, &without);
        }
        change.delete(row);
        Ok(())
    })
    .await?;
    Ok(NoOutput {})
}
