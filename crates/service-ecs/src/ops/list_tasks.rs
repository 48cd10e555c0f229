//! `ListTasks`: ARNs of tasks, filtered.

use api_ecs::ops::ListTasks;
use api_ecs::types::{self, ListTasksRequest, ListTasksResponse};
use domain::{DesiredStatus, Task};
use policy::{Access, Authorized, Caller};
use state::{Row, View};
use wire::ApiError;

use crate::access::Kind;
use crate::error::{invalid_parameter, service_not_found};
use crate::page::page;
use crate::{EcsContext, access, arn, name};

/// The most tasks on a page, and what a page has when nothing is asked.
const MAX_RESULTS: usize = 100;

pub(crate) fn accesses(
    ctx: &EcsContext,
    _caller: &Caller,
    input: &ListTasksRequest,
) -> Vec<Access> {
    let instance = input.container_instance.as_deref().unwrap_or("*");
    let (kind, cluster) = (Kind::ContainerInstance, input.cluster.as_deref());
    vec![access::in_cluster::<ListTasks>(ctx, kind, cluster, instance)]
}

pub(crate) async fn execute(
    ctx: &EcsContext,
    call: Authorized<ListTasks>,
) -> Result<ListTasksResponse, ApiError> {
    let input = call.input();
    if input.started_by.is_some()
        && (input.family.is_some()
            || input.service_name.is_some()
            || input.container_instance.is_some()
            || input.launch_type.is_some())
    {
        return Err(invalid_parameter(
            "startedBy can be combined with cluster and desiredStatus only: leave out the other filters.",
        ));
    }
    if input.daemon_name.is_some() {
        return Err(invalid_parameter(
            "daemonName is not supported: list the tasks of a DAEMON service with serviceName.",
        ));
    }
    let desired = match &input.desired_status {
        None | Some(types::DesiredStatus::Running) => Some(DesiredStatus::Running),
        Some(types::DesiredStatus::Stopped) => Some(DesiredStatus::Stopped),
        // No task is ever wanted to be PENDING.
        Some(types::DesiredStatus::Pending | types::DesiredStatus::Unrecognized(_)) => None,
    };
    let view = ctx.state.view();
    let candidates = candidates(ctx, &view, input, desired)?;
    let matching = candidates.filter(|task| {
        Some(task.desired_status) == desired
            && matches(input.family.as_deref(), &task.task_definition.family)
            && matches(input.started_by.as_deref(), task.started_by.as_deref().unwrap_or_default())
            && matches(
                input.launch_type.as_ref().map(types::LaunchType::as_str),
                task.launch_type.as_str(),
            )
    });
    let (tasks, next_token) = page(
        matching,
        |task| task.id.clone(),
        input.max_results,
        input.next_token.as_deref(),
        MAX_RESULTS,
    )?;
    let task_arns = tasks.iter().map(|task| arn::task(&ctx.scope, &task.cluster, &task.id));
    Ok(ListTasksResponse { next_token, task_arns: Some(task_arns.collect()) })
}

fn matches(wanted: Option<&str>, found: &str) -> bool {
    wanted.is_none_or(|wanted| wanted == found)
}

/// The tasks that the narrowest index gives, by id.
fn candidates<'a>(
    ctx: &EcsContext,
    view: &'a View,
    input: &ListTasksRequest,
    desired: Option<DesiredStatus>,
) -> Result<Box<dyn Iterator<Item = &'a Row<Task>> + 'a>, ApiError> {
    let cluster = &name::cluster(view, &ctx.scope, input.cluster.as_deref())?.value.name;
    let instance = match input.container_instance.as_deref() {
        None => None,
        Some(given) => {
            Some(name::container_instance(view, cluster, given).ok_or_else(|| {
                invalid_parameter("The specified container instance was not found.")
            })?)
        }
    };
    let on_instance =
        move |task: &&Row<Task>| instance.is_none_or(|row| row.id == task.container_instance);
    if let Some(given) = input.service_name.as_deref() {
        let service = name::service(view, &ctx.scope, cluster, given)?;
        let service = service.ok_or_else(service_not_found)?;
        return Ok(Box::new(view.tasks_of_service(cluster, &service.name).filter(on_instance)));
    }
    match instance {
        // What is wanted to run is not STOPPED.
        Some(instance) if desired == Some(DesiredStatus::Running) => {
            Ok(Box::new(view.tasks_on(&instance.id)))
        }
        Some(_) | None => Ok(Box::new(view.tasks_of(cluster).filter(on_instance))),
    }
}
