//! Tasks and the order of their states.

use base::{IdSource, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    Document, LaunchType, NetworkMode, Protocol, Tags, TaskDefinitionId, TaskOverride, TaskSpec,
};

/// Where a task is. It only ever moves down this list:
///
/// ```text
/// PROVISIONING → PENDING → ACTIVATING → RUNNING → DEACTIVATING → STOPPING → DEPROVISIONING → STOPPED
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum TaskStatus {
    /// Work before launch.
    Provisioning,
    /// Waits for its node.
    Pending,
    /// Launched, not yet announced as running.
    Activating,
    /// Runs.
    Running,
    /// Being taken out of what sends it work.
    Deactivating,
    /// Stop signal sent, or about to be.
    Stopping,
    /// Containers gone, network being taken down.
    Deprovisioning,
    /// Over.
    Stopped,
}

impl TaskStatus {
    /// ECS's spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Provisioning => "PROVISIONING",
            Self::Pending => "PENDING",
            Self::Activating => "ACTIVATING",
            Self::Running => "RUNNING",
            Self::Deactivating => "DEACTIVATING",
            Self::Stopping => "STOPPING",
            Self::Deprovisioning => "DEPROVISIONING",
            Self::Stopped => "STOPPED",
        }
    }
}

/// What is wanted of a task. Goes from RUNNING to STOPPED once, never back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum DesiredStatus {
    /// Should run.
    Running,
    /// Should stop, or has stopped.
    Stopped,
}

impl DesiredStatus {
    /// ECS's spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Stopped => "STOPPED",
        }
    }
}

/// Health of a task or a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum HealthStatus {
    /// Not checked, or not checked yet.
    #[default]
    Unknown,
    /// The last checks passed.
    Healthy,
    /// The last checks failed.
    Unhealthy,
}

impl HealthStatus {
    /// ECS's spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "UNKNOWN",
            Self::Healthy => "HEALTHY",
            Self::Unhealthy => "UNHEALTHY",
        }
    }
}

/// Why a task stopped, as a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum StopCode {
    /// Never ran.
    TaskFailedToStart,
    /// A container without which the task has no purpose ended.
    EssentialContainerExited,
    /// `StopTask`.
    UserInitiated,
    /// Scale-in, deployment or replacement by a service.
    ServiceSchedulerInitiated,
    /// The node went away.
    InfrastructureHealth,
}

impl StopCode {
    /// ECS's spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TaskFailedToStart => "TaskFailedToStart",
            Self::EssentialContainerExited => "EssentialContainerExited",
            Self::UserInitiated => "UserInitiated",
            Self::ServiceSchedulerInitiated => "ServiceSchedulerInitiated",
            Self::InfrastructureHealth => "InfrastructureHealth",
        }
    }
}

/// Where a container is. It moves down this list, and from STOPPED back to PENDING only when its
/// restart policy starts it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub enum ContainerStatus {
    /// Not running yet.
    #[default]
    Pending,
    /// Runs.
    Running,
    /// Ended, or never to start.
    Stopped,
}

impl ContainerStatus {
    /// ECS's spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Running => "RUNNING",
            Self::Stopped => "STOPPED",
        }
    }
}

/// A port of a container as it is published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkBinding {
    /// Address on the host.
    pub bind_ip: String,
    /// Port inside the container.
    pub container_port: u16,
    /// Port on the host.
    pub host_port: u16,
    /// Transport protocol.
    pub protocol: Protocol,
}

/// A container of a task, as its node last told. Writer: the node's reports, but for `id`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TaskContainer {
    /// Name in the task definition.
    pub name: String,
    /// A UUID: the last part of the container's ARN. Written when the task is made.
    pub id: String,
    /// Image reference of the definition.
    pub image: String,
    /// Digest of the image's manifest, once resolved.
    pub image_digest: Option<String>,
    /// Identifier in the runtime, once created.
    pub runtime_id: Option<String>,
    /// See [`ContainerStatus`].
    pub last_status: ContainerStatus,
    /// Exit code, once stopped; 128 + signal when a signal ended it. Absent if it never ran.
    pub exit_code: Option<i32>,
    /// Why it is not running, where there is something to say.
    pub reason: Option<String>,
    /// Health by the definition's health check.
    pub health_status: HealthStatus,
    /// Published ports.
    pub network_bindings: Vec<NetworkBinding>,
    /// How often the restart policy started it again.
    pub restart_count: u32,
}

/// `protectionEnabled` of a service's task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Protection {
    /// Not stopped by scale-in or a deployment before this moment.
    pub expires_at: Timestamp,
}

