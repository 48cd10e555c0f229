//! The part of a task definition that the product acts on, typed and with defaults applied.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How a task is attached to the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum NetworkMode {
    /// Own namespace; port mappings publish on the host.
    Bridge,
    /// Own namespace and an address of its own that the host reaches at the mapped ports.
    Awsvpc,
    /// Own namespace with a loopback interface only.
    None,
    /// The host's namespace was asked for (`--guard audit` only); the task still gets its own.
    Host,
}

/// Transport protocol of a port mapping.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

impl Protocol {
    /// ECS's spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}

/// What a task needs and runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskSpec {
    /// Containers in the order of the definition; at least one is essential.
    pub containers: Vec<ContainerSpec>,
    /// Task-scoped volumes; each is an empty directory that lives as long as the task.
    pub volumes: Vec<Volume>,
    /// Network mode; bridge when the definition names none.
    pub network_mode: NetworkMode,
    /// Task-level CPU limit in CPU units (1024 = one vCPU).
    pub cpu_units: Option<u32>,
    /// Task-level memory limit in MiB.
    pub memory_mib: Option<u32>,
    /// ARN of the role the workload acts as.
    pub task_role_arn: Option<String>,
    /// ARN of the role the agent acts as for this task.
    pub execution_role_arn: Option<String>,
    /// Size limit of each container's writable layer in MiB (`ephemeralStorage`).
    pub ephemeral_storage_mib: Option<u32>,
    /// Whether the definition may run as EC2 and as FARGATE (`compatibilities`).
    pub compatible_with_ec2: bool,
    /// See [`TaskSpec::compatible_with_ec2`].
    pub compatible_with_fargate: bool,
    /// `memberOf` expressions of the definition.
    pub placement_expressions: Vec<String>,
}

impl TaskSpec {
    /// CPU units to reserve on an instance: the task's own limit, else the containers' sum.
    pub fn reserved_cpu_units(&self) -> u32 {
        self.cpu_units.unwrap_or_else(|| {
            self.containers.iter().fold(0, |sum, container| sum.saturating_add(container.cpu_units))
        })
    }

    /// MiB of memory to reserve on an instance: the task's own limit, else the sum of the
    /// containers' reservations (of their limits where there is no reservation).
    pub fn reserved_memory_mib(&self) -> u32 {
        self.memory_mib.unwrap_or_else(|| {
            self.containers.iter().fold(0, |sum, container| {
                let reserved = container.memory_reservation_mib.or(container.memory_mib);
                sum.saturating_add(reserved.unwrap_or(0))
            })
        })
    }

    /// Host ports that must be free on the instance. Empty outside bridge mode: in the other
    /// modes nothing is published on the host.
    pub fn fixed_host_ports(&self) -> impl Iterator<Item = (u16, Protocol)> + '_ {
        let published = matches!(self.network_mode, NetworkMode::Bridge | NetworkMode::Host);
        self.containers
            .iter()
            .flat_map(|container| &container.port_mappings)
            .filter(move |_| published)
            .filter_map(|mapping| mapping.host_port.map(|port| (port, mapping.protocol)))
    }

    /// The container called `name`.
    pub fn container(&self, name: &str) -> Option<&ContainerSpec> {
        self.containers.iter().find(|container| container.name == name)
    }
}

/// One container of a task.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ContainerSpec {
    /// Unique in the task: 1–255 letters, digits, underscores and hyphens.
    pub name: String,
    /// Image reference as given.
    pub image: String,
    /// CPU units: a share, and the limit where the task sets none.
    pub cpu_units: u32,
    /// Hard memory limit in MiB.
    pub memory_mib: Option<u32>,
    /// Memory kept free for the container in MiB.
    pub memory_reservation_mib: Option<u32>,
    /// Whether the task stops when this container does.
    pub essential: bool,
    /// Replaces the image's entry point when not empty.
    pub entry_point: Vec<String>,
    /// Replaces the image's command when not empty.
    pub command: Vec<String>,
    /// Environment variables, over the image's own.
    pub environment: BTreeMap<String, String>,
    /// Names of `secrets`; the task fails to start until there is a store to read them from.
    pub secret_names: Vec<String>,
    /// Over the image's working directory.
    pub working_directory: Option<String>,
    /// `user`, `uid`, `user:group`…, over the image's user.
    pub user: Option<String>,
    /// Host name inside the container.
    pub hostname: Option<String>,
    /// Host names added to `/etc/hosts`, with their addresses.
    pub extra_hosts: Vec<(String, String)>,
    /// What must have happened to other containers before this one starts.
    pub depends_on: Vec<DependsOn>,
    /// Seconds after which a dependency on this container counts as failed.
    pub start_timeout_seconds: Option<u32>,
    /// Seconds between the stop signal and the kill; 30 when absent.
    pub stop_timeout_seconds: Option<u32>,
    /// Container health check of the definition.
    pub health_check: Option<HealthCheck>,
    /// Whether and when the container is restarted inside its task.
    pub restart_policy: Option<RestartPolicy>,
    /// Ports.
    pub port_mappings: Vec<PortMapping>,
    /// Where volumes of the task appear.
    pub mount_points: Vec<MountPoint>,
    /// Containers whose mounts this one takes over: name, and whether read-only.
    pub volumes_from: Vec<(String, bool)>,
    /// Resource limits of processes.
    pub ulimits: Vec<Ulimit>,
    /// Capabilities, init process, tmpfs, shared memory.
    pub linux: LinuxParameters,
    /// Whether the root file system is read-only.
    pub read_only_root: bool,
    /// Sysctls of the container's namespaces.
    pub system_controls: BTreeMap<String, String>,
    /// Where the output goes; the default group when absent.
    pub log_configuration: Option<LogConfiguration>,
}

