//! Addresses, interfaces, firewall rules and published ports of tasks.
//!
//! Every task has its own network namespace, one address and one interface, and nothing else: it reaches no
//! other task, no service of the host and no other network, and is reached only on the ports it publishes. The
//! exception are two link-local addresses ([`TaskLinks`]): the agent's endpoint and the APIs.
//! The host side of each interface is where this is enforced, so nothing a task does inside its namespace
//! changes it. Later rules (security groups) have their place there: the sets of `ruleset`, keyed by the
//! task's interface and address, which are changed in one atomic batch per task.
//!
//! [`HostNetwork`] is the driver for Linux; callers hold it as `Arc<dyn Network>`. It speaks netlink directly
//! and starts no programs.
//!
//! What it changes on the host, outside its own interfaces and its own nftables table: `net.ipv4.ip_forward`
//! is switched on when it is off, and stays on.

mod connections;
mod conntrack;
mod driver;
mod error;
mod firewall;
mod host;
mod impatient;
mod link;
mod netlink;
mod pool;
mod ports;
mod reaper;
mod record;
mod ruleset;
mod subnet;

pub use connections::{TaskConnection, TaskConnections};
pub use driver::{
    AGENT_LINK, API_LINK, AttachRequest, Attachment, Binding, Interface, LINK_PORT, MacAddress,
    Network, NetworkMode, NetworkReport, PortRequest, Protocol, Recovery, TaskLinks,
};
pub use error::NetworkError;
pub use host::{HostNetwork, HostNetworkConfig, MAX_PORTS_PER_TASK};
pub use impatient::Impatient;
pub use subnet::{ParseSubnetError, Subnet};
