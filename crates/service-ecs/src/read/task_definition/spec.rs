//! What the product acts on, out of a definition that was found good.

use api_ecs::types::{
    self, ContainerCondition, ContainerDefinition, RegisterTaskDefinitionRequest,
};
use domain::{
    ContainerSpec, DependencyCondition, DependsOn, HealthCheck, LinuxParameters, LogConfiguration,
    MountPoint, NetworkMode, PortMapping, RestartPolicy, TaskSpec, Tmpfs, Ulimit, Volume,
};

use super::{Surroundings, network};

/// How long a container must have run to be restarted, in seconds (the ECS model's default).
const RESTART_ATTEMPT_PERIOD_SECONDS: u32 = 300;

/// The whole task.
pub(super) fn task(
    input: &RegisterTaskDefinitionRequest,
    surroundings: Surroundings<'_>,
    compatible_with_fargate: bool,
) -> TaskSpec {
    let constraints = input.placement_constraints.as_deref().unwrap_or_default();
    let role = |arn: &Option<String>| arn.clone().filter(|arn| !arn.is_empty());
    TaskSpec {
        containers: surroundings
            .containers
            .iter()
            .map(|definition| container(definition, surroundings.network_mode))
            .collect(),
        volumes: surroundings
            .volumes
            .iter()
            .map(|volume| Volume { name: volume.name.clone().unwrap_or_default() })
            .collect(),
        network_mode: surroundings.network_mode,
        cpu_units: surroundings.cpu_units,
        memory_mib: surroundings.memory_mib,
        task_role_arn: role(&input.task_role_arn),
        execution_role_arn: role(&input.execution_role_arn),
        ephemeral_storage_mib: input
            .ephemeral_storage
            .as_ref()
            .and_then(|storage| unsigned(storage.size_in_gi_b))
            .map(|gib| gib.saturating_mul(1024)),
        compatible_with_ec2: true,
        compatible_with_fargate,
        placement_expressions: constraints
            .iter()
            .filter_map(|constraint| constraint.expression.clone())
            .collect(),
    }
}

fn unsigned(value: Option<i32>) -> Option<u32> {
    value.and_then(|value| u32::try_from(value).ok())
}

fn text(value: Option<&String>) -> Option<String> {
    value.filter(|text| !text.is_empty()).cloned()
}

fn container(definition: &ContainerDefinition, network_mode: NetworkMode) -> ContainerSpec {
    let environment = definition.environment.as_deref().unwrap_or_default();
    let mounts = definition.mount_points.as_deref().unwrap_or_default();
    let sources = definition.volumes_from.as_deref().unwrap_or_default();
    ContainerSpec {
        name: definition.name.clone().unwrap_or_default(),
        image: definition.image.clone().unwrap_or_default(),
        cpu_units: unsigned(definition.cpu).unwrap_or(0),
        memory_mib: unsigned(definition.memory),
        memory_reservation_mib: unsigned(definition.memory_reservation),
        essential: definition.essential.unwrap_or(true),
        entry_point: definition.entry_point.clone().unwrap_or_default(),
        command: definition.command.clone().unwrap_or_default(),
        environment: environment
            .iter()
            .map(|pair| {
                (pair.name.clone().unwrap_or_default(), pair.value.clone().unwrap_or_default())
            })
            .collect(),
        secret_names: secret_names(definition),
        working_directory: text(definition.working_directory.as_ref()),
        user: text(definition.user.as_ref()),
        hostname: text(definition.hostname.as_ref()),
        extra_hosts: extra_hosts(definition),
        depends_on: depends_on(definition),
        start_timeout_seconds: unsigned(definition.start_timeout),
        stop_timeout_seconds: unsigned(definition.stop_timeout),
        health_check: definition.health_check.as_ref().map(health_check),
        restart_policy: restart_policy(definition),
        port_mappings: port_mappings(definition, network_mode),
        mount_points: mounts
            .iter()
            .map(|mount| MountPoint {
                source_volume: mount.source_volume.clone().unwrap_or_default(),
                container_path: mount.container_path.clone().unwrap_or_default(),
                read_only: mount.read_only.unwrap_or(false),
            })
            .collect(),
        volumes_from: sources
            .iter()
            .map(|from| {
                (from.source_container.clone().unwrap_or_default(), from.read_only.unwrap_or(false))
            })
            .collect(),
        ulimits: ulimits(definition),
        linux: linux(definition),
        read_only_root: definition.readonly_root_filesystem.unwrap_or(false),
        system_controls: definition
            .system_controls
            .as_deref()
            .unwrap_or_default()
            .iter()
            .map(|control| {
                (
                    control.namespace.clone().unwrap_or_default(),
                    control.value.clone().unwrap_or_default(),
                )
            })
            .collect(),
        log_configuration: definition.log_configuration.as_ref().map(|logs| LogConfiguration {
            log_driver: logs.log_driver.as_ref().map(ToString::to_string).unwrap_or_default(),
            options: logs.options.clone().unwrap_or_default(),
        }),
    }
}

/// What the container needs from a store of secrets or files: it must not start without.
fn secret_names(definition: &ContainerDefinition) -> Vec<String> {
    let secrets = definition.secrets.as_deref().unwrap_or_default();
    let files = definition.environment_files.as_deref().unwrap_or_default();
    let secrets = secrets.iter().filter_map(|secret| secret.name.clone());
    secrets.chain(files.iter().filter_map(|file| file.value.clone())).collect()
}

