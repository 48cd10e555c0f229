//! `UpdateOpenIDConnectProviderThumbprint`: other thumbprints.

use api_iam::ops::UpdateOpenIDConnectProviderThumbprint;
use api_iam::types::UpdateOpenIDConnectProviderThumbprintRequest;
use policy::{Access, Authorized, Caller};
use wire::{ApiError, NoOutput};

use crate::{IamContext, provider};

pub(crate) fn accesses(
    ctx: &IamContext,
    caller: &Caller,
    input: &UpdateOpenIDConnectProviderThumbprintRequest,
) -> Vec<Access> {
    vec![provider::on::<UpdateOpenIDConnectProviderThumbprint>(
        ctx,
        caller,
        input.open_id_connect_provider_arn.as_deref(),
    )]
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<UpdateOpenIDConnectProviderThumbprint>,
) -> Result<NoOutput, ApiError> {
    let (caller, input) = call.into_parts();
    let account = &caller.principal.account;
    let arn = input.open_id_connect_provider_arn.unwrap_or_default();
    let thumbprints = provider::thumbprints(input.thumbprint_list.unwrap_or_default())?;
    ctx.commit(|view, change| {
        let row = provider::find(view, account, &arn)?;
        let mut provider = row.value.as_ref().clone();
        provider.thumbprints.clone_from(&thumbprints);
        change.update(row, &provider);
        Ok(())
    })
    .await?;
    Ok(NoOutput {})
}
