//! `CreateJoinToken`: lets one machine join a cluster, once.

use api_portcullis::errors::nodes_not_served_exception;
use api_portcullis::ops::CreateJoinToken;
use api_portcullis::types::{CreateJoinTokenRequest, CreateJoinTokenResponse};
use iam::JoinToken;
use node_proto::JoinTokenText;
use policy::{Access, Authorized, Caller};
use state::{Change, View};
use wire::ApiError;

use crate::error::limit_exceeded;
use crate::{PortcullisContext, render, resource};

const DEFAULT_CLUSTER: &str = "default";
/// How long a token is good when nothing is asked.
const DEFAULT_SECONDS: i32 = 3600;
/// Tokens at the same time, used and expired ones included.
const MAX_TOKENS: usize = 1000;
/// How long a token that is worth nothing any more stays to be seen.
const KEPT_SECONDS: i64 = 24 * 60 * 60;
/// Such tokens forgotten at once, at most.
const MAX_FORGOTTEN: usize = 50;

pub(crate) fn accesses(
    ctx: &PortcullisContext,
    _caller: &Caller,
    input: &CreateJoinTokenRequest,
) -> Vec<Access> {
    let access = Access::of::<CreateJoinToken>(resource::join_token(&ctx.scope, "*"));
    vec![resource::in_cluster(access, Some(cluster(input)))]
}

pub(crate) async fn execute(
    ctx: &PortcullisContext,
    call: Authorized<CreateJoinToken>,
) -> Result<CreateJoinTokenResponse, ApiError> {
    let Some(authority) = ctx.node_authority_digest.clone() else {
        return Err(nodes_not_served_exception(
            "This control plane takes no nodes: start it with --node-listen.",
        ));
    };
    let text = JoinTokenText::generate(ctx.ids.as_ref(), authority);
    let now = ctx.clock.now();
    let input = call.input();
    let token = JoinToken {
        id: text.id().to_owned(),
        secret_digest: text.secret_digest(),
        cluster: cluster(input).to_owned(),
        created_by: call.caller().principal.arn.clone(),
        created_at: now,
        expires_at: now
            .plus_seconds(i64::from(input.expires_in_seconds.unwrap_or(DEFAULT_SECONDS))),
        used_by: None,
    };
    ctx.commit(|view, change| {
        let forgotten = forget(view, change, now.plus_seconds(-KEPT_SECONDS));
        if view.identities().join_tokens().count() >= MAX_TOKENS.saturating_add(forgotten) {
            return Err(limit_exceeded(format!(
                "There are {MAX_TOKENS} join tokens, which is the limit: delete some first."
            )));
        }
        change.create(&token);
        Ok(())
    })
    .await?;
    Ok(CreateJoinTokenResponse {
        join_token: Some(render::join_token(&ctx.scope, &token, now)),
        token: Some(text.text().as_str().to_owned()),
    })
}

fn cluster(input: &CreateJoinTokenRequest) -> &str {
    input.cluster.as_deref().unwrap_or(DEFAULT_CLUSTER)
}

/// Deletes tokens that ended before `before`; how many.
fn forget(view: &View, change: &mut Change, before: base::Timestamp) -> usize {
    let old = view.identities().join_tokens().filter(|token| token.expires_at < before);
    let mut count: usize = 0;
    for token in old.take(MAX_FORGOTTEN) {
        change.delete(token);
        count = count.saturating_add(1);
    }
    count
}
