//! `UpdateUser`: another name or path; keys, second factors and groups stay with the user.

use api_iam::ops::UpdateUser;
use api_iam::types::UpdateUserRequest;
use iam::User;
use policy::{Access, Authorized, Caller};
use state::{Change, Row, View};
use wire::{ApiError, NoOutput};

use crate::error::exists;
use crate::{IamContext, access, lookup, name};

pub(crate) fn accesses(
    ctx: &IamContext,
    caller: &Caller,
    input: &UpdateUserRequest,
) -> Vec<Access> {
    let account = &caller.principal.account;
    let old = access::on_user::<UpdateUser>(ctx, account, input.user_name.as_deref());
    let name = input.new_user_name.as_deref().or(input.user_name.as_deref());
    let view = ctx.state.view();
    let user =
        view.identities().user(&iam::key(account, input.user_name.as_deref().unwrap_or_default()));
    let path = input.new_path.as_deref().or(user.map(|user| user.path.as_str()));
    let path = path.unwrap_or(name::DEFAULT_PATH);
    let new = iam::arn(account, "user", path, name.unwrap_or_default());
    if new == old.resource { vec![old] } else { vec![old, Access::of::<UpdateUser>(new)] }
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<UpdateUser>,
) -> Result<NoOutput, ApiError> {
    let (caller, input) = call.into_parts();
    let account = &caller.principal.account;
    let name = input.user_name.as_deref().unwrap_or_default();
    ctx.commit(|view, change| {
        let row = lookup::user(view, account, name)?;
        let mut user = row.value.as_ref().clone();
        if let Some(path) = &input.new_path {
            user.path.clone_from(path);
        }
        if let Some(name) = &input.new_user_name {
            user.name.clone_from(name);
        }
        rename(view, change, row, &user)
    })
    .await?;
    Ok(NoOutput {})
}

/// Writes the user under its new name, and the new name into all that bears it: at most 2 keys and
/// 8 second factors.
fn rename(view: &View, change: &mut Change, row: &Row<User>, user: &User) -> Result<(), ApiError> {
    let identities = view.identities();
    if user.name.eq_ignore_ascii_case(&row.name) {
        change.update(row, user);
    } else {
        if identities.user(&iam::key(&user.account, &user.name)).is_some() {
            return Err(exists("User", &user.name));
        }
        change.delete(row);
        change.create(user);
    }
    if user.name == row.name {
        return Ok(());
    }
    for row in identities.access_keys_of(&row.account, &row.name) {
        let mut key = row.value.as_ref().clone();
        key.user.clone_from(&user.name);
        change.update(row, &key);
    }
    for row in lookup::mfa_devices_of(view, row) {
        let mut device = row.value.as_ref().clone();
        device.user = Some(user.name.clone());
        change.update(row, &device);
    }
    Ok(())
}
