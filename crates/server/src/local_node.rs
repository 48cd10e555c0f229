//! The node of this machine: its drivers and its agent.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use images::ImageStore;
use network::{HostNetwork, HostNetworkConfig};
use node::{Node, NodeConfig, NodeDependencies};
use node_proto::ControlPlane;
use runtime_oci::{OciRuntime, RuntimeConfig};

use crate::config::NodeSettings;
use crate::error::StartError;
use crate::preflight;
use crate::server::Common;

/// Opens the drivers, finds the containers of an earlier program, and joins.
pub(crate) async fn start(
    settings: &NodeSettings,
    common: &Common,
    control_plane: Arc<dyn ControlPlane>,
    images: Arc<ImageStore>,
    own_port: u16,
) -> Result<Node, StartError> {
    let directory = common.directory.path();
    let instance = common.directory.instance();
    let network = HostNetworkConfig {
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
            Arc::clone(&common.clock),
        )
    };
    let runtime = OciRuntime::open(runtime).map_err(StartError::Runtime)?;
    let config = NodeConfig {
        directory: directory.join("node"),
        cluster: settings.cluster.clone(),
        zone: settings.zone.clone(),
        own_port,
        fargate_isolation: settings.fargate_isolation.clone(),
        agent_version: settings.agent_version.clone(),
    };
    let dependencies = NodeDependencies {
        control_plane,
        runtime: Arc::new(runtime),
        network: Arc::new(network),
        images,
        logs: Arc::clone(&common.logs),
        clock: Arc::clone(&common.clock),
        ids: Arc::clone(&common.ids),
    };
    Node::start(config, dependencies).await.map_err(StartError::Node)
}

fn run_directory(settings: &NodeSettings, instance: &str) -> PathBuf {
    let chosen = settings.run_directory.clone();
    chosen.unwrap_or_else(|| Path::new("/run/portcullis").join(instance))
}
