//! `DescribeTasks`: up to 100 tasks by id or ARN. No scans: it is what clients poll.

use api_ecs::ops::DescribeTasks;
use api_ecs::types::{DescribeTasksRequest, DescribeTasksResponse, TaskField};
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::access::Kind;
use crate::error::invalid_parameter;
use crate::{EcsContext, access, arn, name, render};

/// The most tasks of one call.
pub(crate) const MAX_TASKS: usize = 100;

pub(crate) fn accesses(
    ctx: &EcsContext,
    _caller: &Caller,
    input: &DescribeTasksRequest,
) -> Vec<Access> {
    let (cluster, given) = (input.cluster.as_deref(), input.tasks.as_deref());
    access::each_in_cluster::<DescribeTasks>(ctx, Kind::Task, cluster, given)
}

pub(crate) async fn execute(
    ctx: &EcsContext,
    call: Authorized<DescribeTasks>,
) -> Result<DescribeTasksResponse, ApiError> {
    let input = call.input();
    let given = input.tasks.as_deref().unwrap_or_default();
    if given.is_empty() {
        return Err(invalid_parameter("Tasks cannot be empty."));
    }
    if given.len() > MAX_TASKS {
        return Err(invalid_parameter(format!(
            "tasks can have at most {MAX_TASKS} items, not {}.",
            given.len()
        )));
    }
    let with_tags = input.include.iter().flatten().any(|field| *field == TaskField::Tags);
    let view = ctx.state.view();
    let cluster = &name::cluster(&view, &ctx.scope, input.cluster.as_deref())?.name;
    let (mut tasks, mut failures) = (Vec::with_capacity(given.len()), Vec::new());
    for given in given {
        let (own, id) = name::task(&ctx.scope, given)?;
        let elsewhere = own.is_some_and(|own| own != cluster);
        match view.task(id).filter(|task| !elsewhere && task.cluster == *cluster) {
            Some(task) => tasks.push(render::task::task(&view, &ctx.scope, task, with_tags)),
            None => {
                let cluster = own.unwrap_or(cluster);
                failures.push(render::failure::missing(arn::task(&ctx.scope, cluster, id)));
            }
        }
    }
    Ok(DescribeTasksResponse { failures: Some(failures), tasks: Some(tasks) })
}