/// A task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// 32 hexadecimal digits.
    pub id: String,
    /// Name of the cluster.
    pub cluster: String,
    /// The revision it runs.
    pub task_definition: TaskDefinitionId,
    /// Changes of the definition for this task.
    pub overrides: TaskOverride,
    /// `overrides` in wire form, as given.
    pub overrides_document: Document,
    /// `family:FAMILY`, `service:NAME`, or as given; fixed.
    pub group: String,
    /// Free text, or the deployment's id for a service's task; fixed.
    pub started_by: Option<String>,
    /// Name of the service it belongs to; fixed.
    pub service: Option<String>,
    /// Where it runs; fixed.
    pub launch_type: LaunchType,
    /// The instance it was placed on; fixed.
    pub container_instance: String,
    /// CPU units reserved on the instance; fixed.
    pub reserved_cpu_units: u32,
    /// MiB of memory reserved on the instance; fixed.
    pub reserved_memory_mib: u32,
    /// Host ports reserved on the instance; fixed.
    pub reserved_ports: Vec<(u16, Protocol)>,
    /// Whether the task is part of a DAEMON service.
    pub daemon: bool,
    /// Whether commands may be executed in it.
    pub enable_execute_command: bool,
    /// `networkConfiguration` in wire form, as given.
    pub network_configuration: Option<Document>,
    /// Key by which a repeated request finds what the first one made.
    pub client_token: Option<String>,
    /// Tags.
    pub tags: Tags,
    /// When it was accepted.
    pub created_at: Timestamp,

    /// Writer: [`Task::request_stop`] (API, reconcilers) and [`Task::observe`] when the task ended
    /// by itself.
    pub desired_status: DesiredStatus,
    /// Writer: as `desired_status`; the first reason stays.
    pub stop_code: Option<StopCode>,
    /// Writer: as `desired_status`; the first reason stays.
    pub stopped_reason: Option<String>,
    /// When the stop was asked for.
    pub stopping_at: Option<Timestamp>,
    /// Writer: the ECS API.
    pub protection: Option<Protection>,

    /// Writer: the node's reports, through [`Task::observe`].
    pub last_status: TaskStatus,
    /// Writer: the node's reports.
    pub containers: Vec<TaskContainer>,
    /// Health by the essential containers' checks. Writer: the node's reports.
    pub health_status: HealthStatus,
    /// The task's own address. Writer: the node's reports.
    pub address: Option<String>,
    /// MAC address of its interface. Writer: the node's reports.
    pub mac_address: Option<String>,
    /// When the node began to fetch images. Writer: the node's reports.
    pub pull_started_at: Option<Timestamp>,
    /// When the images were there. Writer: the node's reports.
    pub pull_stopped_at: Option<Timestamp>,
    /// When it ran first. Writer: the node's reports.
    pub started_at: Option<Timestamp>,
    /// When its last container ended. Writer: the node's reports.
    pub execution_stopped_at: Option<Timestamp>,
    /// When it was over. Writer: the node's reports.
    pub stopped_at: Option<Timestamp>,
    /// Number of the last report taken in; older ones are ignored.
    pub report_sequence: u64,
    /// Rises by one with every change that emits an event.
    pub version: u64,
}

/// What a node says about one task. Complete: it replaces what was known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskObservation {
    /// Rises with every report of this task.
    pub sequence: u64,
    /// See [`TaskStatus`].
    pub last_status: TaskStatus,
    /// All containers of the task, in the definition's order.
    pub containers: Vec<TaskContainer>,
    /// Health by the essential containers' checks.
    pub health_status: HealthStatus,
    /// The task's own address.
    pub address: Option<String>,
    /// MAC address of its interface.
    pub mac_address: Option<String>,
    /// Why the task ends, when it does so by itself.
    pub stop: Option<(StopCode, String)>,
    /// When the node began to fetch images.
    pub pull_started_at: Option<Timestamp>,
    /// When the images were there.
    pub pull_stopped_at: Option<Timestamp>,
    /// When all containers ran first.
    pub started_at: Option<Timestamp>,
    /// When the last container ended.
    pub execution_stopped_at: Option<Timestamp>,
    /// When all was taken down.
    pub stopped_at: Option<Timestamp>,
}

/// A report that cannot be true.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TransitionError {
    /// A state before the one the task has.
    #[error(
        "task `{task}` cannot go back from {from} to {to}: the report is wrong or out of order"
    )]
    Backwards {
        /// The task's id.
        task: String,
        /// The state it has.
        from: &'static str,
        /// The state reported.
        to: &'static str,
    },
}

impl Task {
    /// Asks for the stop. The first code and reason stay; asking again changes nothing.
    ///
    /// Returns whether something changed.
    pub fn request_stop(&mut self, code: StopCode, reason: &str, now: Timestamp) -> bool {
        if self.desired_status == DesiredStatus::Stopped {
            return false;
        }
        self.desired_status = DesiredStatus::Stopped;
        self.stop_code = Some(code);
        self.stopped_reason = Some(reason.to_owned());
        self.stopping_at = Some(now);
        self.version = self.version.saturating_add(1);
        true
    }

