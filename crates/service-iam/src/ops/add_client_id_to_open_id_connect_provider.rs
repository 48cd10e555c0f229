//! `AddClientIDToOpenIDConnectProvider`: one more audience; one that is there already stays.

use api_iam::ops::AddClientIDToOpenIDConnectProvider;
use api_iam::types::AddClientIDToOpenIDConnectProviderRequest;
use policy::{Access, Authorized, Caller};
use wire::{ApiError, NoOutput};

use crate::{IamContext, provider};

pub(crate) fn accesses(
    ctx: &IamContext,
    caller: &Caller,
    input: &AddClientIDToOpenIDConnectProviderRequest,
) -> Vec<Access> {
    vec![provider::on::<AddClientIDToOpenIDConnectProvider>(
        ctx,
        caller,
        input.open_id_connect_provider_arn.as_deref(),
    )]
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<AddClientIDToOpenIDConnectProvider>,
) -> Result<NoOutput, ApiError> {
    let (caller, input) = call.into_parts();
    let account = &caller.principal.account;
    let arn = input.open_id_connect_provider_arn.unwrap_or_default();
    let client_id = input.client_id.unwrap_or_default();
    ctx.commit(|view, change| {
        let row = provider::find(view, account, &arn)?;
        let mut provider = row.value.as_ref().clone();
        provider.client_ids.insert(client_id.clone());
        provider::check_client_ids(provider.client_ids.len())?;
        change.update(row, &provider);
        Ok(())
    })
    .await?;
    Ok(NoOutput {})
}
