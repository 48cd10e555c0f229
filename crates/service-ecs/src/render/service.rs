//! Services as they are answered.

use std::collections::BTreeMap;

use api_ecs::types;
use base::Scope;
use domain::{
    CircuitBreaker, Deployment, DeploymentStatus, DesiredStatus, Document, FailureThreshold,
    LaunchType, PlacementConstraint, PlacementStrategy, Service, ServiceStatus, TaskStatus,
};
use state::View;
use wire::ApiError;

use crate::{arn, document, tag};

/// How many tasks there are, in the words of the API.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counts {
    /// Wanted to run, whatever they do now.
    pub(crate) wanted: u32,
    /// RUNNING.
    pub(crate) running: u32,
    /// On their way to RUNNING.
    pub(crate) pending: u32,
}

impl Counts {
    fn add(&mut self, last_status: TaskStatus, desired_status: DesiredStatus) {
        let one = |count: &mut u32| *count = count.saturating_add(1);
        if last_status == TaskStatus::Stopped {
            return;
        }
        if desired_status == DesiredStatus::Running {
            one(&mut self.wanted);
        }
        match last_status {
            TaskStatus::Running => one(&mut self.running),
            TaskStatus::Provisioning | TaskStatus::Pending | TaskStatus::Activating => {
                one(&mut self.pending);
            }
            TaskStatus::Deactivating
            | TaskStatus::Stopping
            | TaskStatus::Deprovisioning
            | TaskStatus::Stopped => {}
        }
    }
}

/// The tasks of a service, by the deployment that started them.
pub(crate) fn counts<'a>(
    view: &'a View,
    cluster: &str,
    service: &str,
) -> BTreeMap<&'a str, Counts> {
    let mut counts: BTreeMap<&str, Counts> = BTreeMap::new();
    for task in view.tasks_of_service(cluster, service) {
        let deployment = task.value.started_by.as_deref().unwrap_or_default();
        counts.entry(deployment).or_default().add(task.last_status, task.desired_status);
    }
    counts
}

/// A count as the API has it.
pub(crate) fn count(count: u32) -> Option<i32> {
    i32::try_from(count).ok()
}

/// A service; its tags only where they are asked for.
pub(crate) fn service(
    view: &View,
    scope: &Scope,
    service: &Service,
    with_tags: bool,
) -> types::Service {
    let given: types::Service = document::read(&service.document);
    let counts = counts(view, &service.cluster, &service.name);
    let total = |of: fn(&Counts) -> u32| counts.values().map(of).fold(0, u32::saturating_add);
    let deployments = service.deployments.iter();
    let deployments =
        deployments.map(|one| deployment(scope, service, &given, one, &counts)).collect();
    let events = service.events.iter().map(|event| types::ServiceEvent {
        created_at: Some(event.created_at),
        id: Some(event.id.clone()),
        message: Some(event.message.clone()),
    });
    let (cluster, name) = (&service.cluster, &service.name);
    types::Service {
        availability_zone_rebalancing: Some(types::AvailabilityZoneRebalancing::Disabled),
        cluster_arn: Some(arn::cluster(scope, cluster)),
        created_at: Some(service.created_at),
        created_by: Some(service.created_by.clone()),
        current_service_deployment: service
            .primary()
            .map(|one| arn::service_deployment(scope, cluster, name, &one.service_deployment_id)),
        current_service_revisions: Some(current_revisions(scope, service, &counts)),
        deployment_configuration: Some(deployment_configuration(service)),
        deployment_controller: Some(types::DeploymentController {
            r#type: Some(types::DeploymentControllerType::Ecs),
        }),
        deployments: Some(deployments),
        desired_count: count(service.desired_count),
        enable_ecs_managed_tags: Some(service.enable_ecs_managed_tags),
        enable_execute_command: Some(service.enable_execute_command),
        events: Some(events.collect()),
        health_check_grace_period_seconds: count(service.health_check_grace_period_seconds),
        launch_type: Some(service.launch_type.as_str().into()),
        load_balancers: Some(Vec::new()),
        pending_count: count(total(|counts| counts.pending)),
        placement_constraints: Some(
            service.placement_constraints.iter().map(placement_constraint).collect(),
        ),
        placement_strategy: Some(
            service.placement_strategy.iter().map(placement_strategy).collect(),
        ),
        platform_family: platform_family(service.launch_type),
        propagate_tags: Some(service.propagate_tags.as_str().into()),
        running_count: count(total(|counts| counts.running)),
        scheduling_strategy: Some(service.scheduling_strategy.as_str().into()),
        service_arn: Some(arn::service(scope, cluster, name)),
        service_name: Some(name.clone()),
        service_registries: Some(Vec::new()),
        status: Some(service.status.as_str().to_owned()),
        tags: with_tags.then(|| tag::render(&service.tags)),
        task_definition: Some(arn::task_definition(scope, &service.task_definition)),
        ..given
    }
}

fn platform_family(launch_type: LaunchType) -> Option<String> {
    (launch_type == LaunchType::Fargate).then(|| "Linux".to_owned())
}

