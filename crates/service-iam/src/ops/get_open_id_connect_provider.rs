//! `GetOpenIDConnectProvider`: one provider.

use api_iam::ops::GetOpenIDConnectProvider;
use api_iam::types::{GetOpenIDConnectProviderRequest, GetOpenIDConnectProviderResponse};
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::{IamContext, provider, tag};

pub(crate) fn accesses(
    ctx: &IamContext,
    caller: &Caller,
    input: &GetOpenIDConnectProviderRequest,
) -> Vec<Access> {
    vec![provider::on::<GetOpenIDConnectProvider>(
        ctx,
        caller,
        input.open_id_connect_provider_arn.as_deref(),
    )]
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<GetOpenIDConnectProvider>,
) -> Result<GetOpenIDConnectProviderResponse, ApiError> {
    let (account, input) = (&call.caller().principal.account, call.input());
    let view = ctx.state.view();
    let arn = input.open_id_connect_provider_arn.as_deref().unwrap_or_default();
    let provider = provider::find(&view, account, arn)?;
    Ok(GetOpenIDConnectProviderResponse {
        url: Some(provider.issuer.clone()),
        client_id_list: Some(provider.client_ids.iter().cloned().collect()),
        thumbprint_list: Some(provider.thumbprints.clone()),
        create_date: Some(provider.created_at),
        tags: tag::render_some(&provider.tags),
    })
}