    /// Takes in a node's report. A report that is not newer than the last one changes nothing.
    ///
    /// Returns whether something changed.
    ///
    /// # Errors
    ///
    /// [`TransitionError::Backwards`] when the report would move the task back; nothing changes.
    pub fn observe(
        &mut self,
        observation: TaskObservation,
        now: Timestamp,
    ) -> Result<bool, TransitionError> {
        if observation.sequence <= self.report_sequence {
            return Ok(false);
        }
        if observation.last_status < self.last_status {
            return Err(TransitionError::Backwards {
                task: self.id.clone(),
                from: self.last_status.as_str(),
                to: observation.last_status.as_str(),
            });
        }
        let version = self.version.saturating_add(1);
        if let Some((code, reason)) = &observation.stop {
            self.request_stop(*code, reason, now);
        }
        self.version = version;
        self.report_sequence = observation.sequence;
        self.last_status = observation.last_status;
        self.containers = observation.containers;
        self.health_status = observation.health_status;
        self.address = observation.address.or(self.address.take());
        self.mac_address = observation.mac_address.or(self.mac_address.take());
        self.pull_started_at = self.pull_started_at.or(observation.pull_started_at);
        self.pull_stopped_at = self.pull_stopped_at.or(observation.pull_stopped_at);
        self.started_at = self.started_at.or(observation.started_at);
        self.execution_stopped_at = self.execution_stopped_at.or(observation.execution_stopped_at);
        self.stopped_at = self.stopped_at.or(observation.stopped_at);
        Ok(true)
    }

    /// Whether it still holds its instance's resources: until it is STOPPED.
    pub fn holds_resources(&self) -> bool {
        self.last_status != TaskStatus::Stopped
    }

    /// Whether scale-in and deployments must leave it alone at `now`.
    pub fn is_protected(&self, now: Timestamp) -> bool {
        self.protection.is_some_and(|protection| protection.expires_at > now)
    }
}

/// What makes a task; all of it is fixed once the task is accepted.
#[derive(Debug, Clone)]
pub struct NewTask<'a> {
    /// Name of the cluster.
    pub cluster: &'a str,
    /// The revision to run.
    pub task_definition: &'a TaskDefinitionId,
    /// Its specification with the overrides applied.
    pub spec: &'a TaskSpec,
    /// `family:FAMILY`, `service:NAME`, or as given.
    pub group: String,
    /// Where it runs.
    pub launch_type: LaunchType,
    /// The instance it was placed on.
    pub container_instance: String,
    /// When it is accepted.
    pub now: Timestamp,
}

impl NewTask<'_> {
    /// The task as it begins: PROVISIONING where an interface has to be attached first (awsvpc),
    /// PENDING else. What is optional is empty; the caller fills it in.
    pub fn accept(self, ids: &dyn IdSource) -> Task {
        let containers = self.spec.containers.iter().map(|container| TaskContainer {
            name: container.name.clone(),
            id: ids.uuid(),
            image: container.image.clone(),
            ..TaskContainer::default()
        });
        let last_status = match self.spec.network_mode {
            NetworkMode::Awsvpc => TaskStatus::Provisioning,
            NetworkMode::Bridge | NetworkMode::None | NetworkMode::Host => TaskStatus::Pending,
        };
        Task {
            id: ids.hex32(),
            cluster: self.cluster.to_owned(),
            task_definition: self.task_definition.clone(),
            overrides: TaskOverride::default(),
            overrides_document: Document::default(),
            group: self.group,
            started_by: None,
            service: None,
            launch_type: self.launch_type,
            container_instance: self.container_instance,
            reserved_cpu_units: self.spec.reserved_cpu_units(),
            reserved_memory_mib: self.spec.reserved_memory_mib(),
            reserved_ports: self.spec.fixed_host_ports().collect(),
            daemon: false,
            enable_execute_command: false,
            network_configuration: None,
            client_token: None,
            tags: Tags::new(),
            created_at: self.now,
            desired_status: DesiredStatus::Running,
            stop_code: None,
            stopped_reason: None,
            stopping_at: None,
            protection: None,
            last_status,
            containers: containers.collect(),
            health_status: HealthStatus::Unknown,
            address: None,
            mac_address: None,
            pull_started_at: None,
            pull_stopped_at: None,
            started_at: None,
            execution_stopped_at: None,
            stopped_at: None,
            report_sequence: 0,
            version: 1,
        }
    }
}

#[cfg(test)]
mod tests;
