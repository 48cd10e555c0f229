//! `DeleteOpenIDConnectProvider`: its tokens are taken no longer.

use api_iam::ops::DeleteOpenIDConnectProvider;
use api_iam::types::DeleteOpenIDConnectProviderRequest;
use policy::{Access, Authorized, Caller};
use wire::{ApiError, NoOutput};

use crate::{IamContext, provider};

pub(crate) fn accesses(
    ctx: &IamContext,
    caller: &Caller,
    input: &DeleteOpenIDConnectProviderRequest,
) -> Vec<Access> {
    vec![provider::on::<DeleteOpenIDConnectProvider>(
        ctx,
        caller,
        input.open_id_connect_provider_arn.as_deref(),
    )]
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<DeleteOpenIDConnectProvider>,
) -> Result<NoOutput, ApiError> {
    let (caller, input) = call.into_parts();
    let account = &caller.principal.account;
    let arn = input.open_id_connect_provider_arn.unwrap_or_default();
    ctx.commit(|view, change| {
        change.delete(provider::find(view, account, &arn)?);
        Ok(())
    })
    .await?;
    Ok(NoOutput {})
}
