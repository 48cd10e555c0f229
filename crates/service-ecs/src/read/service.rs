//! What services are given.

use api_ecs::types;
use domain::{
    CircuitBreaker, DeploymentConfiguration, FailureThreshold, LaunchType, SchedulingStrategy,
};
use wire::ApiError;

use crate::error::invalid_parameter;
use crate::read::launch::{refuse, unsupported};

/// The most tasks of a service.
const MAX_DESIRED_COUNT: u32 = 5000;

/// Scheduling strategy; REPLICA when none is given.
pub(crate) fn scheduling_strategy(
    given: Option<&types::SchedulingStrategy>,
    launch_type: LaunchType,
) -> Result<SchedulingStrategy, ApiError> {
    match given {
        None | Some(types::SchedulingStrategy::Replica) => Ok(SchedulingStrategy::Replica),
        Some(types::SchedulingStrategy::Daemon) if launch_type == LaunchType::Fargate => {
            Err(invalid_parameter(
                "The daemon scheduling strategy does not support the FARGATE launch type: use EC2.",
            ))
        }
        Some(types::SchedulingStrategy::Daemon) => Ok(SchedulingStrategy::Daemon),
        Some(types::SchedulingStrategy::Unrecognized(text)) => {
            Err(invalid_parameter(format!("Unknown scheduling strategy `{text}`.")))
        }
    }
}

/// The desired count where one is given; a DAEMON service has none to give.
pub(crate) fn desired_count(
    given: Option<i32>,
    strategy: SchedulingStrategy,
) -> Result<Option<u32>, ApiError> {
    match (strategy, given) {
        (_, None) => Ok(None),
        (SchedulingStrategy::Daemon, Some(_)) => Err(invalid_parameter(
            "The daemon scheduling strategy does not support a desired count: it follows the container instances.",
        )),
        (SchedulingStrategy::Replica, Some(count)) => u32::try_from(count)
            .ok()
            .filter(|count| *count <= MAX_DESIRED_COUNT)
            .map(Some)
            .ok_or_else(|| {
                invalid_parameter(format!(
                    "desiredCount must be between 0 and {MAX_DESIRED_COUNT}, not {count}."
                ))
            }),
    }
}

/// The health check grace period in seconds.
pub(crate) fn health_check_grace_period(given: i32) -> Result<u32, ApiError> {
    u32::try_from(given).map_err(|_| {
        invalid_parameter(format!(
            "healthCheckGracePeriodSeconds must be between 0 and 2147483647, not {given}."
        ))
    })
}

/// The name of where tasks take their tags from.
pub(crate) fn propagate_tags(given: Option<&types::PropagateTags>) -> &'static str {
    match given {
        Some(types::PropagateTags::Service) => "SERVICE",
        Some(types::PropagateTags::TaskDefinition) => "TASK_DEFINITION",
        Some(types::PropagateTags::None | types::PropagateTags::Unrecognized(_)) | None => "NONE",
    }
}

/// Only the ECS controller deploys services here.
pub(crate) fn deployment_controller(
    given: Option<&types::DeploymentController>,
) -> Result<(), ApiError> {
    match given.and_then(|given| given.r#type.as_ref()) {
        None | Some(types::DeploymentControllerType::Ecs) => Ok(()),
        Some(other) => Err(unsupported(&format!(
            "The deployment controller {other} is not supported: use ECS."
        ))),
    }
}

/// What a new service starts from.
pub(crate) fn default_configuration(strategy: SchedulingStrategy) -> DeploymentConfiguration {
    let (minimum_healthy_percent, maximum_percent) = match strategy {
        SchedulingStrategy::Replica => (100, 200),
        SchedulingStrategy::Daemon => (0, 100),
    };
    DeploymentConfiguration { minimum_healthy_percent, maximum_percent, circuit_breaker: None }
}

/// `current` with what is given over it.
///
/// A floor and a ceiling that leave a deployment no way to go on (100 and 100, say) are accepted,
/// as in ECS: the service's events report it.
pub(crate) fn deployment_configuration(
    given: Option<&types::DeploymentConfiguration>,
    current: &DeploymentConfiguration,
    strategy: SchedulingStrategy,
) -> Result<DeploymentConfiguration, ApiError> {
    let mut configuration = current.clone();
    let Some(given) = given else { return Ok(configuration) };
    refuse_strategies(given)?;
    if let Some(minimum) = given.minimum_healthy_percent {
        configuration.minimum_healthy_percent = percent("minimumHealthyPercent", minimum, 0, 100)?;
    }
    if let Some(maximum) = given.maximum_percent {
        configuration.maximum_percent = percent("maximumPercent", maximum, 100, 1000)?;
    }
    if strategy == SchedulingStrategy::Daemon && configuration.maximum_percent != 100 {
        return Err(invalid_parameter(
            "The daemon scheduling strategy does not support a maximumPercent other than 100.",
        ));
    }
    if let Some(breaker) = &given.deployment_circuit_breaker {
        configuration.circuit_breaker = circuit_breaker(breaker)?;
    }
    Ok(configuration)
}

