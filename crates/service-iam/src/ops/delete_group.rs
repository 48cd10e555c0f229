//! `DeleteGroup`: a group without users and policies.

use api_iam::ops::DeleteGroup;
use api_iam::types::DeleteGroupRequest;
use iam::Group;
use policy::{Access, Authorized, Caller};
use state::View;
use wire::{ApiError, NoOutput};

use crate::error::delete_conflict;
use crate::{IamContext, access, lookup};

pub(crate) fn accesses(
    ctx: &IamContext,
    caller: &Caller,
    input: &DeleteGroupRequest,
) -> Vec<Access> {
    vec![access::on_group::<DeleteGroup>(
        ctx,
        &caller.principal.account,
        input.group_name.as_deref(),
    )]
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<DeleteGroup>,
) -> Result<NoOutput, ApiError> {
    let (caller, input) = call.into_parts();
    let account = &caller.principal.account;
    let name = input.group_name.as_deref().unwrap_or_default();
    ctx.commit(|view, change| {
        let group = lookup::group(view, account, name)?;
        check_free(view, group)?;
        change.delete(group);
        Ok(())
    })
    .await?;
    Ok(NoOutput {})
}

/// Refuses while the group has anything that has to be taken away first.
fn check_free(view: &View, group: &Group) -> Result<(), ApiError> {
    let first = if lookup::members_of(view, group).next().is_some() {
        "must remove users from group first."
    } else if !group.attached_policies.is_empty() {
        "must detach all policies first."
    } else if !group.inline_policies.is_empty() {
        "must delete policies first."
    } else {
        return Ok(());
    };
    Err(delete_conflict(format!("Cannot delete entity, {first}")))
}
