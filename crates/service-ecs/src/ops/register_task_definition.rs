//! `RegisterTaskDefinition`: the next revision of a family.

use api_ecs::ops::RegisterTaskDefinition;
use api_ecs::types::{RegisterTaskDefinitionRequest, RegisterTaskDefinitionResponse};
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::{EcsContext, access, read, registrations, render, tag};

pub(crate) fn accesses(
    ctx: &EcsContext,
    _caller: &Caller,
    input: &RegisterTaskDefinitionRequest,
) -> Vec<Access> {
    access::register_task_definition(ctx, input)
}

pub(crate) async fn execute(
    ctx: &EcsContext,
    call: Authorized<RegisterTaskDefinition>,
) -> Result<RegisterTaskDefinitionResponse, ApiError> {
    let (caller, input) = call.into_parts();
    let registered_by = caller.principal.arn.clone();
    let (definition, bytes) = read::task_definition::read(ctx, input, registered_by)?;
    let definition = registrations::register(ctx, definition, bytes).await?;
    Ok(RegisterTaskDefinitionResponse {
        tags: Some(tag::render(&definition.tags)),
        task_definition: Some(render::task_definition::described(&ctx.scope, &definition)),
    })
}
