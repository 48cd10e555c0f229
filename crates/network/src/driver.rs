//! What the node agent sees: the driver trait and its plain types.

use std::{collections::BTreeMap, fmt, net::Ipv4Addr, path::PathBuf};

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};

use crate::error::NetworkError;

/// Where a task finds the agent: credentials, metadata, task protection. As with the ECS agent.
pub const AGENT_LINK: Ipv4Addr = Ipv4Addr::new(169, 254, 170, 2);
/// Where a task finds the APIs.
pub const API_LINK: Ipv4Addr = Ipv4Addr::new(169, 254, 170, 3);
/// The TCP port of both.
pub const LINK_PORT: u16 = 80;

/// What tasks may open connections to: ports of this host's 127.0.0.1 that [`AGENT_LINK`] and [`API_LINK`] lead to,
/// for tasks only and with the task's own source address. Without a port, the link is closed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TaskLinks {
    /// The agent's listener.
    pub agent_port: Option<u16>,
    /// The listener for the APIs.
    pub api_port: Option<u16>,
}

/// A transport protocol of a port mapping.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// TCP, the default of ECS.
    Tcp,
    /// UDP.
    Udp,
}

impl Protocol {
    /// The protocol's number in the IP header.
    pub(crate) const fn number(self) -> u8 {
        match self {
            Self::Tcp => 6,
            Self::Udp => 17,
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        })
    }
}

/// The `networkMode` of a task definition, as far as it may run here (`host` is refused earlier).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NetworkMode {
    /// Ports are published on the host.
    Bridge,
    /// Ports are reachable at the task's own address, from this host only.
    Awsvpc,
    /// Only the loopback interface exists.
    None,
}

/// One port mapping of a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortRequest {
    /// The container's name, returned in the binding and used in errors.
    pub container_name: String,
    /// The port the container listens on, 1 to 65535.
    pub container_port: u16,
    /// The port of the host, or `None` for one chosen from the dynamic range. Not used in
    /// [`NetworkMode::Awsvpc`].
    pub host_port: Option<u16>,
    /// The protocol.
    pub protocol: Protocol,
}

/// What [`Network::attach`] needs to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttachRequest {
    /// The task's id: 1 to 64 letters, digits, `-` or `_`.
    pub task_id: String,
    /// A file that pins the task's network namespace: created, without interfaces other than `lo`, and owned
    /// by the task's user namespace.
    pub netns: PathBuf,
    /// The task's network mode.
    pub mode: NetworkMode,
    /// The port mappings of all its containers; must be empty in [`NetworkMode::None`].
    pub ports: Vec<PortRequest>,
}

/// One published port: an entry of ECS's `networkBindings`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Binding {
    /// The container that listens.
    pub container_name: String,
    /// The port it listens on.
    pub container_port: u16,
    /// The port of the host.
    pub host_port: u16,
    /// The protocol.
    pub protocol: Protocol,
    /// The host addresses on which the port is published: `0.0.0.0`, all of them.
    pub bind_ip: Ipv4Addr,
}

/// A MAC address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MacAddress(pub [u8; 6]);

impl fmt::Display for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

/// A task's interface. Inside the namespace it is always called `eth0`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interface {
    /// The task's address.
    pub address: Ipv4Addr,
    /// Its prefix length: 32, because every packet is routed by the host.
    pub prefix_len: u8,
    /// The address of the host towards the task, and the task's default route.
    pub gateway: Ipv4Addr,
    /// The MAC address of `eth0`.
    pub mac: MacAddress,
    /// The name of the interface's other end, on the host.
    pub host_interface: String,
}

/// What a task got from [`Network::attach`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    /// The interface; `None` exactly in [`NetworkMode::None`].
    pub interface: Option<Interface>,
    /// The published ports, in the order of the request; empty unless the mode is [`NetworkMode::Bridge`].
    pub bindings: Vec<Binding>,
}

/// What [`Network::recover`] found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Live tasks whose network is intact, and what they have.
    pub kept: BTreeMap<String, Attachment>,
    /// Live tasks without a usable network (no record, or the interface is gone): they must be stopped.
    pub broken: Vec<String>,
    /// Tasks that are not live and whose network was removed.
    pub removed: Vec<String>,
}

/// What [`Network::check`] found out about the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkReport {
    /// The nftables table (family `inet`) of this instance.
    pub table: String,
    /// How the names of this instance's interfaces begin.
    pub interface_prefix: String,
    /// Whether the host forwards packets now.
    pub forwarding: bool,
}

/// Gives tasks their network. All methods are safe to call at the same time for different tasks.
pub trait Network: Send + Sync + fmt::Debug {
    /// Probes whether the kernel offers what the driver needs; changes nothing.
    ///
    /// # Errors
    /// [`NetworkError::Kernel`] names the first thing that is missing or not permitted.
    fn check(&self) -> BoxFuture<'_, Result<NetworkReport, NetworkError>>;

    /// Sets the host up and reconciles it with the live tasks; to be called once when the agent starts, before
    /// anything else. The live ones keep their connections, all else that belongs to this instance is removed.
    ///
    /// # Errors
    /// When the kernel or the state directory refuses; nothing may be attached then.
    fn recover<'a>(&'a self, live: &'a [String]) -> BoxFuture<'a, Result<Recovery, NetworkError>>;

    /// Gives a task its address, its interface and its ports. All or nothing: after an error nothing is left.
    ///
    /// # Errors
    /// See [`NetworkError`]; port conflicts and exhaustion are told apart from the kernel's refusals.
    fn attach(&self, request: AttachRequest) -> BoxFuture<'_, Result<Attachment, NetworkError>>;

    /// Cuts a task off at once, established connections included, and gives its ports back. Its interface and the
    /// kernel's memory of its connections go a moment later, and the address is given to no other task before. Does
    /// nothing when the task is not attached.
    ///
    /// # Errors
    /// When the kernel refuses; the call may be repeated.
    fn detach<'a>(&'a self, task_id: &'a str) -> BoxFuture<'a, Result<(), NetworkError>>;

    /// Removes everything of this instance: rules, interfaces, records. [`Network::recover`] sets up again.
    ///
    /// # Errors
    /// When the kernel or the state directory refuses; the call may be repeated.
    fn teardown(&self) -> BoxFuture<'_, Result<(), NetworkError>>;
}
