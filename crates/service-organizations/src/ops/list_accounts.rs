//! `ListAccounts`: every account.

use api_organizations::ops::ListAccounts;
use api_organizations::types::{ListAccountsRequest, ListAccountsResponse};
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::page::page;
use crate::tree::Tree;
use crate::{OrganizationsContext, arn, render};

pub(crate) fn accesses(
    ctx: &OrganizationsContext,
    caller: &Caller,
    _input: &ListAccountsRequest,
) -> Vec<Access> {
    arn::accesses::<ListAccounts>(&ctx.state.view(), caller, &[None])
}

pub(crate) async fn execute(
    ctx: &OrganizationsContext,
    call: Authorized<ListAccounts>,
) -> Result<ListAccountsResponse, ApiError> {
    let view = ctx.state.view();
    let tree = Tree::managed(&view, call.caller())?;
    let input = call.input();
    let key = |account: &&state::Row<iam::Account>| account.id.to_string();
    let (accounts, next_token) =
        page(tree.accounts(), key, input.max_results, input.next_token.as_deref())?;
    let accounts = accounts.into_iter().map(|account| render::account(tree.organization, account));
    Ok(ListAccountsResponse { accounts: Some(accounts.collect()), next_token })
}
