//! `CreateGroup`: a new group without users and policies.

use api_iam::ops::CreateGroup;
use api_iam::types::{CreateGroupRequest, CreateGroupResponse};
use iam::Group;
use policy::{Access, Authorized, Caller};
use std::collections::{BTreeMap, BTreeSet};
use wire::ApiError;

use crate::error::{exists, quota_exceeded};
use crate::{IamContext, name, quota, render};

pub(crate) fn accesses(
    _ctx: &IamContext,
    caller: &Caller,
    input: &CreateGroupRequest,
) -> Vec<Access> {
    let path = input.path.as_deref().unwrap_or(name::DEFAULT_PATH);
    let name = input.group_name.as_deref().unwrap_or_default();
    vec![Access::of::<CreateGroup>(iam::arn(&caller.principal.account, "group", path, name))]
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<CreateGroup>,
) -> Result<CreateGroupResponse, ApiError> {
    let (caller, input) = call.into_parts();
    let account = &caller.principal.account;
    let group = Group {
        account: account.clone(),
        name: input.group_name.unwrap_or_default(),
        path: name::path_or_default(input.path),
        id: identity::unique_id(ctx.ids.as_ref(), "AGPA"),
        created_at: ctx.now(),
        inline_policies: BTreeMap::new(),
        attached_policies: BTreeSet::new(),
    };
    ctx.commit(|view, change| {
        let identities = view.identities();
        if identities.group(&iam::key(account, &group.name)).is_some() {
            return Err(exists("Group", &group.name));
        }
        if identities.groups().filter(|group| group.account == *account).count() >= quota::GROUPS {
            return Err(quota_exceeded("GroupsPerAccount", quota::GROUPS));
        }
        change.create(&group);
        Ok(())
    })
    .await?;
    Ok(CreateGroupResponse { group: Some(render::group::group(&group)) })
}
