//! `DeleteServiceLinkedRole`: a service loses its role in an account.

use api_iam::ops::DeleteServiceLinkedRole;
use api_iam::types::{DeleteServiceLinkedRoleRequest, DeleteServiceLinkedRoleResponse};
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::error::not_found;
use crate::{IamContext, access, lookup, role};

pub(crate) fn accesses(
    ctx: &IamContext,
    caller: &Caller,
    input: &DeleteServiceLinkedRoleRequest,
) -> Vec<Access> {
    let own = role::on::<DeleteServiceLinkedRole>(
        ctx,
        &caller.principal.account,
        input.role_name.as_deref(),
    );
    let view = ctx.state.view();
    let name = input.role_name.as_deref().unwrap_or_default();
    let role = view.identities().role(&iam::key(&caller.principal.account, name));
    let service = role.and_then(|role| role.linked_service.as_deref());
    vec![access::with_some(own, "iam:awsservicename", service)]
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<DeleteServiceLinkedRole>,
) -> Result<DeleteServiceLinkedRoleResponse, ApiError> {
    let (caller, input) = call.into_parts();
    let account = &caller.principal.account;
    let name = input.role_name.unwrap_or_default();
    let (service, role) = ctx
        .commit(|view, change| {
            let row = lookup::role(view, account, &name)?;
            let service = row.linked_service.clone().ok_or_else(|| not_found("role", &name))?;
            change.delete(row);
            Ok((service, row.name.clone()))
        })
        .await?;
    let task_id = format!("task/aws-service-role/{service}/{role}/{}", ctx.ids.uuid());
    ctx.memory.deletions.add(account.clone(), task_id.clone());
    Ok(DeleteServiceLinkedRoleResponse { deletion_task_id: Some(task_id) })
}
