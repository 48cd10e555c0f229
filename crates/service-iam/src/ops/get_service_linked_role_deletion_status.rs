//! `GetServiceLinkedRoleDeletionStatus`: what became of a deletion.

use api_iam::ops::GetServiceLinkedRoleDeletionStatus;
use api_iam::types::{
    DeletionTaskStatusType, GetServiceLinkedRoleDeletionStatusRequest,
    GetServiceLinkedRoleDeletionStatusResponse,
};
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::IamContext;
use crate::error::no_such_entity;

pub(crate) fn accesses(
    _ctx: &IamContext,
    caller: &Caller,
    input: &GetServiceLinkedRoleDeletionStatusRequest,
) -> Vec<Access> {
    // `task/aws-service-role/SERVICE/ROLE/UUID`
    let task = input.deletion_task_id.as_deref().unwrap_or_default();
    let role = task.strip_prefix("task").and_then(|rest| rest.rsplit_once('/'));
    let arn = role.map_or_else(
        || "*".to_owned(),
        |(role, _)| format!("arn:aws:iam::{}:role{role}", caller.principal.account),
    );
    vec![Access::of::<GetServiceLinkedRoleDeletionStatus>(arn)]
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<GetServiceLinkedRoleDeletionStatus>,
) -> Result<GetServiceLinkedRoleDeletionStatusResponse, ApiError> {
    let account = &call.caller().principal.account;
    let task = call.input().deletion_task_id.as_deref().unwrap_or_default();
    if !ctx.memory.deletions.has(account, task) {
        return Err(no_such_entity(format!("The deletion task {task} cannot be found.")));
    }
    Ok(GetServiceLinkedRoleDeletionStatusResponse {
        status: Some(DeletionTaskStatusType::Succeeded),
        reason: None,
    })
}
