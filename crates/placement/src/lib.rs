//! From domain records to the plain data that the scheduler works on.
//!
//! RunTask, StartTask and the service reconcilers place tasks through here, so that all of them
//! count resources in the same way.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    ContainerInstance, ContainerInstanceStatus, LaunchType, PlacementConstraint, PlacementStrategy,
    Protocol, Task, TaskSpec,
};
use scheduler::{
    Constraint, Fleet, Instance, InstanceStatus, Query, QueryError, Request, Resources, Strategies,
    Strategy, StrategyError,
};

/// Why a placement constraint or strategy cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlacementError {
    /// A `memberOf` expression is wrong.
    #[error("the placement constraint expression `{expression}` is not valid")]
    Expression {
        /// The expression as given.
        expression: String,
        /// What is wrong with it, and where.
        #[source]
        source: QueryError,
    },
    /// A strategy is wrong.
    #[error("the placement strategy is not valid")]
    Strategy(#[source] StrategyError),
}

/// The instances of a cluster as the scheduler sees them. `tasks` are those that are not STOPPED,
/// of any cluster; only those on one of the instances count.
pub fn fleet<'a>(
    instances: impl IntoIterator<Item = &'a ContainerInstance>,
    tasks: impl IntoIterator<Item = &'a Task>,
) -> Fleet {
    let mut tasks_by_instance: BTreeMap<&str, Vec<&Task>> = BTreeMap::new();
    for task in tasks {
        if task.holds_resources() {
            tasks_by_instance.entry(&task.container_instance).or_default().push(task);
        }
    }
    let mut fleet = Fleet::default();
    for record in instances {
        let tasks = tasks_by_instance.get(record.id.as_str()).map_or(&[][..], Vec::as_slice);
        fleet.upsert(instance(record, tasks));
    }
    fleet
}

/// What is left of an instance for new tasks; the `remainingResources` of the API.
pub fn instance(record: &ContainerInstance, tasks: &[&Task]) -> Instance {
    let mut remaining = Resources {
        cpu_units: record.registered.cpu_units,
        memory_mib: record.registered.memory_mib,
        gpus: 0,
    };
    let total = remaining;
    let mut used_host_ports: BTreeSet<_> = record
        .registered
        .ports
        .iter()
        .map(|(port, protocol)| (*port, port_protocol(*protocol)))
        .collect();
    let mut tasks_by_group: BTreeMap<String, u32> = BTreeMap::new();
    for task in tasks {
        remaining.cpu_units = remaining.cpu_units.saturating_sub(task.reserved_cpu_units);
        remaining.memory_mib = remaining.memory_mib.saturating_sub(task.reserved_memory_mib);
        used_host_ports.extend(
            task.reserved_ports.iter().map(|(port, protocol)| (*port, port_protocol(*protocol))),
        );
        let count = tasks_by_group.entry(task.group.clone()).or_default();
        *count = count.saturating_add(1);
    }
    let mut launch_types =
        BTreeSet::from([scheduler::LaunchType::Ec2, scheduler::LaunchType::External]);
    if record.fargate_isolation.is_some() {
        launch_types.insert(scheduler::LaunchType::Fargate);
    }
    Instance {
        id: record.id.clone(),
        ec2_instance_id: Some(record.ec2_instance_id.clone()),
        status: match record.status {
            ContainerInstanceStatus::Active => InstanceStatus::Active,
            ContainerInstanceStatus::Draining => InstanceStatus::Draining,
            ContainerInstanceStatus::Inactive => InstanceStatus::Inactive,
        },
        agent_connected: record.agent_connected,
        agent_version: record.agent_version.clone(),
        registered_at: record.registered_at,
        attributes: record.attributes.clone(),
        launch_types,
        total,
        remaining,
        used_host_ports,
        running_tasks: u32::try_from(tasks.len()).unwrap_or(u32::MAX),
        tasks_by_group,
    }
}

/// What one task of `spec` asks of an instance. `constraints` are the service's or the call's; those
/// of the task definition are added.
///
/// # Errors
///
/// [`PlacementError`] when an expression or a strategy is wrong.
pub fn request(
    spec: &TaskSpec,
    group: &str,
    launch_type: LaunchType,
    constraints: &[PlacementConstraint],
    strategies: &[PlacementStrategy],
) -> Result<Request, PlacementError> {
    let own = spec.placement_expressions.iter().cloned().map(PlacementConstraint::MemberOf);
    let constraints: Result<Vec<_>, _> =
        own.chain(constraints.iter().cloned()).map(constraint).collect();
    let strategies: Result<Vec<_>, _> = strategies.iter().map(strategy).collect();
    Ok(Request {
        group: group.to_owned(),
        resources: Resources {
            cpu_units: spec.reserved_cpu_units(),
            memory_mib: spec.reserved_memory_mib(),
            gpus: 0,
        },
        host_ports: spec
            .fixed_host_ports()
            .map(|(port, protocol)| (port, port_protocol(protocol)))
            .collect(),
        launch_type: match launch_type {
            LaunchType::Ec2 => scheduler::LaunchType::Ec2,
            LaunchType::Fargate => scheduler::LaunchType::Fargate,
            LaunchType::External => scheduler::LaunchType::External,
        },
        required_attributes: BTreeMap::new(),
        constraints: constraints?,
        strategies: Strategies::try_from(strategies.map_err(PlacementError::Strategy)?)
            .map_err(PlacementError::Strategy)?,
    })
}

/// Reads one constraint.
///
/// # Errors
///
/// [`PlacementError::Expression`].
pub fn constraint(constraint: PlacementConstraint) -> Result<Constraint, PlacementError> {
    match constraint {
        PlacementConstraint::DistinctInstance => Ok(Constraint::DistinctInstance),
        PlacementConstraint::MemberOf(expression) => match Query::parse(&expression) {
            Ok(query) => Ok(Constraint::MemberOf(query)),
            Err(source) => Err(PlacementError::Expression { expression, source }),
        },
    }
}

/// Reads one strategy.
///
/// # Errors
///
/// What the scheduler says of an unknown type or field.
pub fn strategy(given: &PlacementStrategy) -> Result<Strategy, StrategyError> {
    match given {
        PlacementStrategy::Random => Ok(Strategy::Random),
        PlacementStrategy::Spread(field) => Strategy::parse("spread", field),
        PlacementStrategy::Binpack(field) => Strategy::parse("binpack", field),
    }
}

fn port_protocol(protocol: Protocol) -> scheduler::Protocol {
    match protocol {
        Protocol::Tcp => scheduler::Protocol::Tcp,
        Protocol::Udp => scheduler::Protocol::Udp,
    }
}

#[cfg(test)]
mod tests;
