//! `StopTask`: asks a task to stop. What was asked first stays.

use api_ecs::ops::StopTask;
use api_ecs::types::{StopTaskRequest, StopTaskResponse};
use domain::StopCode;
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::access::Kind;
use crate::error::invalid_parameter;
use crate::{EcsContext, access, name, render};

/// What a task says that was stopped without a reason.
const DEFAULT_REASON: &str = "Task stopped by user";
/// The most characters of a reason.
const MAX_REASON: usize = 1024;

pub(crate) fn accesses(ctx: &EcsContext, _caller: &Caller, input: &StopTaskRequest) -> Vec<Access> {
    let task = input.task.as_deref().unwrap_or_default();
    vec![access::in_cluster::<StopTask>(ctx, Kind::Task, input.cluster.as_deref(), task)]
}

pub(crate) async fn execute(
    ctx: &EcsContext,
    call: Authorized<StopTask>,
) -> Result<StopTaskResponse, ApiError> {
    let input = call.input();
    let reason = input.reason.as_deref().filter(|reason| !reason.is_empty());
    let reason = reason.unwrap_or(DEFAULT_REASON);
    if reason.chars().count() > MAX_REASON {
        return Err(invalid_parameter(format!("reason can have at most {MAX_REASON} characters.")));
    }
    let given = input.task.as_deref().unwrap_or_default();
    ctx.commit(|view, change| {
        let cluster = name::cluster(view, &ctx.scope, input.cluster.as_deref())?;
        let (own, id) = name::task(&ctx.scope, given)?;
        let row = view
            .task(id)
            .filter(|task| task.cluster == cluster.name)
            .filter(|_| own.is_none_or(|own| own == cluster.name))
            .ok_or_else(|| invalid_parameter("The referenced task was not found."))?;
        let mut task = row.value.as_ref().clone();
        if task.request_stop(StopCode::UserInitiated, reason, ctx.now()) {
            change.update(row, &task);
        }
        Ok(StopTaskResponse { task: Some(render::task::task(view, &ctx.scope, &task, true)) })
    })
    .await
}
