//! `ListCreateAccountStatus`: how the requests for accounts ended.

use api_organizations::ops::ListCreateAccountStatus;
use api_organizations::types::CreateAccountState;
use api_organizations::types::{ListCreateAccountStatusRequest, ListCreateAccountStatusResponse};
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::page::page;
use crate::tree::Tree;
use crate::{OrganizationsContext, arn, render};

pub(crate) fn accesses(
    ctx: &OrganizationsContext,
    caller: &Caller,
    _input: &ListCreateAccountStatusRequest,
) -> Vec<Access> {
    arn::accesses::<ListCreateAccountStatus>(&ctx.state.view(), caller, &[None])
}

pub(crate) async fn execute(
    ctx: &OrganizationsContext,
    call: Authorized<ListCreateAccountStatus>,
) -> Result<ListCreateAccountStatusResponse, ApiError> {
    let view = ctx.state.view();
    let tree = Tree::managed(&view, call.caller())?;
    let input = call.input();
    let wanted = input
        .states
        .as_ref()
        .is_none_or(|states| states.is_empty() || states.contains(&CreateAccountState::Succeeded));
    let made = tree.accounts().filter(|account| wanted && account.request_id.is_some());
    let key = |account: &&state::Row<iam::Account>| account.id.to_string();
    let (accounts, next_token) = page(made, key, input.max_results, input.next_token.as_deref())?;
    let statuses = accounts.into_iter().map(|account| render::create_account_status(account));
    Ok(ListCreateAccountStatusResponse {
        create_account_statuses: Some(statuses.collect()),
        next_token,
    })
}
