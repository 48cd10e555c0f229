//! `ListOpenIDConnectProviders`: the providers of an account.

use api_iam::ops::ListOpenIDConnectProviders;
use api_iam::types::{
    ListOpenIDConnectProvidersRequest, ListOpenIDConnectProvidersResponse,
    OpenIDConnectProviderListEntry,
};
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::{IamContext, access};

pub(crate) fn accesses(
    _ctx: &IamContext,
    caller: &Caller,
    _input: &ListOpenIDConnectProvidersRequest,
) -> Vec<Access> {
    vec![access::on_all::<ListOpenIDConnectProviders>(
        &caller.principal.account,
        "oidc-provider",
        None,
    )]
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<ListOpenIDConnectProviders>,
) -> Result<ListOpenIDConnectProvidersResponse, ApiError> {
    let account = &call.caller().principal.account;
    let view = ctx.state.view();
    let all = view.identities().open_id_connect_providers();
    let own = all.filter(|provider| provider.account == *account);
    let entries = own.map(|provider| OpenIDConnectProviderListEntry { arn: Some(provider.arn()) });
    Ok(ListOpenIDConnectProvidersResponse {
        open_id_connect_provider_list: Some(entries.collect()),
    })
}
