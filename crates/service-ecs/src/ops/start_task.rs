//! StartTask: a task on each of the given instances.

use api_ecs::ops::StartTask;
use api_ecs::types::{self, StartTaskRequest, StartTaskResponse};
use base::Scope;
use domain::{ContainerInstance, ContainerInstanceStatus, LaunchType, Tags};
use policy::{Access, Authorized, Caller};
use scheduler::{Fleet, Request};
use state::{Change, View};
use wire::ApiError;

use super::run_task::fleet;
use crate::error::invalid_parameter;
use crate::launch::{Launch, Order};
use crate::read::launch as read_launch;
use crate::read::placement::not_valid;
use crate::{EcsContext, access, arn, name, render, tag};

/// The most instances of one call.
const MAX_INSTANCES: usize = 10;

pub(crate) fn accesses(
    ctx: &EcsContext,
    _caller: &Caller,
    input: &StartTaskRequest,
) -> Vec<Access> {
    needed(ctx, &ctx.state.view(), input)
}

/// What a call needs in a state: a family is its newest revision there.
fn needed(ctx: &EcsContext, view: &View, input: &StartTaskRequest) -> Vec<Access> {
    let starting = access::Starting {
        cluster: input.cluster.as_deref(),
        task_definition: input.task_definition.as_deref(),
        overrides: input.overrides.as_ref(),
        network: input.network_configuration.as_ref(),
        capacity_providers: None,
        container_instances: input.container_instances.as_deref(),
        tags: input.tags.as_deref(),
        propagate_tags: input.propagate_tags.as_ref(),
        enable_ecs_managed_tags: input.enable_ecs_managed_tags,
        enable_execute_command: input.enable_execute_command,
        has_volumes: input.volume_configurations.as_ref().is_some_and(|all| !all.is_empty()),
    };
    access::start::<StartTask>(ctx, view, &starting)
}

pub(crate) async fn execute(
    ctx: &EcsContext,
    call: Authorized<StartTask>,
) -> Result<StartTaskResponse, ApiError> {
    let input = call.input();
    read_launch::refuse(
        input.volume_configurations.as_ref(),
        "Volumes configured at launch are not supported: use volumes of the task definition.",
    )?;
    let instances = input.container_instances.as_ref().map_or(0, Vec::len);
    if instances == 0 {
        return Err(invalid_parameter("Container instances cannot be empty."));
    }
    if instances > MAX_INSTANCES {
        return Err(invalid_parameter(format!(
            "containerInstances can have at most {MAX_INSTANCES} items, not {instances}."
        )));
    }
    let tags = tag::read(input.tags.clone())?;
    let caller = call.caller();
    ctx.commit_placement(|view, change| {
        let definition = input.task_definition.as_deref();
        access::ask_again::<StartTask>(caller, definition, || needed(ctx, view, input))?;
        start(ctx, input, &tags, view, change)
    })
    .await
}

fn start(
    ctx: &EcsContext,
    input: &StartTaskRequest,
    tags: &Tags,
    view: &View,
    change: &mut Change,
) -> Result<StartTaskResponse, ApiError> {
    let launch = Launch::prepare(ctx, view, &order(input, tags))?;
    let request = placement::request(&launch.spec, &launch.group, launch.launch_type, &[], &[])
        .map_err(|error| not_valid(&error))?;
    let cluster = &launch.cluster.name;
    let instances: Vec<&ContainerInstance> =
        view.instances_of(cluster).map(|row| row.value.as_ref()).collect();
    let mut fleet = fleet(view, &instances);
    let (mut tasks, mut failures) = (Vec::new(), Vec::new());
    for given in input.container_instances.iter().flatten() {
        match take(&ctx.scope, view, cluster, given, &mut fleet, &request)? {
            Ok(instance) => {
                let task = launch.task(ctx, instance);
                change.create(&task);
                change.fence(&task.container_instance, view.fence(&task.container_instance));
                tasks.push(render::task::task(view, &ctx.scope, &task, true));
            }
            Err(failure) => failures.push(failure),
        }
    }
    if !tasks.is_empty() {
        change.require(launch.cluster);
    }
    Ok(StartTaskResponse { failures: Some(failures), tasks: Some(tasks) })
}

/// Takes what one task needs from the instance that `given` names.
fn take(
    scope: &Scope,
    view: &View,
    cluster: &str,
    given: &str,
    fleet: &mut Fleet,
    request: &Request,
) -> Result<Result<String, types::Failure>, ApiError> {
    if given.starts_with("arn:") {
        name::parse_arn(scope, given, "container-instance/")?;
    }
    let (own_cluster, id) = name::in_cluster("container-instance", given);
    let known = view
        .instance(id)
        .filter(|instance| instance.cluster == cluster)
        .filter(|_| own_cluster.is_none_or(|own| own == cluster));
    let instance_arn = arn::container_instance(scope, cluster, id);
    let Some((instance, ordinal)) = known.zip(fleet.ordinal_of(id)) else {
        return Ok(Err(render::failure::missing(instance_arn)));
    };
    if instance.status == ContainerInstanceStatus::Inactive {
        return Ok(Err(types::Failure {
            arn: Some(instance_arn),
            reason: Some("INACTIVE".to_owned()),
            detail: None,
        }));
    }
    if let Some(refusal) = scheduler::refusal(fleet, ordinal, request) {
        return Ok(Err(render::failure::placement(scope, cluster, &refusal)));
    }
    fleet.assume(ordinal, request);
    Ok(Ok(instance.id.clone()))
}

fn order<'a>(input: &'a StartTaskRequest, tags: &'a Tags) -> Order<'a> {
    Order {
        cluster: input.cluster.as_deref(),
        task_definition: input.task_definition.as_deref(),
        launch_type: LaunchType::Ec2,
        group: input.group.as_deref(),
        started_by: input.started_by.as_deref(),
        overrides: input.overrides.as_ref(),
        network_configuration: input.network_configuration.as_ref(),
        tags,
        propagate_tags: input.propagate_tags.as_ref(),
        enable_ecs_managed_tags: input.enable_ecs_managed_tags.unwrap_or(false),
        enable_execute_command: input.enable_execute_command.unwrap_or(false),
        client_token: None,
    }
}
