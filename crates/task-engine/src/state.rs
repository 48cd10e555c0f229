//! What the node remembers of a task, and what can happen to it.

use base::Timestamp;
use domain::{HealthStatus, NetworkBinding, StopCode};
use serde::{Deserialize, Serialize};

/// All that the node persists about one task. Written by [`crate::apply`] and [`crate::plan`] only.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskState {
    /// Namespaces and network of the task.
    pub sandbox: SandboxPhase,
    /// Containers in the definition's order.
    pub containers: Vec<ContainerState>,
    /// Whether all images are resolved.
    pub images_resolved: bool,
    /// Why the task ends by itself; the first reason stays.
    pub stop: Option<(StopCode, String)>,
    /// Whether the task has been RUNNING.
    pub has_run: bool,
    /// The task's own address.
    pub address: Option<String>,
    /// MAC address of its interface.
    pub mac_address: Option<String>,
    /// When images were first looked for.
    pub pull_started_at: Option<Timestamp>,
    /// When all images were there.
    pub pull_stopped_at: Option<Timestamp>,
    /// When all containers had started.
    pub started_at: Option<Timestamp>,
    /// When the last container ended.
    pub execution_stopped_at: Option<Timestamp>,
    /// When all was taken down.
    pub stopped_at: Option<Timestamp>,
}

/// Where the task's namespaces and network are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum SandboxPhase {
    /// Not made yet.
    Absent,
    /// There.
    Ready,
    /// Taken down for good.
    Removed,
}

/// Where a container is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ContainerPhase {
    /// For its dependencies, the images or the sandbox.
    Waiting,
    /// Being created and started.
    Starting,
    /// Its process runs.
    Running,
    /// Sent its stop signal; killed at this moment.
    Stopping {
        /// When patience ends.
        kill_at: Timestamp,
    },
    /// Ended, or never to start.
    Stopped,
}

/// One container of the task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ContainerState {
    /// Name in the definition.
    pub name: String,
    /// UUID, the last part of its ARN.
    pub id: String,
    /// See [`ContainerPhase`].
    pub phase: ContainerPhase,
    /// Counts starts from 1; 0 before the first. Names the runtime's container.
    pub attempt: u32,
    /// Digest of the image's manifest.
    pub image_digest: Option<String>,
    /// Identifier in the runtime.
    pub runtime_id: Option<String>,
    /// Exit code of the last run.
    pub exit_code: Option<i32>,
    /// Why it is not running.
    pub reason: Option<String>,
    /// When the current or last run started.
    pub started_at: Option<Timestamp>,
    /// When the last run ended.
    pub stopped_at: Option<Timestamp>,
    /// Health of the current run.
    pub health: Health,
    /// Published ports.
    pub network_bindings: Vec<NetworkBinding>,
}

/// Health of one run of a container.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Health {
    /// What the checks say.
    pub status: HealthStatus,
    /// Failures that counted, since the last success.
    pub failures_in_a_row: u32,
    /// When the last check ended.
    pub probed_at: Option<Timestamp>,
}

impl TaskState {
    /// The state of a task of which nothing has happened; `containers` are names and ids in the
    /// definition's order.
    pub fn new(containers: impl IntoIterator<Item = (String, String)>) -> Self {
        Self {
            sandbox: SandboxPhase::Absent,
            containers: containers
                .into_iter()
                .map(|(name, id)| ContainerState::new(name, id))
                .collect(),
            images_resolved: false,
            stop: None,
            has_run: false,
            address: None,
            mac_address: None,
            pull_started_at: None,
            pull_stopped_at: None,
            started_at: None,
            execution_stopped_at: None,
            stopped_at: None,
        }
    }

    /// The container called `name`.
    pub fn container(&self, name: &str) -> Option<&ContainerState> {
        self.containers.iter().find(|container| container.name == name)
    }

    /// Whether every container has ended or will never start.
    pub fn all_stopped(&self) -> bool {
        self.containers.iter().all(|container| container.phase == ContainerPhase::Stopped)
    }

