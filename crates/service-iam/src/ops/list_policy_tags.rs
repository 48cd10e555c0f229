//! `ListPolicyTags`: tags, by key.

use api_iam::ops::ListPolicyTags;
use api_iam::types::{ListPolicyTagsRequest, ListPolicyTagsResponse};
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::page::page;
use crate::{IamContext, managed, tag};

pub(crate) fn accesses(
    ctx: &IamContext,
    caller: &Caller,
    input: &ListPolicyTagsRequest,
) -> Vec<Access> {
    vec![managed::on::<ListPolicyTags>(ctx, &caller.principal.account, input.policy_arn.as_deref())]
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<ListPolicyTags>,
) -> Result<ListPolicyTagsResponse, ApiError> {
    let (account, input) = (&call.caller().principal.account, call.input());
    let view = ctx.state.view();
    let arn = input.policy_arn.as_deref().unwrap_or_default();
    let tags = managed::find(&view, account, arn)?.tags();
    let page = page(&tags, |(key, _)| (*key).clone(), input.max_items, input.marker.as_deref())?;
    let is_truncated = page.is_truncated();
    let page = page.map(|(key, value)| tag::one(key, value));
    Ok(ListPolicyTagsResponse { tags: Some(page.items), is_truncated, marker: page.marker })
}
