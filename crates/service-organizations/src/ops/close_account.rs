//! `CloseAccount`: an account whose identities may do nothing any more.

use api_organizations::errors::account_already_closed_exception;
use api_organizations::ops::CloseAccount;
use api_organizations::types::CloseAccountRequest;
use iam::AccountStatus;
use policy::{Access, Authorized, Caller};
use wire::{ApiError, NoOutput};

use crate::error::constraint;
use crate::tree::Tree;
use crate::{OrganizationsContext, arn};

pub(crate) fn accesses(
    ctx: &OrganizationsContext,
    caller: &Caller,
    input: &CloseAccountRequest,
) -> Vec<Access> {
    arn::accesses::<CloseAccount>(&ctx.state.view(), caller, &[input.account_id.as_ref()])
}

pub(crate) async fn execute(
    ctx: &OrganizationsContext,
    call: Authorized<CloseAccount>,
) -> Result<NoOutput, ApiError> {
    ctx.commit(|view, change| {
        let tree = Tree::managed(view, call.caller())?;
        let row = tree.account(call.input().account_id.as_ref())?;
        if row.id == tree.organization.management_account {
            return Err(constraint(
                "CANNOT_CLOSE_MANAGEMENT_ACCOUNT: You attempted to close the \
                                   management account of the organization.",
            ));
        }
        if row.status == AccountStatus::Suspended {
            return Err(account_already_closed_exception("The account is closed already."));
        }
        let mut account = row.value.as_ref().clone();
        account.status = AccountStatus::Suspended;
        change.update(row, &account);
        Ok(())
    })
    .await?;
    Ok(NoOutput {})
}
