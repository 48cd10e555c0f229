//! `AddUserToGroup`: puts a user into a group; one that is in it stays in it.

use api_iam::ops::AddUserToGroup;
use api_iam::types::AddUserToGroupRequest;
use policy::{Access, Authorized, Caller};
use wire::{ApiError, NoOutput};

use crate::context::touch;
use crate::error::quota_exceeded;
use crate::{IamContext, access, lookup, quota};

pub(crate) fn accesses(
    ctx: &IamContext,
    caller: &Caller,
    input: &AddUserToGroupRequest,
) -> Vec<Access> {
    vec![access::on_group::<AddUserToGroup>(
        ctx,
        &caller.principal.account,
        input.group_name.as_deref(),
    )]
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<AddUserToGroup>,
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
        if !user.groups.insert(group.name.clone()) {
            return Ok(());
        }
        if user.groups.len() > quota::GROUPS_PER_USER {
            return Err(quota_exceeded("GroupsPerUser", quota::GROUPS_PER_USER));
        }
        change.update(row, &user);
        touch(change, group);
        Ok(())
    })
    .await?;
    Ok(NoOutput {})
}
