//! Tasks as they are answered.

use api_ecs::types;
use base::Scope;
use domain::{
    ContainerSpec, Document, LaunchType, NetworkMode, Protocol, Task, TaskContainer, TaskStatus,
};
use state::View;

use crate::{arn, document, tag};

/// The platform version that FARGATE tasks run on.
const PLATFORM_VERSION: &str = "1.4.0";

/// A task; its tags only where they are asked for.
pub(crate) fn task(view: &View, scope: &Scope, task: &Task, with_tags: bool) -> types::Task {
    let definition = view.task_definition(&task.task_definition);
    let instance = view.instance(&task.container_instance);
    let instance_attribute =
        |name: &str| instance.and_then(|row| row.attributes.get(name).cloned()?);
    let awsvpc = definition.is_some_and(|row| row.spec.network_mode == NetworkMode::Awsvpc);
    let interface = awsvpc.then(|| attachment_id(&task.id));
    let task_arn = arn::task(scope, &task.cluster, &task.id);
    let containers = task.containers.iter().map(|container| {
        let spec = definition.and_then(|row| row.spec.container(&container.name));
        self::container(scope, task, container, spec, &task_arn, interface.as_deref())
    });
    let fargate = task.launch_type == LaunchType::Fargate;
    let architecture = instance_attribute("ecs.cpu-architecture");
    types::Task {
        attachments: Some(interface.iter().map(|id| attachment(view, task, id)).collect()),
        attributes: Some(architecture.into_iter().map(architecture_attribute).collect()),
        availability_zone: instance_attribute("ecs.availability-zone"),
        cluster_arn: Some(arn::cluster(scope, &task.cluster)),
        connectivity: instance.map(|row| connectivity(row.agent_connected)),
        // The agent took it up then.
        connectivity_at: task.pull_started_at,
        container_instance_arn: (!fargate)
            .then(|| arn::container_instance(scope, &task.cluster, &task.container_instance)),
        containers: Some(containers.collect()),
        cpu: Some(task.reserved_cpu_units.to_string()),
        created_at: Some(task.created_at),
        desired_status: Some(task.desired_status.as_str().to_owned()),
        enable_execute_command: Some(task.enable_execute_command),
        ephemeral_storage: ephemeral_storage(
            task.overrides
                .ephemeral_storage_mib
                .or_else(|| definition.and_then(|row| row.spec.ephemeral_storage_mib)),
        ),
        execution_stopped_at: task.execution_stopped_at,
        group: Some(task.group.clone()),
        health_status: Some(task.health_status.as_str().into()),
        last_status: Some(task.last_status.as_str().to_owned()),
        launch_type: Some(task.launch_type.as_str().into()),
        memory: Some(task.reserved_memory_mib.to_string()),
        overrides: Some(overrides(task)),
        platform_family: fargate.then(|| "Linux".to_owned()),
        platform_version: fargate.then(|| PLATFORM_VERSION.to_owned()),
        pull_started_at: task.pull_started_at,
        pull_stopped_at: task.pull_stopped_at,
        started_at: task.started_at,
        started_by: task.started_by.clone(),
        stop_code: task.stop_code.map(|code| code.as_str().into()),
        stopped_at: task.stopped_at,
        stopped_reason: task.stopped_reason.clone(),
        stopping_at: task.stopping_at,
        tags: Some(if with_tags { tag::render(&task.tags) } else { Vec::new() }),
        task_arn: Some(task_arn),
        task_definition_arn: Some(arn::task_definition(scope, &task.task_definition)),
        version: i64::try_from(task.version).ok(),
        ..types::Task::default()
    }
}

fn architecture_attribute(value: String) -> types::Attribute {
    types::Attribute {
        name: Some("ecs.cpu-architecture".to_owned()),
        value: Some(value),
        ..types::Attribute::default()
    }
}

fn connectivity(agent_connected: bool) -> types::Connectivity {
    if agent_connected { types::Connectivity::Connected } else { types::Connectivity::Disconnected }
}

fn ephemeral_storage(mib: Option<u32>) -> Option<types::EphemeralStorage> {
    let size_in_gi_b = i32::try_from(mib? / 1024).ok();
    Some(types::EphemeralStorage { size_in_gi_b })
}

/// As given; a task without overrides names its containers.
fn overrides(task: &Task) -> types::TaskOverride {
    if !task.overrides_document.0.is_null() {
        return document::read(&task.overrides_document);
    }
    let containers = task.containers.iter().map(|container| types::ContainerOverride {
        name: Some(container.name.clone()),
        ..types::ContainerOverride::default()
    });
    types::TaskOverride {
        container_overrides: Some(containers.collect()),
        inference_accelerator_overrides: Some(Vec::new()),
        ..types::TaskOverride::default()
    }
}

