//! `CreateRole`: a new role, who may do nothing yet.

use std::collections::{BTreeMap, BTreeSet};

use api_iam::ops::CreateRole;
use api_iam::types::{CreateRoleRequest, CreateRoleResponse};
use iam::Role;
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::error::{exists, validation};
use crate::{IamContext, access, lookup, name, render, role, tag};

pub(crate) fn accesses(
    _ctx: &IamContext,
    caller: &Caller,
    input: &CreateRoleRequest,
) -> Vec<Access> {
    let path = input.path.as_deref().unwrap_or(name::DEFAULT_PATH);
    let name = input.role_name.as_deref().unwrap_or_default();
    let own = Access::of::<CreateRole>(iam::arn(&caller.principal.account, "role", path, name));
    let boundary = input.permissions_boundary.as_deref();
    let own = access::with_some(own, "iam:permissionsboundary", boundary);
    access::to_create(own, input.tags.as_deref(), "iam:TagRole")
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<CreateRole>,
) -> Result<CreateRoleResponse, ApiError> {
    let (caller, input) = call.into_parts();
    let account = &caller.principal.account;
    let role = Role {
        account: account.clone(),
        name: input.role_name.unwrap_or_default(),
        path: name::path_or_default(input.path),
        id: identity::unique_id(ctx.ids.as_ref(), "AROA"),
        created_at: ctx.now(),
        description: input.description,
        max_session_duration_s: role::session_duration_s(input.max_session_duration),
        trust_policy: input.assume_role_policy_document.unwrap_or_default(),
        inline_policies: BTreeMap::new(),
        attached_policies: BTreeSet::new(),
        permissions_boundary: input.permissions_boundary,
        tags: tag::read(input.tags)?,
        linked_service: None,
    };
    if role.path.starts_with("/aws-service-role/") {
        return Err(validation(
            "The path `/aws-service-role/` is reserved: use CreateServiceLinkedRole.",
        ));
    }
    let trusted = role::check_trust_policy(&role.trust_policy)?;
    ctx.commit(|view, change| {
        role::check_trusted(view, account, &trusted)?;
        if lookup::role(view, account, &role.name).is_ok() {
            return Err(exists("Role", &role.name));
        }
        role::check_quota(view, account)?;
        if let Some(boundary) = &role.permissions_boundary {
            lookup::bound_by(view, change, account, boundary)?;
        }
        change.create(&role);
        Ok(())
    })
    .await?;
    Ok(CreateRoleResponse { role: Some(render::role::made(&role)) })
}
