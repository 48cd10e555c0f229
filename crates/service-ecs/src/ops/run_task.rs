//! RunTask: tasks where the placement strategies say.

use api_ecs::errors::conflict_exception;
use api_ecs::ops::RunTask;
use api_ecs::types::{self, RunTaskRequest, RunTaskResponse};
use domain::{ContainerInstance, LaunchType};
use policy::{Access, Authorized, Caller};
use scheduler::{Fleet, Placement};
use state::{Change, View};
use wire::ApiError;

use crate::client_token::{Known, Token};
use crate::error::invalid_parameter;
use crate::launch::{Launch, Order};
use crate::read::launch as read_launch;
use crate::read::placement as read_placement;
use crate::{EcsContext, access, arn, name, render, tag};

/// The most tasks of one call.
const MAX_COUNT: i32 = 10;

pub(crate) fn accesses(ctx: &EcsContext, _caller: &Caller, input: &RunTaskRequest) -> Vec<Access> {
    needed(ctx, &ctx.state.view(), input)
}

/// What a call needs in a state: a family is its newest revision there.
fn needed(ctx: &EcsContext, view: &View, input: &RunTaskRequest) -> Vec<Access> {
    let starting = access::Starting {
        cluster: input.cluster.as_deref(),
        task_definition: input.task_definition.as_deref(),
        overrides: input.overrides.as_ref(),
        network: input.network_configuration.as_ref(),
        capacity_providers: input.capacity_provider_strategy.as_deref(),
        container_instances: None,
        tags: input.tags.as_deref(),
        propagate_tags: input.propagate_tags.as_ref(),
        enable_ecs_managed_tags: input.enable_ecs_managed_tags,
        enable_execute_command: input.enable_execute_command,
        has_volumes: input.volume_configurations.as_ref().is_some_and(|all| !all.is_empty()),
    };
    access::start::<RunTask>(ctx, view, &starting)
}

pub(crate) async fn execute(
    ctx: &EcsContext,
    call: Authorized<RunTask>,
) -> Result<RunTaskResponse, ApiError> {
    let input = call.input();
    let run = Run::read(input)?;
    let caller = call.caller();
    ctx.commit_placement(|view, change| {
        let definition = input.task_definition.as_deref();
        access::ask_again::<RunTask>(caller, definition, || needed(ctx, view, input))?;
        run.perform(ctx, view, change)
    })
    .await
}

/// What can be said of a call without the state.
struct Run<'a> {
    input: &'a RunTaskRequest,
    count: u32,
    launch_type: LaunchType,
    placement: read_placement::Placement,
    tags: domain::Tags,
    token: Option<Token>,
}

impl<'a> Run<'a> {
    fn read(input: &'a RunTaskRequest) -> Result<Self, ApiError> {
        read_launch::refuse(
            input.capacity_provider_strategy.as_ref(),
            "Capacity provider strategies are not supported: use launchType.",
        )?;
        read_launch::refuse(
            input.volume_configurations.as_ref(),
            "Volumes configured at launch are not supported: use volumes of the task definition.",
        )?;
        let count = input.count.unwrap_or(1);
        let launch_type = read_launch::launch_type(input.launch_type.as_ref())?;
        read_launch::platform_version(input.platform_version.as_deref(), launch_type)?;
        let cluster = name::cluster_name(input.cluster.as_deref());
        Ok(Self {
            count: u32::try_from(count)
                .ok()
                .filter(|_| (1..=MAX_COUNT).contains(&count))
                .ok_or_else(|| {
                    invalid_parameter(format!(
                        "count must be between 1 and {MAX_COUNT}, not {count}."
                    ))
                })?,
            placement: read_placement::read(
                input.placement_constraints.as_ref(),
                input.placement_strategy.as_ref(),
                launch_type,
            )?,
            tags: tag::read(input.tags.clone())?,
            token: Token::read("RunTask", cluster, input.client_token.as_deref(), input)?,
            launch_type,
            input,
        })
    }

    fn perform(
        &self,
        ctx: &EcsContext,
        view: &View,
        change: &mut Change,
    ) -> Result<RunTaskResponse, ApiError> {
        if let Some(token) = &self.token {
            match token.look_up(view) {
                Known::No => {}
                Known::Same(ids) => return Ok(repeated(ctx, view, ids)),
                Known::Other(ids) => return Err(self.conflict(ctx, view, ids)),
            }
        }
        let launch = Launch::prepare(ctx, view, &self.order())?;
        let request = placement::request(
            &launch.spec,
            &launch.group,
            launch.launch_type,
            &self.placement.constraints,
            &self.placement.strategies,
        )
        .map_err(|error| read_placement::not_valid(&error))?;
        let cluster = launch.cluster.name.as_str();
        let mut fleets = ctx.placements.fleets();
        let fleet = fleets.current(view, cluster);
        if let Some(response) = self.nowhere(fleet)? {
            return Ok(response);
        }
        let placed = scheduler::place(fleet, &request, self.count, ctx.ids.next_u64());
        let response = self.commit_to(ctx, view, change, &launch, fleet, &placed);
        let chosen = placed.chosen.iter().filter_map(|ordinal| fleet.get(*ordinal));
        let chosen: Vec<String> = chosen.map(|instance| instance.id.clone()).collect();
        fleets.assumed(cluster, chosen);
        Ok(response)
    }

