//! `CreateService`: a service and its first deployment. The reconciler does everything after that.

use api_ecs::ops::CreateService;
use api_ecs::types::{self, CreateServiceRequest, CreateServiceResponse};
use domain::{LaunchType, SchedulingStrategy, Service, ServiceStatus, Tags, TaskDefinition};
use policy::{Access, Authorized, Caller};
use state::{Change, View};
use wire::ApiError;

use crate::client_token::{Known, Token};
use crate::error::invalid_parameter;
use crate::read::placement::Placement;
use crate::read::service::refuse_unsupported;
use crate::read::{self, launch};
use crate::{EcsContext, access, document, name, render, rollout, tag};

pub(crate) fn accesses(
    ctx: &EcsContext,
    _caller: &Caller,
    input: &CreateServiceRequest,
) -> Vec<Access> {
    access::create_service(ctx, &ctx.state.view(), input)
}

pub(crate) async fn execute(
    ctx: &EcsContext,
    call: Authorized<CreateService>,
) -> Result<CreateServiceResponse, ApiError> {
    let created_by = &call.caller().principal.arn;
    let creation = Creation::read(call.input())?;
    let input = call.input();
    let service = ctx
        .commit(|view, change| {
            let needed = || access::create_service(ctx, view, input);
            let definition = input.task_definition.as_deref();
            access::ask_again::<CreateService>(call.caller(), definition, needed)?;
            creation.perform(ctx, created_by, view, change)
        })
        .await?;
    Ok(CreateServiceResponse { service: Some(service) })
}

/// What can be said of a call without the state.
struct Creation<'a> {
    input: &'a CreateServiceRequest,
    name: &'a str,
    launch_type: LaunchType,
    platform_version: Option<String>,
    strategy: SchedulingStrategy,
    desired_count: u32,
    placement: Placement,
    tags: Tags,
    token: Option<Token>,
}

impl<'a> Creation<'a> {
    fn read(input: &'a CreateServiceRequest) -> Result<Self, ApiError> {
        refuse_unsupported!(input);
        if input.role.as_deref().is_some_and(|role| !role.is_empty()) {
            return Err(launch::unsupported(
                "role is for load balancers, which are not supported: leave it out.",
            ));
        }
        let service_name = input.service_name.as_deref().unwrap_or_default();
        name::check(service_name, "service")?;
        let launch_type = launch::launch_type(input.launch_type.as_ref())?;
        let strategy =
            read::service::scheduling_strategy(input.scheduling_strategy.as_ref(), launch_type)?;
        let desired_count = read::service::desired_count(input.desired_count, strategy)?;
        if strategy == SchedulingStrategy::Replica && desired_count.is_none() {
            return Err(invalid_parameter(
                "desiredCount is required for the REPLICA scheduling strategy.",
            ));
        }
        let placement = read::placement::read(
            input.placement_constraints.as_ref(),
            input.placement_strategy.as_ref(),
            launch_type,
        )?;
        if strategy == SchedulingStrategy::Daemon && !placement.strategies.is_empty() {
            return Err(invalid_parameter(
                "The daemon scheduling strategy does not support placement strategies.",
            ));
        }
        let cluster = name::cluster_name(input.cluster.as_deref());
        Ok(Self {
            name: service_name,
            platform_version: launch::platform_version(
                input.platform_version.as_deref(),
                launch_type,
            )?,
            desired_count: desired_count.unwrap_or(0),
            tags: tag::read(input.tags.clone())?,
            token: Token::read("CreateService", cluster, input.client_token.as_deref(), input)?,
            launch_type,
            strategy,
            placement,
            input,
        })
    }

    fn perform(
        &self,
        ctx: &EcsContext,
        created_by: &str,
        view: &View,
        change: &mut Change,
    ) -> Result<types::Service, ApiError> {
        let cluster = name::cluster(view, &ctx.scope, self.input.cluster.as_deref())?;
        let existing = view.service(&cluster.name, self.name);
        let alive = existing.filter(|service| service.status == ServiceStatus::Active);
        let known = self.token.as_ref().map_or(Known::No, |token| token.look_up(view));
        match (known, alive) {
            (Known::Same(_), Some(service)) => {
                return Ok(render::service::service(view, &ctx.scope, service, true));
            }
            (Known::Other(_), _) | (Known::No, Some(_)) => {
                return Err(invalid_parameter("Creation of service was not idempotent."));
            }
            (Known::No | Known::Same(_), None) => {}
        }
        if existing.is_some_and(|service| service.status == ServiceStatus::Draining) {
            return Err(invalid_parameter("Unable to Start a service that is still Draining."));
        }
        let definition = launch::task_definition(ctx, view, self.input.task_definition.as_deref())?;
        launch::check_compatible(&definition.spec, self.launch_type)?;
        launch::check_network_configuration(
            self.input.network_configuration.as_ref(),
            &definition.spec,
            self.launch_type,
        )?;
        let mut service = self.service(ctx, &cluster.name, definition, created_by)?;
        rollout::begin(ctx, change, &mut service, definition)?;
        change.put(existing, &service);
        change.require(cluster);
        if let Some(token) = &self.token {
            token.remember(view, change, vec![service.name.clone()], ctx.now());
        }
        Ok(render::service::service(view, &ctx.scope, &service, true))
    }

    fn service(
        &self,
        ctx: &EcsContext,
        cluster: &str,
        definition: &TaskDefinition,
        created_by: &str,
    ) -> Result<Service, ApiError> {
        let input = self.input;
        let grace_period = input.health_check_grace_period_seconds.unwrap_or(0);
        Ok(Service {
            name: self.name.to_owned(),
            cluster: cluster.to_owned(),
            status: ServiceStatus::Active,
            scheduling_strategy: self.strategy,
            desired_count: self.desired_count,
            task_definition: definition.id.clone(),
            launch_type: self.launch_type,
            deployment_configuration: read::service::deployment_configuration(
                input.deployment_configuration.as_ref(),
                &read::service::default_configuration(self.strategy),
                self.strategy,
            )?,
            placement_constraints: self.placement.constraints.clone(),
            placement_strategy: self.placement.strategies.clone(),
            health_check_grace_period_seconds: read::service::health_check_grace_period(
                grace_period,
            )?,
            deployments: Vec::new(),
            events: Vec::new(),
            steady: false,
            document: document::write(&types::Service {
                network_configuration: input.network_configuration.clone(),
                platform_version: self.platform_version.clone(),
                ..types::Service::default()
            })?,
            propagate_tags: read::service::propagate_tags(input.propagate_tags.as_ref()).to_owned(),
            enable_ecs_managed_tags: input.enable_ecs_managed_tags.unwrap_or(false),
            enable_execute_command: input.enable_execute_command.unwrap_or(false),
            tags: self.tags.clone(),
            created_at: ctx.now(),
            created_by: created_by.to_owned(),
            deleted_at: None,
        })
    }
}
