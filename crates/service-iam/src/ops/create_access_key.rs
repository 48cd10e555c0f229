//! `CreateAccessKey`: a new key of a user; the secret is told once.

use crate::error::sealing_failed;
use api_iam::ops::CreateAccessKey;
use api_iam::types::{AccessKey, CreateAccessKeyRequest, CreateAccessKeyResponse, statusType};
use iam::AccessKeyStatus;
use identity::KeyKind;
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::context::touch;
use crate::error::quota_exceeded;
use crate::{IamContext, access, lookup, name, quota};

pub(crate) fn accesses(
    ctx: &IamContext,
    caller: &Caller,
    input: &CreateAccessKeyRequest,
) -> Vec<Access> {
    vec![access::on_user_or_caller::<CreateAccessKey>(ctx, caller, input.user_name.as_deref())]
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<CreateAccessKey>,
) -> Result<CreateAccessKeyResponse, ApiError> {
    let (caller, input) = call.into_parts();
    let account = &caller.principal.account;
    let name = name::user_or_caller(&caller, input.user_name.as_deref())?;
    let (id, secret) = identity::new_access_key(ctx.ids.as_ref(), KeyKind::LongTerm, account);
    let purpose = identity::access_key_purpose(&id);
    let sealed = ctx.vault.seal(&purpose, secret.expose().as_bytes(), ctx.ids.as_ref());
    let sealed = sealed.map_err(|error| sealing_failed(&error))?;
    let created_at = ctx.now();
    let user = ctx
        .commit(|view, change| {
            let user = lookup::user(view, account, name)?;
            let keys = view.identities().access_keys_of(account, &user.name).count();
            if keys >= quota::ACCESS_KEYS_PER_USER {
                return Err(quota_exceeded("AccessKeysPerUser", quota::ACCESS_KEYS_PER_USER));
            }
            touch(change, user);
            change.create(&iam::AccessKey {
                id: id.clone(),
                account: account.clone(),
                user: user.name.clone(),
                secret: sealed.clone(),
                status: AccessKeyStatus::Active,
                created_at,
            });
            Ok(user.name.clone())
        })
        .await?;
    Ok(CreateAccessKeyResponse {
        access_key: Some(AccessKey {
            user_name: Some(user),
            access_key_id: Some(id),
            status: Some(statusType::Active),
            secret_access_key: Some(secret.expose().to_owned()),
            create_date: Some(created_at),
        }),
    })
}
