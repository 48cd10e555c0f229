//! `ListAccountAliases`: the other name of the account, when it has one.

use api_iam::ops::ListAccountAliases;
use api_iam::types::{ListAccountAliasesRequest, ListAccountAliasesResponse};
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::IamContext;
use crate::page::page;

pub(crate) fn accesses(
    _ctx: &IamContext,
    _caller: &Caller,
    _input: &ListAccountAliasesRequest,
) -> Vec<Access> {
    vec![Access::of::<ListAccountAliases>("*")]
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<ListAccountAliases>,
) -> Result<ListAccountAliasesResponse, ApiError> {
    let (caller, input) = call.into_parts();
    let account = &caller.principal.account;
    let view = ctx.state.view();
    let alias = view.identities().account_alias(account.as_str()).map(|alias| alias.alias.clone());
    let page = page(alias, String::clone, input.max_items, input.marker.as_deref())?;
    Ok(ListAccountAliasesResponse {
        is_truncated: page.is_truncated(),
        account_aliases: Some(page.items),
        marker: page.marker,
    })
}
