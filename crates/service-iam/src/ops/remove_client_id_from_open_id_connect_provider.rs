//! `RemoveClientIDFromOpenIDConnectProvider`: one audience fewer; one that is not there does no harm.

use api_iam::ops::RemoveClientIDFromOpenIDConnectProvider;
use api_iam::types::RemoveClientIDFromOpenIDConnectProviderRequest;
use policy::{Access, Authorized, Caller};
use wire::{ApiError, NoOutput};

use crate::{IamContext, provider};

pub(crate) fn accesses(
    ctx: &IamContext,
    caller: &Caller,
    input: &RemoveClientIDFromOpenIDConnectProviderRequest,
) -> Vec<Access> {
    vec![provider::on::<RemoveClientIDFromOpenIDConnectProvider>(
        ctx,
        caller,
        input.open_id_connect_provider_arn.as_deref(),
    )]
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<RemoveClientIDFromOpenIDConnectProvider>,
) -> Result<NoOutput, ApiError> {
    let (caller, input) = call.into_parts();
    let account = &caller.principal.account;
    let arn = input.open_id_connect_provider_arn.unwrap_or_default();
    let client_id = input.client_id.unwrap_or_default();
    ctx.commit(|view, change| {
        let row = provider::find(view, account, &arn)?;
        let mut provider = row.value.as_ref().clone();
        provider.client_ids.remove(&client_id);
        change.update(row, &provider);
        Ok(())
    })
    .await?;
    Ok(NoOutput {})
}
