//! Container instances: the ECS face of a node.

use std::collections::{BTreeMap, BTreeSet};

use base::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Protocol, Tags};

/// Life of a container instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ContainerInstanceStatus {
    /// Accepts tasks.
    Active,
    /// Accepts none; service tasks are moved away.
    Draining,
    /// Deregistered.
    Inactive,
}

impl ContainerInstanceStatus {
    /// ECS's spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Draining => "DRAINING",
            Self::Inactive => "INACTIVE",
        }
    }
}

/// Amounts that placement counts.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Resources {
    /// CPU units (1024 = one vCPU).
    pub cpu_units: u32,
    /// Memory in MiB.
    pub memory_mib: u32,
    /// Host ports that no task may use: those of the machine's own daemons.
    pub ports: BTreeSet<(u16, Protocol)>,
}

/// One node in a cluster.
///
/// What remains of its resources is not kept: it is the registered amount less what the tasks on
/// it reserve. Placements on it are serialised by its placement fence (see the `state` crate).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ContainerInstance {
    /// 32 hexadecimal digits.
    pub id: String,
    /// Name of the cluster.
    pub cluster: String,
    /// Writer: the ECS API.
    pub status: ContainerInstanceStatus,
    /// Why the status is what it is, where there is something to say.
    pub status_reason: Option<String>,
    /// Writer: the node link. Whether the agent is connected.
    pub agent_connected: bool,
    /// Writer: the node link.
    pub agent_version: String,
    /// Writer: the node link at registration.
    pub registered: Resources,
    /// Writers: the node link at registration (built-in), the ECS API (custom).
    pub attributes: BTreeMap<String, Option<String>>,
    /// When it was registered first.
    pub registered_at: Timestamp,
    /// Identifier of the machine in EC2's manner: `i-` and 17 hexadecimal digits.
    pub ec2_instance_id: String,
    /// Whether FARGATE tasks may be placed on it, and with which isolation.
    pub fargate_isolation: Option<String>,
    /// What runs below the tasks: kernel release, runtime, cgroup version. Shown to users.
    pub system: BTreeMap<String, String>,
    /// Tags.
    pub tags: Tags,
    /// Rises by one with every change of the instance that emits an event.
    pub version: u64,
}
