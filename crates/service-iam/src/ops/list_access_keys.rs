//! `ListAccessKeys`: the keys of a user, without their secrets.

use api_iam::ops::ListAccessKeys;
use api_iam::types::{
    AccessKeyMetadata, ListAccessKeysRequest, ListAccessKeysResponse, statusType,
};
use iam::AccessKeyStatus;
use policy::{Access, Authorized, Caller};
use state::Row;
use wire::ApiError;

use crate::page::page;
use crate::{IamContext, access, lookup, name};

pub(crate) fn accesses(
    ctx: &IamContext,
    caller: &Caller,
    input: &ListAccessKeysRequest,
) -> Vec<Access> {
    vec![access::on_user_or_caller::<ListAccessKeys>(ctx, caller, input.user_name.as_deref())]
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<ListAccessKeys>,
) -> Result<ListAccessKeysResponse, ApiError> {
    let (caller, input) = call.into_parts();
    let account = &caller.principal.account;
    let view = ctx.state.view();
    let name = name::user_or_caller(&caller, input.user_name.as_deref())?;
    let user = lookup::user(&view, account, name)?;
    let keys = view.identities().access_keys_of(account, &user.name);
    let key = |key: &&Row<iam::AccessKey>| key.id.clone();
    let page =
        page(keys, key, input.max_items, input.marker.as_deref())?.map(|key| AccessKeyMetadata {
            user_name: Some(key.user.clone()),
            access_key_id: Some(key.id.clone()),
            status: Some(match key.status {
                AccessKeyStatus::Active => statusType::Active,
                AccessKeyStatus::Inactive => statusType::Inactive,
            }),
            create_date: Some(key.created_at),
        });
    Ok(ListAccessKeysResponse {
        is_truncated: page.is_truncated(),
        access_key_metadata: Some(page.items),
        marker: page.marker,
    })
}
