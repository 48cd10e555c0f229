//! `RemoveUserFromGroup`: takes a user out of a group; no error when it is not in it.

use api_iam::ops::RemoveUserFromGroup;
use api_iam::types::RemoveUserFromGroupRequest;
use policy::{Access, Authorized, Caller};
use wire::{ApiError, NoOutput};

use crate::{IamContext, access, lookup};

pub(crate) fn accesses(
    ctx: &IamContext,
    caller: &Caller,
    input: &RemoveUserFromGroupRequest,
) -> Vec<Access> {
    vec![access::on_group::<RemoveUserFromGroup>(
        ctx,
        &caller.principal.account,
        input.group_name.as_deref(),
    )]
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<RemoveUserFromGroup>,
) -> Result<NoOutput, ApiError> {
    let (caller, input) = call.into_parts();
    let account = &caller.principal.account;
    let (user, group) = (
        input.user_name.as_deref().unwrap_or_default(),
        input.group_name.as_deref().unwrap_or_default(),
    );
    ctx.commit(|view, change| {
        let group = lookup::group(view, account, group)?;
        let row = lookup::user(view, account, user)?;
        let mut user = row.value.as_ref().clone();
        if user.groups.remove(&group.name) {
            change.update(row, &user);
        }
        Ok(())
    })
    .await?;
    Ok(NoOutput {})
}