/// `extraHosts`, and the linked containers: all containers of a task share its loopback interface.
fn extra_hosts(definition: &ContainerDefinition) -> Vec<(String, String)> {
    let given = definition.extra_hosts.as_deref().unwrap_or_default().iter().map(|entry| {
        (entry.hostname.clone().unwrap_or_default(), entry.ip_address.clone().unwrap_or_default())
    });
    let mut hosts: Vec<(String, String)> = given.collect();
    for link in definition.links.as_deref().unwrap_or_default() {
        let (name, alias) = network::link_parts(link);
        hosts.push((alias.to_owned(), "127.0.0.1".to_owned()));
        if name != alias {
            hosts.push((name.to_owned(), "127.0.0.1".to_owned()));
        }
    }
    hosts
}

/// `dependsOn`, and START for every link.
fn depends_on(definition: &ContainerDefinition) -> Vec<DependsOn> {
    let given = definition.depends_on.as_deref().unwrap_or_default();
    let mut all: Vec<DependsOn> = given
        .iter()
        .map(|dependency| DependsOn {
            container_name: dependency.container_name.clone().unwrap_or_default(),
            condition: match dependency.condition {
                Some(ContainerCondition::Complete) => DependencyCondition::Complete,
                Some(ContainerCondition::Success) => DependencyCondition::Success,
                Some(ContainerCondition::Healthy) => DependencyCondition::Healthy,
                Some(ContainerCondition::Start | ContainerCondition::Unrecognized(_)) | None => {
                    DependencyCondition::Start
                }
            },
        })
        .collect();
    for link in definition.links.as_deref().unwrap_or_default() {
        let (name, _) = network::link_parts(link);
        if !all.iter().any(|dependency| dependency.container_name == name) {
            let condition = DependencyCondition::Start;
            all.push(DependsOn { container_name: name.to_owned(), condition });
        }
    }
    all
}

fn health_check(check: &types::HealthCheck) -> HealthCheck {
    let command = check.command.as_deref().unwrap_or_default();
    let argv = match command.split_first() {
        Some((form, rest)) if form == "CMD-SHELL" => {
            let shell = ["/bin/sh".to_owned(), "-c".to_owned()];
            shell.into_iter().chain(rest.iter().cloned()).collect()
        }
        Some((_, rest)) => rest.to_vec(),
        None => Vec::new(),
    };
    HealthCheck {
        argv,
        interval_seconds: unsigned(check.interval).unwrap_or(30),
        timeout_seconds: unsigned(check.timeout).unwrap_or(5),
        retries: unsigned(check.retries).unwrap_or(3),
        start_period_seconds: unsigned(check.start_period).unwrap_or(0),
    }
}

fn restart_policy(definition: &ContainerDefinition) -> Option<RestartPolicy> {
    let policy =
        definition.restart_policy.as_ref().filter(|policy| policy.enabled == Some(true))?;
    Some(RestartPolicy {
        ignored_exit_codes: policy.ignored_exit_codes.clone().unwrap_or_default(),
        attempt_period_seconds: unsigned(policy.restart_attempt_period)
            .unwrap_or(RESTART_ATTEMPT_PERIOD_SECONDS),
    })
}

/// The mappings, one port each.
fn port_mappings(definition: &ContainerDefinition, network_mode: NetworkMode) -> Vec<PortMapping> {
    let mut all = Vec::new();
    for mapping in definition.port_mappings.as_deref().unwrap_or_default() {
        let Some((first, last)) = network::container_ports(mapping) else { continue };
        for container_port in first..=last {
            let host_port = match network_mode {
                NetworkMode::Awsvpc | NetworkMode::Host => Some(container_port),
                NetworkMode::Bridge | NetworkMode::None => mapping
                    .host_port
                    .and_then(|port| u16::try_from(port).ok())
                    .filter(|port| *port > 0),
            };
            all.push(PortMapping {
                name: mapping.name.clone(),
                container_port,
                host_port,
                protocol: network::protocol(mapping),
            });
        }
    }
    all
}

/// `ulimits`; -1 is no limit.
fn ulimits(definition: &ContainerDefinition) -> Vec<Ulimit> {
    let limit = |value: Option<i32>| u64::try_from(value.unwrap_or(0)).unwrap_or(u64::MAX);
    let given = definition.ulimits.as_deref().unwrap_or_default().iter();
    given
        .map(|ulimit| Ulimit {
            name: ulimit.name.as_ref().map(ToString::to_string).unwrap_or_default(),
            soft: limit(ulimit.soft_limit),
            hard: limit(ulimit.hard_limit),
        })
        .collect()
}

fn linux(definition: &ContainerDefinition) -> LinuxParameters {
    let Some(given) = &definition.linux_parameters else { return LinuxParameters::default() };
    let capabilities = given.capabilities.clone().unwrap_or_default();
    let tmpfs = given.tmpfs.as_deref().unwrap_or_default();
    LinuxParameters {
        capabilities_add: capabilities.add.unwrap_or_default(),
        capabilities_drop: capabilities.drop.unwrap_or_default(),
        init_process: given.init_process_enabled.unwrap_or(false),
        shared_memory_size_mib: unsigned(given.shared_memory_size),
        tmpfs: tmpfs
            .iter()
            .map(|one| Tmpfs {
                container_path: one.container_path.clone().unwrap_or_default(),
                size_mib: unsigned(one.size).unwrap_or(0),
                mount_options: one.mount_options.clone().unwrap_or_default(),
            })
            .collect(),
    }
}
