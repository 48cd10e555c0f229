//! `GetTaskProtection`: whether tasks are protected, and until when.

use api_ecs::ops::GetTaskProtection;
use api_ecs::types::{GetTaskProtectionRequest, GetTaskProtectionResponse};
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use super::describe_tasks::MAX_TASKS;
use crate::access::Kind;
use crate::{EcsContext, access, name, protection};

pub(crate) fn accesses(
    ctx: &EcsContext,
    _caller: &Caller,
    input: &GetTaskProtectionRequest,
) -> Vec<Access> {
    let (cluster, given) = (input.cluster.as_deref(), input.tasks.as_deref());
    access::each_in_cluster::<GetTaskProtection>(ctx, Kind::Task, cluster, given)
}

pub(crate) async fn execute(
    ctx: &EcsContext,
    call: Authorized<GetTaskProtection>,
) -> Result<GetTaskProtectionResponse, ApiError> {
    let input = call.input();
    let view = ctx.state.view();
    let cluster = name::cluster(&view, &ctx.scope, input.cluster.as_deref())?;
    let given = input.tasks.as_deref().unwrap_or_default();
    let (tasks, failures) = protection::tasks(&view, &ctx.scope, &cluster.name, given, MAX_TASKS)?;
    let protected = tasks.iter().map(|task| protection::render(&ctx.scope, task, ctx.now()));
    Ok(GetTaskProtectionResponse {
        failures: Some(failures),
        protected_tasks: Some(protected.collect()),
    })
}
