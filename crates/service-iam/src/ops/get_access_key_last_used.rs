//! `GetAccessKeyLastUsed`: when and for what a key last signed a call.

use api_iam::ops::GetAccessKeyLastUsed;
use api_iam::types::{
    AccessKeyLastUsed, GetAccessKeyLastUsedRequest, GetAccessKeyLastUsedResponse,
};
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::error::no_such_entity;
use crate::{IamContext, access, render};

pub(crate) fn accesses(
    ctx: &IamContext,
    caller: &Caller,
    input: &GetAccessKeyLastUsedRequest,
) -> Vec<Access> {
    let id = input.access_key_id.as_deref().unwrap_or_default();
    let account = &caller.principal.account;
    let view = ctx.state.view();
    let key = view.identities().access_key(id).filter(|key| key.account == *account);
    let user = key.and_then(|key| view.identities().user(&iam::key(account, &key.user)));
    let own = user.map_or_else(
        || Access::of::<GetAccessKeyLastUsed>("*"),
        |user| access::on::<GetAccessKeyLastUsed>(user.arn(), &user.tags),
    );
    vec![own.with_shown(format!("access key {id}"))]
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<GetAccessKeyLastUsed>,
) -> Result<GetAccessKeyLastUsedResponse, ApiError> {
    let (caller, input) = call.into_parts();
    let account = &caller.principal.account;
    let id = input.access_key_id.as_deref().unwrap_or_default();
    let view = ctx.state.view();
    let key = view.identities().access_key(id).filter(|key| key.account == *account);
    let key =
        key.ok_or_else(|| no_such_entity(format!("The Access Key with id {id} cannot be found.")))?;
    let none = || "N/A".to_owned();
    let last = ctx.usage.access_key(id);
    Ok(GetAccessKeyLastUsedResponse {
        user_name: Some(key.user.clone()),
        access_key_last_used: Some(AccessKeyLastUsed {
            last_used_date: last.as_ref().map(|last| render::role::whole_seconds(last.at)),
            region: Some(last.as_ref().map_or_else(none, |last| last.region.clone())),
            service_name: Some(last.map_or_else(none, |last| last.service)),
        }),
    })
}
