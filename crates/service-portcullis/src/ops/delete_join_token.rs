//! `DeleteJoinToken`: nobody can use it any more. A machine that joined with it stays.

use api_portcullis::ops::DeleteJoinToken;
use api_portcullis::types::DeleteJoinTokenRequest;
use policy::{Access, Authorized, Caller};
use wire::{ApiError, NoOutput};

use crate::error::not_found;
use crate::{PortcullisContext, resource};

pub(crate) fn accesses(
    ctx: &PortcullisContext,
    _caller: &Caller,
    input: &DeleteJoinTokenRequest,
) -> Vec<Access> {
    let id = input.id.as_deref().unwrap_or_default();
    let access = Access::of::<DeleteJoinToken>(resource::join_token(&ctx.scope, id));
    let view = ctx.state.view();
    let cluster = view.identities().join_token(id).map(|token| token.cluster.as_str());
    vec![resource::in_cluster(access, cluster)]
}

pub(crate) async fn execute(
    ctx: &PortcullisContext,
    call: Authorized<DeleteJoinToken>,
) -> Result<NoOutput, ApiError> {
    let (_, input) = call.into_parts();
    let id = input.id.unwrap_or_default();
    ctx.commit(|view, change| {
        let Some(token) = view.identities().join_token(&id) else {
            return Err(not_found(format!("There is no join token {id}.")));
        };
        change.delete(token);
        Ok(())
    })
    .await?;
    Ok(NoOutput {})
}
