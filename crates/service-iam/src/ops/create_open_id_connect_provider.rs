//! `CreateOpenIDConnectProvider`: an issuer whose tokens are taken.

use std::collections::BTreeSet;

use api_iam::ops::CreateOpenIDConnectProvider;
use api_iam::types::{CreateOpenIDConnectProviderRequest, CreateOpenIDConnectProviderResponse};
use iam::OpenIdConnectProvider;
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::error::{already_exists, quota_exceeded};
use crate::{IamContext, access, provider, tag};

pub(crate) fn accesses(
    _ctx: &IamContext,
    caller: &Caller,
    input: &CreateOpenIDConnectProviderRequest,
) -> Vec<Access> {
    let issuer = provider::issuer(input.url.as_deref().unwrap_or_default()).unwrap_or_default();
    let arn = format!("arn:aws:iam::{}:oidc-provider/{issuer}", caller.principal.account);
    let own = Access::of::<CreateOpenIDConnectProvider>(arn);
    access::to_create(own, input.tags.as_deref(), "iam:TagOpenIDConnectProvider")
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<CreateOpenIDConnectProvider>,
) -> Result<CreateOpenIDConnectProviderResponse, ApiError> {
    let (caller, input) = call.into_parts();
    let account = &caller.principal.account;
    let client_ids: BTreeSet<String> =
        input.client_id_list.unwrap_or_default().into_iter().collect();
    provider::check_client_ids(client_ids.len())?;
    let provider = OpenIdConnectProvider {
        account: account.clone(),
        issuer: provider::issuer(input.url.as_deref().unwrap_or_default())?,
        client_ids,
        thumbprints: provider::thumbprints(input.thumbprint_list.unwrap_or_default())?,
        created_at: ctx.now(),
        tags: tag::read(input.tags)?,
    };
    ctx.commit(|view, change| {
        if provider::of_issuer(view, account, &provider.issuer).is_some() {
            return Err(already_exists(format!(
                "Provider with url https://{} already exists.",
                provider.issuer
            )));
        }
        let all = view.identities().open_id_connect_providers();
        if all.filter(|provider| provider.account == *account).count() >= provider::MAX_PROVIDERS {
            return Err(quota_exceeded(
                "OpenIdConnectProvidersPerAccount",
                provider::MAX_PROVIDERS,
            ));
        }
        change.create(&provider);
        Ok(())
    })
    .await?;
    Ok(CreateOpenIDConnectProviderResponse {
        open_id_connect_provider_arn: Some(provider.arn()),
        tags: tag::render_some(&provider.tags),
    })
}