/// The revisions that have tasks, or shall have.
fn current_revisions(
    scope: &Scope,
    service: &Service,
    counts: &BTreeMap<&str, Counts>,
) -> Vec<types::ServiceCurrentRevisionSummary> {
    if service.status == ServiceStatus::Inactive {
        return Vec::new();
    }
    let (cluster, name) = (&service.cluster, &service.name);
    let deployments = service.deployments.iter();
    deployments
        .map(|one| {
            let own = counts.get(one.id.as_str()).copied().unwrap_or_default();
            types::ServiceCurrentRevisionSummary {
                arn: Some(arn::service_revision(scope, cluster, name, &one.service_revision_id)),
                pending_task_count: count(own.pending),
                requested_task_count: count(requested(service, one, own)),
                running_task_count: count(own.running),
            }
        })
        .collect()
}

/// The newest deployment shall have the service's count, older ones what they still have.
fn requested(service: &Service, deployment: &Deployment, own: Counts) -> u32 {
    match deployment.status {
        DeploymentStatus::Primary => service.desired_count,
        DeploymentStatus::Active => own.wanted,
    }
}

fn deployment(
    scope: &Scope,
    service: &Service,
    given: &types::Service,
    deployment: &Deployment,
    counts: &BTreeMap<&str, Counts>,
) -> types::Deployment {
    let own = counts.get(deployment.id.as_str()).copied().unwrap_or_default();
    types::Deployment {
        created_at: Some(deployment.created_at),
        desired_count: count(requested(service, deployment, own)),
        failed_tasks: count(deployment.failed_tasks),
        id: Some(deployment.id.clone()),
        launch_type: Some(deployment.launch_type.as_str().into()),
        network_configuration: given.network_configuration.clone(),
        pending_count: count(own.pending),
        platform_family: platform_family(deployment.launch_type),
        platform_version: given.platform_version.clone(),
        rollout_state: Some(deployment.rollout_state.as_str().into()),
        rollout_state_reason: Some(deployment.rollout_state_reason.clone()),
        running_count: count(own.running),
        status: Some(deployment.status.as_str().to_owned()),
        task_definition: Some(arn::task_definition(scope, &deployment.task_definition)),
        updated_at: Some(deployment.updated_at),
        ..types::Deployment::default()
    }
}

/// `deploymentConfiguration`, defaults filled in.
fn deployment_configuration(service: &Service) -> types::DeploymentConfiguration {
    let configuration = &service.deployment_configuration;
    types::DeploymentConfiguration {
        bake_time_in_minutes: Some(0),
        deployment_circuit_breaker: Some(circuit_breaker(configuration.circuit_breaker)),
        maximum_percent: count(configuration.maximum_percent),
        minimum_healthy_percent: count(configuration.minimum_healthy_percent),
        strategy: Some(types::DeploymentStrategy::Rolling),
        ..types::DeploymentConfiguration::default()
    }
}

/// The same as a service deployment keeps it.
pub(crate) fn deployment_configuration_document(service: &Service) -> Result<Document, ApiError> {
    document::write(&deployment_configuration(service))
}

fn circuit_breaker(breaker: Option<CircuitBreaker>) -> types::DeploymentCircuitBreaker {
    let Some(breaker) = breaker else {
        return types::DeploymentCircuitBreaker {
            enable: Some(false),
            rollback: Some(false),
            ..types::DeploymentCircuitBreaker::default()
        };
    };
    let (r#type, value) = match breaker.threshold {
        FailureThreshold::BoundedPercent(percent) => {
            (types::ThresholdType::BoundedPercent, percent)
        }
        FailureThreshold::UnboundedPercent(percent) => {
            (types::ThresholdType::UnboundedPercent, percent)
        }
        FailureThreshold::Count(failures) => (types::ThresholdType::Count, failures),
    };
    types::DeploymentCircuitBreaker {
        enable: Some(true),
        reset_on_healthy_task: Some(breaker.reset_on_healthy_task),
        rollback: Some(breaker.rollback),
        threshold_configuration: Some(types::ThresholdConfiguration {
            r#type: Some(r#type),
            value: count(value),
        }),
    }
}

fn placement_constraint(constraint: &PlacementConstraint) -> types::PlacementConstraint {
    match constraint {
        PlacementConstraint::DistinctInstance => types::PlacementConstraint {
            r#type: Some(types::PlacementConstraintType::DistinctInstance),
            expression: None,
        },
        PlacementConstraint::MemberOf(expression) => types::PlacementConstraint {
            r#type: Some(types::PlacementConstraintType::MemberOf),
            expression: Some(expression.clone()),
        },
    }
}

fn placement_strategy(strategy: &PlacementStrategy) -> types::PlacementStrategy {
    let (r#type, field) = match strategy {
        PlacementStrategy::Random => (types::PlacementStrategyType::Random, None),
        PlacementStrategy::Spread(field) => (types::PlacementStrategyType::Spread, Some(field)),
        PlacementStrategy::Binpack(field) => (types::PlacementStrategyType::Binpack, Some(field)),
    };
    types::PlacementStrategy { r#type: Some(r#type), field: field.cloned() }
}
