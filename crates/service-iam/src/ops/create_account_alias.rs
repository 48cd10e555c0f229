//! `CreateAccountAlias`: another name of the account; the one before is gone.

use api_iam::ops::CreateAccountAlias;
use api_iam::types::CreateAccountAliasRequest;
use iam::AccountAlias;
use policy::{Access, Authorized, Caller};
use wire::{ApiError, NoOutput};

use crate::IamContext;
use crate::context::touch;
use crate::error::already_exists;

pub(crate) fn accesses(
    _ctx: &IamContext,
    _caller: &Caller,
    _input: &CreateAccountAliasRequest,
) -> Vec<Access> {
    vec![Access::of::<CreateAccountAlias>("*")]
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<CreateAccountAlias>,
) -> Result<NoOutput, ApiError> {
    let (caller, input) = call.into_parts();
    let account = &caller.principal.account;
    let alias =
        AccountAlias { account: account.clone(), alias: input.account_alias.unwrap_or_default() };
    ctx.commit(|view, change| {
        let identities = view.identities();
        if identities.account_aliases().any(|other| other.alias == alias.alias) {
            return Err(already_exists(format!(
                "The account alias {} already exists.",
                alias.alias
            )));
        }
        change.put(identities.account_alias(account.as_str()), &alias);
        // There are several accounts within an organisation only: of two that take the same alias at
        // once, one has to look again.
        if let Some(organization) = identities.organization() {
            touch(change, organization);
        }
        Ok(())
    })
    .await?;
    Ok(NoOutput {})
}
