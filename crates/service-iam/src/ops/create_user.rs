//! `CreateUser`: a new user, who may do nothing yet.

use std::collections::{BTreeMap, BTreeSet};

use api_iam::ops::CreateUser;
use api_iam::types::{CreateUserRequest, CreateUserResponse};
use iam::User;
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::error::{exists, quota_exceeded};
use crate::{IamContext, access, lookup, name, quota, render, tag};

pub(crate) fn accesses(
    _ctx: &IamContext,
    caller: &Caller,
    input: &CreateUserRequest,
) -> Vec<Access> {
    let path = input.path.as_deref().unwrap_or(name::DEFAULT_PATH);
    let name = input.user_name.as_deref().unwrap_or_default();
    let own = Access::of::<CreateUser>(iam::arn(&caller.principal.account, "user", path, name));
    let boundary = input.permissions_boundary.as_deref();
    let own = access::with_some(own, "iam:permissionsboundary", boundary);
    access::to_create(own, input.tags.as_deref(), "iam:TagUser")
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<CreateUser>,
) -> Result<CreateUserResponse, ApiError> {
    let (caller, input) = call.into_parts();
    let account = &caller.principal.account;
    let user = User {
        account: account.clone(),
        name: input.user_name.unwrap_or_default(),
        path: name::path_or_default(input.path),
        id: identity::unique_id(ctx.ids.as_ref(), "AIDA"),
        created_at: ctx.now(),
        inline_policies: BTreeMap::new(),
        attached_policies: BTreeSet::new(),
        permissions_boundary: input.permissions_boundary,
        groups: BTreeSet::new(),
        tags: tag::read(input.tags)?,
    };
    ctx.commit(|view, change| {
        let identities = view.identities();
        if identities.user(&iam::key(account, &user.name)).is_some() {
            return Err(exists("User", &user.name));
        }
        if identities.users().filter(|user| user.account == *account).count() >= quota::USERS {
            return Err(quota_exceeded("UsersPerAccount", quota::USERS));
        }
        if let Some(boundary) = &user.permissions_boundary {
            lookup::bound_by(view, change, account, boundary)?;
        }
        change.create(&user);
        Ok(())
    })
    .await?;
    Ok(CreateUserResponse { user: Some(render::user::whole(&user)) })
}
