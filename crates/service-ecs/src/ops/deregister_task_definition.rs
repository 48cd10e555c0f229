//! `DeregisterTaskDefinition`: the revision becomes INACTIVE.

use api_ecs::ops::DeregisterTaskDefinition;
use api_ecs::types::{DeregisterTaskDefinitionRequest, DeregisterTaskDefinitionResponse};
use domain::TaskDefinitionStatus;
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::error::client_exception;
use crate::{EcsContext, name, render};

pub(crate) fn accesses(
    _ctx: &EcsContext,
    _caller: &Caller,
    _input: &DeregisterTaskDefinitionRequest,
) -> Vec<Access> {
    vec![Access::of::<DeregisterTaskDefinition>("*")]
}

pub(crate) async fn execute(
    ctx: &EcsContext,
    call: Authorized<DeregisterTaskDefinition>,
) -> Result<DeregisterTaskDefinitionResponse, ApiError> {
    let given = call.input().task_definition.as_deref().unwrap_or_default();
    let id = name::revision(&ctx.scope, given)?;
    let definition = ctx
        .commit(|view, change| {
            let row = view.task_definition(&id).ok_or_else(name::no_such_task_definition)?;
            let mut definition = row.value.as_ref().clone();
            match definition.status {
                TaskDefinitionStatus::Active => {
                    definition.status = TaskDefinitionStatus::Inactive;
                    definition.deregistered_at = Some(ctx.now());
                    change.update(row, &definition);
                }
                TaskDefinitionStatus::Inactive => {}
                TaskDefinitionStatus::DeleteInProgress => {
                    return Err(client_exception(
                        "The specified task definition is in DELETE_IN_PROGRESS status.",
                    ));
                }
            }
            Ok(definition)
        })
        .await?;
    Ok(DeregisterTaskDefinitionResponse {
        task_definition: Some(render::task_definition::described(&ctx.scope, &definition)),
    })
}