/// `dependsOn` of a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DependsOn {
    /// The container waited for.
    pub container_name: String,
    /// What it must have reached.
    pub condition: DependencyCondition,
}

/// The four conditions of `dependsOn`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum DependencyCondition {
    /// Running, or already stopped.
    Start,
    /// Stopped with any exit code.
    Complete,
    /// Stopped with exit code 0; another code can never satisfy it.
    Success,
    /// Passed its health check.
    Healthy,
}

impl DependencyCondition {
    /// ECS's spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Start => "START",
            Self::Complete => "COMPLETE",
            Self::Success => "SUCCESS",
            Self::Healthy => "HEALTHY",
        }
    }
}

/// `healthCheck` of a container, defaults applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthCheck {
    /// The arguments to execute; `CMD-SHELL x` is already `/bin/sh -c x`.
    pub argv: Vec<String>,
    /// Seconds between checks: 5–300, default 30.
    pub interval_seconds: u32,
    /// Seconds a check may take: 2–60, default 5.
    pub timeout_seconds: u32,
    /// Failures in a row that make the container unhealthy: 1–10, default 3.
    pub retries: u32,
    /// Seconds after the start during which failures do not count: 0–300, default 0.
    pub start_period_seconds: u32,
}

/// `restartPolicy` of a container, when enabled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestartPolicy {
    /// Exit codes that are not restarted; at most 50.
    pub ignored_exit_codes: Vec<i32>,
    /// Seconds the container must have run to be restarted: 60–1800, default 300.
    pub attempt_period_seconds: u32,
}

/// `portMappings` of a container, one port each (ranges are expanded).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortMapping {
    /// The mapping's `name`, for service discovery.
    pub name: Option<String>,
    /// Port inside the container.
    pub container_port: u16,
    /// Port on the host; the node picks one when absent (`hostPort` 0 or missing).
    pub host_port: Option<u16>,
    /// TCP when the definition names none.
    pub protocol: Protocol,
}

/// `mountPoints` of a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MountPoint {
    /// Name of a volume of the task.
    pub source_volume: String,
    /// Absolute path in the container.
    pub container_path: String,
    /// Whether the container may only read.
    pub read_only: bool,
}

/// A volume of the task: an empty directory made with the task and deleted with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Volume {
    /// Name, unique in the task.
    pub name: String,
}

/// `ulimits` of a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ulimit {
    /// ECS's name: `nofile`, `nproc`, `core`…
    pub name: String,
    /// Soft limit, in the limit's own unit.
    pub soft: u64,
    /// Hard limit, in the limit's own unit.
    pub hard: u64,
}

/// `linuxParameters` of a container.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LinuxParameters {
    /// Capabilities added to the default set, without `CAP_`; `ALL` is possible.
    pub capabilities_add: Vec<String>,
    /// Capabilities taken from the default set, without `CAP_`; `ALL` is possible.
    pub capabilities_drop: Vec<String>,
    /// Whether a small init process reaps orphans and forwards signals.
    pub init_process: bool,
    /// Size of `/dev/shm` in MiB; 64 when absent.
    pub shared_memory_size_mib: Option<u32>,
    /// Memory file systems.
    pub tmpfs: Vec<Tmpfs>,
}

/// A memory file system in a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tmpfs {
    /// Absolute path in the container.
    pub container_path: String,
    /// Size limit in MiB.
    pub size_mib: u32,
    /// Mount options such as `noexec`.
    pub mount_options: Vec<String>,
}

/// `logConfiguration` of a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogConfiguration {
    /// The driver's name: `awslogs`, …
    pub log_driver: String,
    /// The driver's options.
    pub options: BTreeMap<String, String>,
}
