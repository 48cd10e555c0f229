//! `CreateServiceLinkedRole`: the role that a service has in an account.

use std::collections::{BTreeMap, BTreeSet};

use api_iam::ops::CreateServiceLinkedRole;
use api_iam::types::{CreateServiceLinkedRoleRequest, CreateServiceLinkedRoleResponse};
use iam::{Role, Tags};
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::error::invalid_input;
use crate::{IamContext, linked, lookup, render, role};

pub(crate) fn accesses(
    _ctx: &IamContext,
    caller: &Caller,
    input: &CreateServiceLinkedRoleRequest,
) -> Vec<Access> {
    let service = input.aws_service_name.as_deref().unwrap_or_default();
    let name = linked::service(service).map_or("", |known| known.role);
    let arn = iam::arn(&caller.principal.account, "role", &linked::path(service), name);
    let own = Access::of::<CreateServiceLinkedRole>(arn);
    vec![own.with_key("iam:awsservicename", service)]
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<CreateServiceLinkedRole>,
) -> Result<CreateServiceLinkedRoleResponse, ApiError> {
    let (caller, input) = call.into_parts();
    let account = &caller.principal.account;
    let name = input.aws_service_name.unwrap_or_default();
    let Some(known) = linked::service(&name) else {
        return Err(invalid_input(format!("Service-linked roles are not supported for {name}.")));
    };
    if input.custom_suffix.is_some() {
        return Err(invalid_input(format!("Custom suffix is not allowed for {name}")));
    }
    let role = Role {
        account: account.clone(),
        name: known.role.to_owned(),
        path: linked::path(known.service),
        id: identity::unique_id(ctx.ids.as_ref(), "AROA"),
        created_at: ctx.now(),
        description: Some(input.description.unwrap_or_else(|| known.description.to_owned())),
        max_session_duration_s: role::DEFAULT_SESSION_DURATION_S,
        trust_policy: linked::trust_policy(known.service),
        inline_policies: BTreeMap::new(),
        attached_policies: BTreeSet::from([known.policy.to_owned()]),
        permissions_boundary: None,
        tags: Tags::new(),
        linked_service: Some(known.service.to_owned()),
    };
    ctx.commit(|view, change| {
        if lookup::role(view, account, &role.name).is_ok() {
            return Err(invalid_input(format!(
                "Service role name {} has been taken in this account, please try a different suffix.",
                role.name
            )));
        }
        role::check_quota(view, account)?;
        change.create(&role);
        Ok(())
    })
    .await?;
    Ok(CreateServiceLinkedRoleResponse { role: Some(render::role::made(&role)) })
}
