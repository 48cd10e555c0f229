//! `DescribeTaskDefinition`.

use std::sync::Arc;

use api_ecs::ops::DescribeTaskDefinition;
use api_ecs::types::{
    DescribeTaskDefinitionRequest, DescribeTaskDefinitionResponse, TaskDefinitionField,
};
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::{EcsContext, name, render, tag};

pub(crate) fn accesses(
    _ctx: &EcsContext,
    _caller: &Caller,
    _input: &DescribeTaskDefinitionRequest,
) -> Vec<Access> {
    vec![Access::of::<DescribeTaskDefinition>("*")]
}

pub(crate) async fn execute(
    ctx: &EcsContext,
    call: Authorized<DescribeTaskDefinition>,
) -> Result<DescribeTaskDefinitionResponse, ApiError> {
    let input = call.input();
    let given = input.task_definition.as_deref().unwrap_or_default();
    let definition =
        Arc::clone(&name::task_definition(&ctx.state.view(), &ctx.scope, given)?.value);
    let include = input.include.as_deref().unwrap_or_default();
    let tags = include.contains(&TaskDefinitionField::Tags);
    Ok(DescribeTaskDefinitionResponse {
        tags: tags.then(|| tag::render(&definition.tags)),
        task_definition: Some(render::task_definition::described(&ctx.scope, &definition)),
    })
}
