//! `ListJoinTokens`.

use api_portcullis::ops::ListJoinTokens;
use api_portcullis::types::{ListJoinTokensRequest, ListJoinTokensResponse};
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::page::page;
use crate::{PortcullisContext, render, resource};

pub(crate) fn accesses(
    ctx: &PortcullisContext,
    _caller: &Caller,
    _input: &ListJoinTokensRequest,
) -> Vec<Access> {
    vec![Access::of::<ListJoinTokens>(resource::join_token(&ctx.scope, "*"))]
}

pub(crate) async fn execute(
    ctx: &PortcullisContext,
    call: Authorized<ListJoinTokens>,
) -> Result<ListJoinTokensResponse, ApiError> {
    let (_, input) = call.into_parts();
    let view = ctx.state.view();
    let all = view.identities().join_tokens();
    let (tokens, next_token) =
        page(all, |token| token.id.clone(), input.max_results, input.next_token.as_deref())?;
    let now = ctx.clock.now();
    let tokens = tokens.into_iter().map(|token| render::join_token(&ctx.scope, token, now));
    Ok(ListJoinTokensResponse { join_tokens: Some(tokens.collect()), next_token })
}
