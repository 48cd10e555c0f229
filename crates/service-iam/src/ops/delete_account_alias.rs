//! `DeleteAccountAlias`: the account has no other name any more.

use api_iam::ops::DeleteAccountAlias;
use api_iam::types::DeleteAccountAliasRequest;
use policy::{Access, Authorized, Caller};
use wire::{ApiError, NoOutput};

use crate::IamContext;
use crate::error::not_found;

pub(crate) fn accesses(
    _ctx: &IamContext,
    _caller: &Caller,
    _input: &DeleteAccountAliasRequest,
) -> Vec<Access> {
    vec![Access::of::<DeleteAccountAlias>("*")]
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<DeleteAccountAlias>,
) -> Result<NoOutput, ApiError> {
    let (caller, input) = call.into_parts();
    let account = &caller.principal.account;
    let given = input.account_alias.as_deref().unwrap_or_default();
    ctx.commit(|view, change| {
        let alias = view.identities().account_alias(account.as_str());
        let alias = alias.filter(|alias| alias.alias == given);
        change.delete(alias.ok_or_else(|| not_found("account alias", given))?);
        Ok(())
    })
    .await?;
    Ok(NoOutput {})
}
