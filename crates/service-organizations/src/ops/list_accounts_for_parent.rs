//! `ListAccountsForParent`: the accounts directly in a root or unit.

use api_organizations::ops::ListAccountsForParent;
use api_organizations::types::{ListAccountsForParentRequest, ListAccountsForParentResponse};
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::error::parent_not_found;
use crate::page::page;
use crate::tree::Tree;
use crate::{OrganizationsContext, arn, render};

pub(crate) fn accesses(
    ctx: &OrganizationsContext,
    caller: &Caller,
    input: &ListAccountsForParentRequest,
) -> Vec<Access> {
    arn::accesses::<ListAccountsForParent>(&ctx.state.view(), caller, &[input.parent_id.as_ref()])
}

pub(crate) async fn execute(
    ctx: &OrganizationsContext,
    call: Authorized<ListAccountsForParent>,
) -> Result<ListAccountsForParentResponse, ApiError> {
    let view = ctx.state.view();
    let tree = Tree::managed(&view, call.caller())?;
    let input = call.input();
    let parent = input.parent_id.as_ref();
    let parent =
        parent.filter(|id| tree.parent(Some(id)).is_some()).ok_or_else(parent_not_found)?;
    let inside = tree.accounts().filter(|account| account.parent_id == *parent);
    let key = |account: &&state::Row<iam::Account>| account.id.to_string();
    let (accounts, next_token) = page(inside, key, input.max_results, input.next_token.as_deref())?;
    let accounts = accounts.into_iter().map(|account| render::account(tree.organization, account));
    Ok(ListAccountsForParentResponse { accounts: Some(accounts.collect()), next_token })
}
