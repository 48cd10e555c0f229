//! `UpdateGroup`: another name or path; the users stay in it.

use api_iam::ops::UpdateGroup;
use api_iam::types::UpdateGroupRequest;
use iam::Group;
use policy::{Access, Authorized, Caller};
use state::{Change, Row, View};
use wire::{ApiError, NoOutput};

use crate::error::{exists, limit_exceeded};
use crate::{IamContext, access, lookup, name};

pub(crate) fn accesses(
    ctx: &IamContext,
    caller: &Caller,
    input: &UpdateGroupRequest,
) -> Vec<Access> {
    let account = &caller.principal.account;
    let old = access::on_group::<UpdateGroup>(ctx, account, input.group_name.as_deref());
    let name = input.new_group_name.as_deref().or(input.group_name.as_deref());
    let view = ctx.state.view();
    let group = view
        .identities()
        .group(&iam::key(account, input.group_name.as_deref().unwrap_or_default()));
    let path = input.new_path.as_deref().or(group.map(|group| group.path.as_str()));
    let path = path.unwrap_or(name::DEFAULT_PATH);
    let new = iam::arn(account, "group", path, name.unwrap_or_default());
    if new == old.resource { vec![old] } else { vec![old, Access::of::<UpdateGroup>(new)] }
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<UpdateGroup>,
) -> Result<NoOutput, ApiError> {
    let (caller, input) = call.into_parts();
    let account = &caller.principal.account;
    let name = input.group_name.as_deref().unwrap_or_default();
    ctx.commit(|view, change| {
        let row = lookup::group(view, account, name)?;
        let mut group = row.value.as_ref().clone();
        if let Some(path) = &input.new_path {
            group.path.clone_from(path);
        }
        if let Some(name) = &input.new_group_name {
            group.name.clone_from(name);
        }
        rename(view, change, row, &group)
    })
    .await?;
    Ok(NoOutput {})
}

/// The most users of a group that is renamed: all of them are written in one transaction of at most 128
/// operations, of which a user takes two and the group four.
const MAX_RENAMED_MEMBERS: usize = 60;

/// Writes the group under its new name, and the new name into the records of its users.
fn rename(
    view: &View,
    change: &mut Change,
    row: &Row<Group>,
    group: &Group,
) -> Result<(), ApiError> {
    if group.name.eq_ignore_ascii_case(&row.name) {
        change.update(row, group);
    } else {
        if view.identities().group(&iam::key(&group.account, &group.name)).is_some() {
            return Err(exists("Group", &group.name));
        }
        change.delete(row);
        change.create(group);
    }
    if group.name == row.name {
        return Ok(());
    }
    for (index, member) in lookup::members_of(view, row).enumerate() {
        if index >= MAX_RENAMED_MEMBERS {
            return Err(limit_exceeded(format!(
                "Cannot rename group {}: it has more than {MAX_RENAMED_MEMBERS} users. Create a group \
                 with the new name and move the users.",
                row.name
            )));
        }
        let mut user = member.value.as_ref().clone();
        user.groups.remove(&row.name);
        user.groups.insert(group.name.clone());
        change.update(member, &user);
    }
    Ok(())
}