    /// The task has been RUNNING once every container has started, or has failed to without taking
    /// the task along.
    pub(crate) fn note_running(&mut self, at: Timestamp) {
        let settled = self
            .containers
            .iter()
            .all(|container| container.has_run() || container.phase == ContainerPhase::Stopped);
        if settled && !self.has_run && self.stop.is_none() {
            self.has_run = true;
            self.started_at = Some(at);
        }
    }

    pub(crate) fn stop_with(&mut self, code: StopCode, reason: String) {
        self.stop.get_or_insert((code, reason));
    }
}

impl ContainerState {
    fn new(name: String, id: String) -> Self {
        Self {
            name,
            id,
            phase: ContainerPhase::Waiting,
            attempt: 0,
            image_digest: None,
            runtime_id: None,
            exit_code: None,
            reason: None,
            started_at: None,
            stopped_at: None,
            health: Health::default(),
            network_bindings: Vec::new(),
        }
    }

    pub(crate) fn stop_before_start(&mut self, reason: &str, now: Timestamp) {
        self.phase = ContainerPhase::Stopped;
        self.reason = Some(reason.to_owned());
        self.stopped_at = Some(now);
    }

    /// Whether its process may be alive.
    pub fn may_be_alive(&self) -> bool {
        match self.phase {
            ContainerPhase::Starting
            | ContainerPhase::Running
            | ContainerPhase::Stopping { .. } => true,
            ContainerPhase::Waiting | ContainerPhase::Stopped => false,
        }
    }

    /// Whether it has run at least once.
    pub fn has_run(&self) -> bool {
        self.started_at.is_some()
    }
}

/// Something that happened to a task. Containers are named by their index in the definition.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// All images are there; digests in the containers' order.
    ImagesResolved {
        /// Manifest digests.
        digests: Vec<String>,
    },
    /// An image is not to be had. `reason` begins with ECS's error name.
    ImageFailed {
        /// Index of the container.
        container: usize,
        /// What, where, why and what to do.
        reason: String,
    },
    /// Namespaces and network are there.
    SandboxReady {
        /// The task's address, unless it has only a loopback interface.
        address: Option<String>,
        /// MAC address of its interface.
        mac_address: Option<String>,
        /// Published ports: index of the container, and the binding.
        bindings: Vec<(usize, NetworkBinding)>,
    },
    /// Namespaces or network could not be made, or are gone. `reason` begins with ECS's error name.
    SandboxFailed {
        /// What, where, why and what to do.
        reason: String,
    },
    /// Everything of the task is taken down.
    SandboxRemoved,
    /// A container's process runs.
    ContainerStarted {
        /// Index of the container.
        container: usize,
        /// Which start.
        attempt: u32,
        /// Identifier in the runtime.
        runtime_id: String,
        /// When.
        at: Timestamp,
    },
    /// A container could not be created or started. `reason` begins with ECS's error name.
    ContainerFailed {
        /// Index of the container.
        container: usize,
        /// Which start.
        attempt: u32,
        /// What, where, why and what to do.
        reason: String,
    },
    /// A container's process ended.
    ContainerExited {
        /// Index of the container.
        container: usize,
        /// Which start.
        attempt: u32,
        /// Exit code; 128 + signal when a signal ended it.
        exit_code: i32,
        /// Something to say besides the code, such as `OutOfMemoryError: …`.
        reason: Option<String>,
        /// When.
        at: Timestamp,
    },
    /// A health check ended.
    HealthProbed {
        /// Index of the container.
        container: usize,
        /// Which start.
        attempt: u32,
        /// Whether it passed.
        passed: bool,
        /// When.
        at: Timestamp,
    },
}

/// A container that the runtime has, as found after a restart of the agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundContainer {
    /// Index of the container.
    pub container: usize,
    /// Which start.
    pub attempt: u32,
    /// Identifier in the runtime.
    pub runtime_id: String,
    /// When its process started.
    pub started_at: Timestamp,
    /// Exit code, a word about it, and when; `None` while it runs.
    pub exit: Option<(i32, Option<String>, Timestamp)>,
}