fn container(
    scope: &Scope,
    task: &Task,
    container: &TaskContainer,
    spec: Option<&ContainerSpec>,
    task_arn: &str,
    interface: Option<&str>,
) -> types::Container {
    let changed = task.overrides.containers.iter().find(|changed| changed.name == container.name);
    let cpu = changed.and_then(|changed| changed.cpu_units).or(spec.map(|spec| spec.cpu_units));
    let memory = changed.and_then(|changed| changed.memory_mib).or_else(|| spec?.memory_mib);
    let reservation = changed
        .and_then(|changed| changed.memory_reservation_mib)
        .or_else(|| spec?.memory_reservation_mib);
    let interfaces =
        interface.zip(task.address.as_ref()).map(|(id, address)| types::NetworkInterface {
            attachment_id: Some(id.to_owned()),
            private_ipv4_address: Some(address.clone()),
            ipv6_address: None,
        });
    types::Container {
        container_arn: Some(arn::container(scope, &task.cluster, &task.id, &container.id)),
        cpu: cpu.map(|units| units.to_string()),
        exit_code: container.exit_code,
        health_status: Some(container.health_status.as_str().into()),
        image: Some(container.image.clone()),
        image_digest: container.image_digest.clone(),
        last_status: Some(container.last_status.as_str().to_owned()),
        memory: memory.map(|mib| mib.to_string()),
        memory_reservation: reservation.map(|mib| mib.to_string()),
        name: Some(container.name.clone()),
        network_bindings: Some(container.network_bindings.iter().map(network_binding).collect()),
        network_interfaces: Some(interfaces.into_iter().collect()),
        reason: container.reason.clone(),
        runtime_id: container.runtime_id.clone(),
        task_arn: Some(task_arn.to_owned()),
        ..types::Container::default()
    }
}

fn network_binding(binding: &domain::NetworkBinding) -> types::NetworkBinding {
    types::NetworkBinding {
        bind_ip: Some(binding.bind_ip.clone()),
        container_port: Some(i32::from(binding.container_port)),
        host_port: Some(i32::from(binding.host_port)),
        protocol: Some(match binding.protocol {
            Protocol::Tcp => types::TransportProtocol::Tcp,
            Protocol::Udp => types::TransportProtocol::Udp,
        }),
        ..types::NetworkBinding::default()
    }
}

/// A UUID of the task's interface that needs no keeping: the task's own 32 digits.
fn attachment_id(task_id: &str) -> String {
    let mut id = String::with_capacity(36);
    for (index, digit) in task_id.chars().enumerate() {
        if matches!(index, 8 | 12 | 16 | 20) {
            id.push('-');
        }
        id.push(digit);
    }
    id
}

/// The elastic network interface of an awsvpc task.
fn attachment(view: &View, task: &Task, id: &str) -> types::Attachment {
    let detail = |name: &str, value: String| types::KeyValuePair {
        name: Some(name.to_owned()),
        value: Some(value),
    };
    let interface: String = task.id.chars().take(17).collect();
    let mut details = Vec::with_capacity(4);
    details.extend(subnet(view, task).map(|subnet| detail("subnetId", subnet)));
    details.push(detail("networkInterfaceId", format!("eni-{interface}")));
    details.extend(task.mac_address.clone().map(|mac| detail("macAddress", mac)));
    details.extend(task.address.clone().map(|address| detail("privateIPv4Address", address)));
    let status = if task.last_status == TaskStatus::Stopped {
        "DELETED"
    } else if task.address.is_some() {
        "ATTACHED"
    } else {
        "PRECREATED"
    };
    types::Attachment {
        details: Some(details),
        id: Some(id.to_owned()),
        status: Some(status.to_owned()),
        r#type: Some("ElasticNetworkInterface".to_owned()),
    }
}

/// The first subnet that the task, or its service, was given.
fn subnet(view: &View, task: &Task) -> Option<String> {
    let first = |configuration: types::NetworkConfiguration| {
        configuration.awsvpc_configuration?.subnets?.into_iter().next()
    };
    if let Some(given) = &task.network_configuration {
        return first(document::read(given));
    }
    let service = view.service(&task.cluster, task.service.as_deref()?)?;
    let configuration = service.document.0.get("networkConfiguration")?;
    first(document::read(&Document(configuration.clone())))
}
