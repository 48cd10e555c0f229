//! `MoveAccount`: an account goes to another root or unit.

use api_organizations::errors::{
    destination_parent_not_found_exception, duplicate_account_exception,
    source_parent_not_found_exception,
};
use api_organizations::ops::MoveAccount;
use api_organizations::types::MoveAccountRequest;
use policy::{Access, Authorized, Caller};
use wire::{ApiError, NoOutput};

use crate::tree::Tree;
use crate::{OrganizationsContext, arn};

pub(crate) fn accesses(
    ctx: &OrganizationsContext,
    caller: &Caller,
    input: &MoveAccountRequest,
) -> Vec<Access> {
    arn::accesses::<MoveAccount>(
        &ctx.state.view(),
        caller,
        &[
            input.account_id.as_ref(),
            input.source_parent_id.as_ref(),
            input.destination_parent_id.as_ref(),
        ],
    )
}

pub(crate) async fn execute(
    ctx: &OrganizationsContext,
    call: Authorized<MoveAccount>,
) -> Result<NoOutput, ApiError> {
    let input = call.input();
    ctx.commit(|view, change| {
        let tree = Tree::managed(view, call.caller())?;
        let row = tree.account(input.account_id.as_ref())?;
        let source = input.source_parent_id.as_ref();
        if tree.parent(source).is_none() || source != Some(&row.parent_id) {
            return Err(source_parent_not_found_exception(
                "The account isn't in the source parent that you specified.",
            ));
        }
        let destination = input.destination_parent_id.as_ref();
        let destination =
            destination.filter(|id| tree.parent(Some(id)).is_some()).ok_or_else(|| {
                destination_parent_not_found_exception(
                    "The destination parent that you specified doesn't exist.",
                )
            })?;
        if *destination == row.parent_id {
            return Err(duplicate_account_exception(
                "The account is already in the destination parent.",
            ));
        }
        if let Some(unit) = tree.unit(Some(destination)) {
            change.require(unit);
        }
        let mut account = row.value.as_ref().clone();
        account.parent_id.clone_from(destination);
        change.update(row, &account);
        Ok(())
    })
    .await?;
    Ok(NoOutput {})
}
