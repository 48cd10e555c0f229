//! Container instances as they are answered.

use std::collections::BTreeSet;

use api_ecs::types::{
    self, Attribute, ContainerInstanceField, ContainerInstanceHealthStatus,
    InstanceHealthCheckResult, InstanceHealthCheckState, InstanceHealthCheckType, Resource,
    VersionInfo,
};
use domain::{ContainerInstance, Task, TaskStatus};
use scheduler::Protocol;
use state::View;

use crate::{EcsContext, arn, tag};

/// An instance with the parts in `include`.
pub(crate) fn described(
    ctx: &EcsContext,
    view: &View,
    instance: &ContainerInstance,
    include: &[ContainerInstanceField],
) -> types::ContainerInstance {
    let tasks: Vec<&Task> = view.tasks_on(&instance.id).map(|task| task.value.as_ref()).collect();
    let counted = placement::instance(instance, &tasks);
    let count = |wanted: fn(TaskStatus) -> bool| {
        i32::try_from(tasks.iter().filter(|task| wanted(task.last_status)).count()).ok()
    };
    let reserved = instance.registered.ports.iter().map(|(port, protocol)| (*port, *protocol));
    let reserved: BTreeSet<(u16, &str)> =
        reserved.map(|(port, protocol)| (port, protocol.as_str())).collect();
    let used: BTreeSet<(u16, &str)> =
        counted.used_host_ports.iter().map(|(port, protocol)| (*port, protocol.as_str())).collect();
    let attributes = instance.attributes.iter().map(|(name, value)| Attribute {
        name: Some(name.clone()),
        value: value.clone(),
        ..Attribute::default()
    });
    types::ContainerInstance {
        container_instance_arn: Some(arn::container_instance(
            &ctx.scope,
            &instance.cluster,
            &instance.id,
        )),
        ec2_instance_id: Some(instance.ec2_instance_id.clone()),
        version: i64::try_from(instance.version).ok(),
        version_info: Some(VersionInfo {
            agent_version: Some(instance.agent_version.clone()),
            ..VersionInfo::default()
        }),
        registered_resources: Some(resources(counted.total, &reserved)),
        remaining_resources: Some(resources(counted.remaining, &used)),
        status: Some(instance.status.as_str().to_owned()),
        status_reason: instance.status_reason.clone(),
        agent_connected: Some(instance.agent_connected),
        running_tasks_count: count(|status| status == TaskStatus::Running),
        pending_tasks_count: count(|status| status < TaskStatus::Running),
        attributes: Some(attributes.collect()),
        registered_at: Some(instance.registered_at),
        attachments: Some(Vec::new()),
        tags: Some(match include.contains(&ContainerInstanceField::Tags) {
            true => tag::render(&instance.tags),
            false => Vec::new(),
        }),
        health_status: include
            .contains(&ContainerInstanceField::ContainerInstanceHealth)
            .then(|| health(instance)),
        ..types::ContainerInstance::default()
    }
}

/// CPU, MEMORY, PORTS and PORTS_UDP, in ECS's shape: every member of every kind is there.
fn resources(amounts: scheduler::Resources, ports: &BTreeSet<(u16, &str)>) -> Vec<Resource> {
    let number = |name: &str, value: u32| Resource {
        name: Some(name.to_owned()),
        r#type: Some("INTEGER".to_owned()),
        double_value: Some(0.0),
        long_value: Some(0),
        integer_value: Some(i32::try_from(value).unwrap_or(i32::MAX)),
        string_set_value: None,
    };
    let set = |name: &str, protocol: Protocol| Resource {
        name: Some(name.to_owned()),
        r#type: Some("STRINGSET".to_owned()),
        double_value: Some(0.0),
        long_value: Some(0),
        integer_value: Some(0),
        string_set_value: Some(
            ports
                .iter()
                .filter(|(_, used)| *used == protocol.as_str())
                .map(|(port, _)| port.to_string())
                .collect(),
        ),
    };
    vec![
        number("CPU", amounts.cpu_units),
        number("MEMORY", amounts.memory_mib),
        set("PORTS", Protocol::Tcp),
        set("PORTS_UDP", Protocol::Udp),
    ]
}

/// What is known of the instance's health: whether its agent can be reached.
fn health(instance: &ContainerInstance) -> ContainerInstanceHealthStatus {
    let state = match instance.agent_connected {
        true => InstanceHealthCheckState::Ok,
        false => InstanceHealthCheckState::Impaired,
    };
    ContainerInstanceHealthStatus {
        overall_status: Some(state.clone()),
        details: Some(vec![InstanceHealthCheckResult {
            r#type: Some(InstanceHealthCheckType::AgentConnectivity),
            status: Some(state),
            ..InstanceHealthCheckResult::default()
        }]),
    }
}
