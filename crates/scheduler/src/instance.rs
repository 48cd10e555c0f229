//! What the scheduler knows about one container instance.

use std::collections::{BTreeMap, BTreeSet};

use base::Timestamp;

/// A container instance's status, as ECS names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum InstanceStatus {
    /// Joining; takes no tasks yet.
    Registering,
    /// Could not join.
    RegistrationFailed,
    /// Takes tasks. The only status that does.
    Active,
    /// Keeps its standalone tasks, loses its service tasks, takes no new ones.
    Draining,
    /// Leaving.
    Deregistering,
    /// Gone.
    Inactive,
}

impl InstanceStatus {
    /// The status as the API spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Registering => "REGISTERING",
            Self::RegistrationFailed => "REGISTRATION_FAILED",
            Self::Active => "ACTIVE",
            Self::Draining => "DRAINING",
            Self::Deregistering => "DEREGISTERING",
            Self::Inactive => "INACTIVE",
        }
    }
}

/// The transport protocol of a host port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

impl Protocol {
    /// The protocol as the API spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}

/// A launch type a task asks for and an instance offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LaunchType {
    /// On a container instance of the cluster.
    Ec2,
    /// Isolated; on instances that say they can.
    Fargate,
    /// On a machine outside the cloud (ECS Anywhere).
    External,
    /// On instances the control plane manages itself.
    ManagedInstances,
}

impl LaunchType {
    /// The launch type as the API spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ec2 => "EC2",
            Self::Fargate => "FARGATE",
            Self::External => "EXTERNAL",
            Self::ManagedInstances => "MANAGED_INSTANCES",
        }
    }
}

/// An amount of what tasks take from an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Resources {
    /// CPU; 1024 units are one virtual CPU.
    pub cpu_units: u32,
    /// Memory in MiB.
    pub memory_mib: u32,
    /// Whole GPUs.
    pub gpus: u32,
}

impl Resources {
    /// What is left after `taken`, never below zero.
    #[must_use]
    pub(crate) fn less(self, taken: Self) -> Self {
        Self {
            cpu_units: self.cpu_units.saturating_sub(taken.cpu_units),
            memory_mib: self.memory_mib.saturating_sub(taken.memory_mib),
            gpus: self.gpus.saturating_sub(taken.gpus),
        }
    }

    /// The sum with `given`, never above `limit`.
    #[must_use]
    pub(crate) fn plus_within(self, given: Self, limit: Self) -> Self {
        Self {
            cpu_units: self.cpu_units.saturating_add(given.cpu_units).min(limit.cpu_units),
            memory_mib: self.memory_mib.saturating_add(given.memory_mib).min(limit.memory_mib),
            gpus: self.gpus.saturating_add(given.gpus).min(limit.gpus),
        }
    }
}

/// One container instance as the scheduler sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// The container instance's id (32 hexadecimal digits in ECS; any unique text here).
    pub id: String,
    /// The machine's EC2 instance id, when it has one.
    pub ec2_instance_id: Option<String>,
    /// Only `ACTIVE` instances take tasks.
    pub status: InstanceStatus,
    /// Whether the agent can be reached now.
    pub agent_connected: bool,
    /// The agent's version, such as `1.105.1`.
    pub agent_version: String,
    /// When the instance registered.
    pub registered_at: Timestamp,
    /// Attributes: built-in, capability and custom. An attribute need not have a value.
    pub attributes: BTreeMap<String, Option<String>>,
    /// The launch types this instance can run.
    pub launch_types: BTreeSet<LaunchType>,
    /// What the instance has in all.
    pub total: Resources,
    /// What no task has taken.
    pub remaining: Resources,
    /// Host ports in use or reserved.
    pub used_host_ports: BTreeSet<(u16, Protocol)>,
    /// Tasks on the instance that have not stopped, PENDING ones included.
    pub running_tasks: u32,
    /// The same tasks counted by task group (`service:web`, `family:batch`).
    pub tasks_by_group: BTreeMap<String, u32>,
}

impl Instance {
    /// Tasks of `group` on this instance.
    pub(crate) fn tasks_of(&self, group: &str) -> u32 {
        self.tasks_by_group.get(group).copied().unwrap_or(0)
    }

    /// The value of an attribute, when the attribute is there and has one.
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.get(name).and_then(Option::as_deref)
    }
}
