//! `DeleteOrganization`: an organisation of nothing but its management account ends.

use api_organizations::errors::organization_not_empty_exception;
use api_organizations::ops::DeleteOrganization;
use policy::{Access, Authorized, Caller};
use wire::{ApiError, NoOutput};

use crate::tree::Tree;
use crate::{OrganizationsContext, arn};

pub(crate) fn accesses(
    ctx: &OrganizationsContext,
    caller: &Caller,
    _input: &NoOutput,
) -> Vec<Access> {
    arn::accesses::<DeleteOrganization>(&ctx.state.view(), caller, &[None])
}

pub(crate) async fn execute(
    ctx: &OrganizationsContext,
    call: Authorized<DeleteOrganization>,
) -> Result<NoOutput, ApiError> {
    ctx.commit(|view, change| {
        let tree = Tree::managed(view, call.caller())?;
        let management = &tree.organization.management_account;
        if tree.accounts().any(|account| account.id != *management)
            || tree.units().next().is_some()
            || tree.policies().any(|policy| !policy.aws_managed)
        {
            return Err(organization_not_empty_exception(
                "The organization isn't empty. Delete its policies and organizational units first; \
                 member accounts stay, so it can only be deleted while there is none.",
            ));
        }
        for account in tree.accounts() {
            change.delete(account);
        }
        for policy in tree.policies() {
            change.delete(policy);
        }
        change.delete(tree.organization);
        Ok(())
    })
    .await?;
    Ok(NoOutput {})
}
