//! The node of this machine: its drivers and its agent.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use base::{Clock, IdSource};
use images::ImageStore;
use network::{HostNetwork, HostNetworkConfig, TaskLinks};
use node::{Node, NodeConfig, NodeDependencies, NodeError, TaskListener};
use node_proto::{ControlPlane, LogSink};
use runtime_oci::{OciRuntime, RuntimeConfig};

use crate::config::NodeSettings;
use crate::error::StartError;
use crate::preflight;
use crate::state_directory::StateDirectory;

/// What is there on the machine before its node.
pub(crate) struct Machine<'a> {
    pub(crate) directory: &'a StateDirectory,
    pub(crate) clock: &'a Arc<dyn Clock>,
    pub(crate) ids: &'a Arc<dyn IdSource>,
    /// Where containers' output goes.
    pub(crate) logs: Arc<dyn LogSink>,
}

/// The id of the container instance that this machine is; made at the first start.
pub(crate) fn instance_id(
    directory: &StateDirectory,
    ids: &dyn IdSource,
) -> Result<Arc<str>, StartError> {
    let id = node::instance_id(&directory.path().join("node"), ids);
    id.map(Into::into).map_err(|error| StartError::Node(NodeError::Identity(error)))
}

/// Opens the drivers, finds the containers of an earlier program, and joins.
pub(crate) async fn start(
    settings: &NodeSettings,
    machine: Machine<'_>,
    control_plane: Arc<dyn ControlPlane>,
    images: Arc<ImageStore>,
    own_ports: Vec<u16>,
    api_link_port: Option<u16>,
) -> Result<Node, StartError> {
    let Machine { directory, clock, ids, logs } = machine;
    let instance = directory.instance();
    let directory = directory.path();
    let listener = TaskListener::bind(settings.task_subnet).await;
    let listener = listener.map_err(StartError::TaskListener)?;
    let agent_port = listener.port().map_err(StartError::TaskListener)?;
    let links = TaskLinks { agent_port: Some(agent_port), api_port: api_link_port };
    let network = HostNetworkConfig {
        links,
        subnet: settings.task_subnet,
        ..HostNetworkConfig::new(directory.join("network"))
    };
    let network = HostNetwork::open(network).map_err(StartError::Network)?;
    preflight::look_at_network(&network).await.map_err(StartError::Preflight)?;
    let runtime = RuntimeConfig {
        cgroup_parent: format!("/portcullis-{instance}"),
        ..RuntimeConfig::new(
            directory.join("runtime"),
            run_directory(settings, &instance),
            settings.shim_program.clone(),
            Arc::clone(clock),
        )
    };
    let runtime = OciRuntime::open(runtime).map_err(StartError::Runtime)?;
    let config = NodeConfig {
        directory: directory.join("node"),
        cluster: settings.cluster.clone(),
        zone: settings.zone.clone(),
        api_link: api_link_port.is_some(),
        own_ports,
        fargate_isolation: settings.fargate_isolation.clone(),
        agent_version: settings.agent_version.clone(),
    };
    let dependencies = NodeDependencies {
        control_plane,
        runtime: Arc::new(runtime),
        network: Arc::new(network),
        images,
        logs,
        clock: Arc::clone(clock),
        ids: Arc::clone(ids),
    };
    Node::start(config, dependencies, listener).await.map_err(StartError::Node)
}

fn run_directory(settings: &NodeSettings, instance: &str) -> PathBuf {
    let chosen = settings.run_directory.clone();
    chosen.unwrap_or_else(|| Path::new("/run/portcullis").join(instance))
}
