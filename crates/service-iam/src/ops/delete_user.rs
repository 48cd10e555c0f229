//! `DeleteUser`: a user that nothing belongs to any more.

use api_iam::ops::DeleteUser;
use api_iam::types::DeleteUserRequest;
use iam::User;
use policy::{Access, Authorized, Caller};
use state::View;
use wire::{ApiError, NoOutput};

use crate::error::delete_conflict;
use crate::{IamContext, access, lookup};

pub(crate) fn accesses(
    ctx: &IamContext,
    caller: &Caller,
    input: &DeleteUserRequest,
) -> Vec<Access> {
    vec![access::on_user::<DeleteUser>(ctx, &caller.principal.account, input.user_name.as_deref())]
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<DeleteUser>,
) -> Result<NoOutput, ApiError> {
    let (caller, input) = call.into_parts();
    let account = &caller.principal.account;
    let name = input.user_name.as_deref().unwrap_or_default();
    ctx.commit(|view, change| {
        let user = lookup::user(view, account, name)?;
        check_free(view, user)?;
        change.delete(user);
        Ok(())
    })
    .await?;
    Ok(NoOutput {})
}

/// Refuses while the user has anything that has to be taken away first.
fn check_free(view: &View, user: &User) -> Result<(), ApiError> {
    let keys = view.identities().access_keys_of(&user.account, &user.name).next();
    let first = if keys.is_some() {
        "must delete access keys first."
    } else if lookup::mfa_devices_of(view, user).next().is_some() {
        "must delete MFA device first."
    } else if !user.groups.is_empty() {
        "must remove users from group first."
    } else if !user.attached_policies.is_empty() {
        "must detach all policies first."
    } else if !user.inline_policies.is_empty() {
        "must delete policies first."
    } else {
        return Ok(());
    };
    Err(delete_conflict(format!("Cannot delete entity, {first}")))
}
