//! `ListOpenIDConnectProviderTags`: tags, by key.

use api_iam::ops::ListOpenIDConnectProviderTags;
use api_iam::types::{ListOpenIDConnectProviderTagsRequest, ListOpenIDConnectProviderTagsResponse};
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::page::page;
use crate::{IamContext, provider, tag};

pub(crate) fn accesses(
    ctx: &IamContext,
    caller: &Caller,
    input: &ListOpenIDConnectProviderTagsRequest,
) -> Vec<Access> {
    vec![provider::on::<ListOpenIDConnectProviderTags>(
        ctx,
        caller,
        input.open_id_connect_provider_arn.as_deref(),
    )]
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<ListOpenIDConnectProviderTags>,
) -> Result<ListOpenIDConnectProviderTagsResponse, ApiError> {
    let (account, input) = (&call.caller().principal.account, call.input());
    let view = ctx.state.view();
    let arn = input.open_id_connect_provider_arn.as_deref().unwrap_or_default();
    let tags = provider::find(&view, account, arn)?.tags.clone();
    let page = page(&tags, |(key, _)| (*key).clone(), input.max_items, input.marker.as_deref())?;
    let is_truncated = page.is_truncated();
    let page = page.map(|(key, value)| tag::one(key, value));
    Ok(ListOpenIDConnectProviderTagsResponse {
        tags: Some(page.items),
        is_truncated,
        marker: page.marker,
    })
}