fn percent(name: &str, given: i32, least: u32, most: u32) -> Result<u32, ApiError> {
    u32::try_from(given).ok().filter(|given| (least..=most).contains(given)).ok_or_else(|| {
        invalid_parameter(format!("{name} must be between {least} and {most}, not {given}."))
    })
}

fn refuse_strategies(given: &types::DeploymentConfiguration) -> Result<(), ApiError> {
    match &given.strategy {
        None | Some(types::DeploymentStrategy::Rolling) => {}
        Some(other) => {
            return Err(unsupported(&format!(
                "The deployment strategy {other} is not supported: use ROLLING."
            )));
        }
    }
    let named = [
        ("alarms", given.alarms.as_ref().is_some_and(|alarms| alarms.enable == Some(true))),
        ("bakeTimeInMinutes", given.bake_time_in_minutes.is_some_and(|minutes| minutes != 0)),
        ("canaryConfiguration", given.canary_configuration.is_some()),
        ("linearConfiguration", given.linear_configuration.is_some()),
        ("earlySuccessCriteria", given.early_success_criteria.is_some()),
    ];
    if let Some((name, _)) = named.into_iter().find(|(_, given)| *given) {
        return Err(unsupported(&format!(
            "deploymentConfiguration.{name} is not supported: use deploymentCircuitBreaker to end a failing deployment."
        )));
    }
    refuse(
        given.lifecycle_hooks.as_ref(),
        "deploymentConfiguration.lifecycleHooks are not supported: leave them out.",
    )
}

fn circuit_breaker(
    given: &types::DeploymentCircuitBreaker,
) -> Result<Option<CircuitBreaker>, ApiError> {
    let threshold = given.threshold_configuration.as_ref().map(threshold).transpose()?;
    if given.enable != Some(true) {
        return Ok(None);
    }
    Ok(Some(CircuitBreaker {
        rollback: given.rollback.unwrap_or(false),
        threshold: threshold.unwrap_or(FailureThreshold::BoundedPercent(50)),
        reset_on_healthy_task: given.reset_on_healthy_task.unwrap_or(true),
    }))
}

fn threshold(given: &types::ThresholdConfiguration) -> Result<FailureThreshold, ApiError> {
    let value = given.value.unwrap_or_default();
    let between = |most: u32| percent("thresholdConfiguration.value", value, 1, most);
    match &given.r#type {
        Some(types::ThresholdType::Count) => Ok(FailureThreshold::Count(between(10_000)?)),
        Some(types::ThresholdType::BoundedPercent) => {
            Ok(FailureThreshold::BoundedPercent(between(100)?))
        }
        Some(types::ThresholdType::UnboundedPercent) => {
            Ok(FailureThreshold::UnboundedPercent(between(100)?))
        }
        Some(types::ThresholdType::Unrecognized(_)) | None => Err(invalid_parameter(
            "thresholdConfiguration.type must be COUNT, BOUNDED_PERCENT or UNBOUNDED_PERCENT.",
        )),
    }
}

/// Members of CreateService and UpdateService that would be accepted without effect.
macro_rules! refuse_unsupported {
    ($input:expr) => {{
        use $crate::read::launch::{refuse, unsupported};
        refuse(
            $input.capacity_provider_strategy.as_ref(),
            "Capacity provider strategies are not supported: use launchType.",
        )?;
        refuse(
            $input.load_balancers.as_ref(),
            "Load balancers are not supported: publish ports with portMappings.",
        )?;
        refuse(
            $input.service_registries.as_ref(),
            "Service discovery registries are not supported: publish ports with portMappings.",
        )?;
        refuse(
            $input.volume_configurations.as_ref(),
            "Volumes configured at launch are not supported: use volumes of the task definition.",
        )?;
        refuse(
            $input.vpc_lattice_configurations.as_ref(),
            "VPC Lattice is not supported: publish ports with portMappings.",
        )?;
        refuse($input.gateway_connectors.as_ref(), "Gateway connectors are not supported.")?;
        if $input.monitoring.is_some() {
            return Err(unsupported("monitoring is not supported: leave it out."));
        }
        let connect = $input.service_connect_configuration.as_ref();
        if connect.is_some_and(|connect| connect.enabled == Some(true)) {
            return Err(unsupported(
                "Service Connect is not supported: publish ports with portMappings.",
            ));
        }
        let rebalancing = $input.availability_zone_rebalancing.as_ref();
        if rebalancing == Some(&api_ecs::types::AvailabilityZoneRebalancing::Enabled) {
            return Err(unsupported(
                "Availability zone rebalancing is not supported: use DISABLED and a spread placement strategy.",
            ));
        }
        $crate::read::service::deployment_controller($input.deployment_controller.as_ref())?;
    }};
}
pub(crate) use refuse_unsupported;