    /// The answer where no instance is even worth looking at.
    fn nowhere(&self, fleet: &Fleet) -> Result<Option<RunTaskResponse>, ApiError> {
        let isolating = |instance: &scheduler::Instance| {
            instance.launch_types.contains(&scheduler::LaunchType::Fargate)
        };
        match self.launch_type {
            LaunchType::Fargate if !fleet.iter().any(|(_, one)| isolating(one)) => {
                Ok(Some(RunTaskResponse {
                    failures: Some(vec![types::Failure {
                        arn: None,
                        reason: Some("FARGATE".to_owned()),
                        detail: Some(
                            "no instance isolates FARGATE tasks: start portcullis with \
                         `--fargate-isolation container`, or use launch type EC2"
                                .to_owned(),
                        ),
                    }]),
                    tasks: Some(Vec::new()),
                }))
            }
            LaunchType::Ec2 | LaunchType::External if fleet.is_empty() => {
                Err(invalid_parameter("No Container Instances were found in your cluster."))
            }
            LaunchType::Fargate | LaunchType::Ec2 | LaunchType::External => Ok(None),
        }
    }

    fn commit_to(
        &self,
        ctx: &EcsContext,
        view: &View,
        change: &mut Change,
        launch: &Launch<'_>,
        fleet: &Fleet,
        placed: &Placement,
    ) -> RunTaskResponse {
        let instances = placed.chosen.iter().filter_map(|ordinal| fleet.get(*ordinal));
        let tasks: Vec<domain::Task> =
            instances.map(|instance| launch.task(ctx, instance.id.clone())).collect();
        for task in &tasks {
            change.create(task);
            change.fence(&task.container_instance, view.fence(&task.container_instance));
        }
        if !tasks.is_empty() {
            change.require(launch.cluster);
            if let Some(token) = &self.token {
                let ids = tasks.iter().map(|task| task.id.clone()).collect();
                token.remember(view, change, ids, ctx.now());
            }
        }
        let failures = placed
            .failures
            .iter()
            .map(|failure| render::failure::placement(&ctx.scope, &launch.cluster.name, failure));
        RunTaskResponse {
            failures: Some(failures.collect()),
            tasks: Some(
                tasks.iter().map(|task| render::task::task(view, &ctx.scope, task, true)).collect(),
            ),
        }
    }

    fn order(&self) -> Order<'_> {
        let input = self.input;
        Order {
            cluster: input.cluster.as_deref(),
            task_definition: input.task_definition.as_deref(),
            launch_type: self.launch_type,
            group: input.group.as_deref(),
            started_by: input.started_by.as_deref(),
            overrides: input.overrides.as_ref(),
            network_configuration: input.network_configuration.as_ref(),
            tags: &self.tags,
            propagate_tags: input.propagate_tags.as_ref(),
            enable_ecs_managed_tags: input.enable_ecs_managed_tags.unwrap_or(false),
            enable_execute_command: input.enable_execute_command.unwrap_or(false),
            client_token: input.client_token.as_deref(),
        }
    }

    fn conflict(&self, ctx: &EcsContext, view: &View, ids: &[String]) -> ApiError {
        let cluster = name::cluster_name(self.input.cluster.as_deref());
        let arns: Vec<String> = ids
            .iter()
            .map(|id| {
                let cluster = view.task(id).map_or(cluster, |task| task.cluster.as_str());
                arn::task(&ctx.scope, cluster, id)
            })
            .collect();
        conflict_exception(
            "The provided clientToken is already in use with a different RunTask request.",
        )
        .with_field("resourceIds", arns)
    }
}

/// The cluster's instances with what their tasks leave.
pub(crate) fn fleet(view: &View, instances: &[&ContainerInstance]) -> Fleet {
    let tasks = instances
        .iter()
        .flat_map(|instance| view.tasks_on(&instance.id))
        .map(|row| row.value.as_ref());
    placement::fleet(instances.iter().copied(), tasks)
}

/// The tasks that the same request made before, as they are now.
fn repeated(ctx: &EcsContext, view: &View, ids: &[String]) -> RunTaskResponse {
    let tasks = ids.iter().filter_map(|id| view.task(id));
    RunTaskResponse {
        failures: Some(Vec::new()),
        tasks: Some(tasks.map(|task| render::task::task(view, &ctx.scope, task, true)).collect()),
    }
}
