//! `requiresAttributes`: what an agent must be able to do for a definition, in the names that the
//! ECS agent registers its capabilities under.

use std::collections::BTreeSet;

use api_ecs::types::{Attribute, ContainerDefinition, LogDriver, RegisterTaskDefinitionRequest};
use domain::NetworkMode;

use super::Surroundings;

/// The attributes that a definition requires, sorted.
pub(super) fn required(
    input: &RegisterTaskDefinitionRequest,
    surroundings: Surroundings<'_>,
) -> Vec<Attribute> {
    let mut names = BTreeSet::new();
    let mut require = |when: bool, name: &str| {
        if when {
            names.insert(name.to_owned());
        }
    };
    require(surroundings.network_mode == NetworkMode::Awsvpc, "ecs.capability.task-eni");
    require(
        surroundings.cpu_units.is_some() || surroundings.memory_mib.is_some(),
        "ecs.capability.task-cpu-mem-limit",
    );
    require(
        input.pid_mode.is_some() || input.ipc_mode.is_some(),
        "ecs.capability.pid-ipc-namespace-sharing",
    );
    if input.task_role_arn.is_some() {
        let host = surroundings.network_mode == NetworkMode::Host;
        require(host, "com.amazonaws.ecs.capability.task-iam-role-network-host");
        require(!host, "com.amazonaws.ecs.capability.task-iam-role");
    }
    for container in surroundings.containers {
        of_container(container, input.execution_role_arn.is_some(), &mut require);
    }
    let attribute = |name| Attribute { name: Some(name), ..Attribute::default() };
    names.into_iter().map(attribute).collect()
}

fn of_container(
    container: &ContainerDefinition,
    execution_role: bool,
    require: &mut impl FnMut(bool, &str),
) {
    if let Some(driver) =
        container.log_configuration.as_ref().and_then(|logs| logs.log_driver.as_ref())
    {
        require(true, &format!("com.amazonaws.ecs.capability.logging-driver.{driver}"));
        let awslogs = *driver == LogDriver::Awslogs;
        require(awslogs && execution_role, "ecs.capability.execution-role-awslogs");
        require(awslogs, "com.amazonaws.ecs.capability.docker-remote-api.1.19");
    }
    let from_registry = container.image.as_deref().is_some_and(|image| image.contains(".dkr.ecr."));
    require(from_registry, "com.amazonaws.ecs.capability.ecr-auth");
    require(from_registry && execution_role, "ecs.capability.execution-role-ecr-pull");
    require(container.health_check.is_some(), "ecs.capability.container-health-check");
    require(
        container.depends_on.as_ref().is_some_and(|list| !list.is_empty()),
        "ecs.capability.container-ordering",
    );
    require(container.restart_policy.is_some(), "ecs.capability.container-restart-policy");
    require(
        container.privileged == Some(true),
        "com.amazonaws.ecs.capability.privileged-container",
    );
    require(
        container.memory_reservation.is_some(),
        "com.amazonaws.ecs.capability.docker-remote-api.1.21",
    );
    require(
        container.environment_files.as_ref().is_some_and(|list| !list.is_empty()),
        "ecs.capability.env-files.s3",
    );
    for secret in container.secrets.as_deref().unwrap_or_default() {
        let manager =
            secret.value_from.as_deref().is_some_and(|from| from.contains(":secretsmanager:"));
        require(manager, "ecs.capability.secrets.asm.environment-variables");
        require(!manager, "ecs.capability.secrets.ssm.environment-variables");
    }
}
