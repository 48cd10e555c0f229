//! What a server is started with.

use std::net::SocketAddr;
use std::path::PathBuf;

use base::Scope;
use images::UnpackHelper;
use network::Subnet;

use crate::root_key::RootKey;

/// What a server is started with.
#[derive(Debug)]
pub struct ServerConfig {
    /// Where everything is kept; made, mode 0700, when missing.
    pub state_directory: PathBuf,
    /// The address to serve on; port 0 takes a free one. Any but loopback gets TLS.
    pub listen: SocketAddr,
    /// The address to listen on for nodes of other machines; `None` takes none.
    pub node_listen: Option<SocketAddr>,
    /// Names and addresses to put into the server's certificate, beside its own.
    pub tls_names: Vec<String>,
    /// Account and region.
    pub scope: Scope,
    /// What becomes of guard findings.
    pub guard_mode: guard::Mode,
    /// The root's access key; `None` takes the state directory's own, made at the first start.
    pub root_key: Option<RootKey>,
    /// How to start the confined layer unpacker.
    pub unpack_helper: UnpackHelper,
    /// The node of this machine; `None` runs a control plane only.
    pub node: Option<NodeSettings>,
}

/// How this machine runs tasks.
#[derive(Debug, Clone)]
pub struct NodeSettings {
    /// Name of the cluster to join.
    pub cluster: String,
    /// Value of `ecs.availability-zone`.
    pub zone: String,
    /// How FARGATE tasks are isolated here; `None` when they may not run.
    pub fargate_isolation: Option<String>,
    /// Where tasks get their addresses from.
    pub task_subnet: Subnet,
    /// Directory for what does not survive a restart of the machine; `None` takes one below
    /// `/run/portcullis` that belongs to the state directory.
    pub run_directory: Option<PathBuf>,
    /// The `portcullis-shim` program.
    pub shim_program: PathBuf,
    /// Version of the program.
    pub agent_version: String,
    /// Whether tasks are stopped when the server is told to stop.
    pub stop_tasks: bool,
}
