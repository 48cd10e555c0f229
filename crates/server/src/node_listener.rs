//! Where nodes of other machines connect.

use std::sync::Arc;

use node_link::{ListenerDependencies, NodeAuthority, NodeListener};
use node_proto::{ControlPlane, LogSink};
use state::State;

use crate::config::ServerConfig;
use crate::error::StartError;
use crate::server::Common;

/// The authority for nodes, if this control plane takes any. It is apart from the one that clients
/// of the API trust: neither speaks for the other.
pub(crate) fn authority(
    config: &ServerConfig,
    common: &Common,
) -> Result<Option<NodeAuthority>, StartError> {
    if config.node_listen.is_none() {
        return Ok(None);
    }
    let directory = common.directory.path().join("tls").join("nodes");
    let authority = NodeAuthority::open(&directory, common.clock.now());
    authority.map(Some).map_err(StartError::NodeAuthority)
}

/// Listens, if this control plane takes nodes, for what is behind.
pub(crate) async fn bind(
    config: &ServerConfig,
    authority: Option<NodeAuthority>,
    common: &Common,
    state: &Arc<State>,
    (control_plane, logs): (Arc<dyn ControlPlane>, Arc<dyn LogSink>),
) -> Result<Option<NodeListener>, StartError> {
    let (Some(listen), Some(authority)) = (config.node_listen, authority) else { return Ok(None) };
    let dependencies = ListenerDependencies {
        state: Arc::clone(state),
        clock: Arc::clone(&common.clock),
        ids: Arc::clone(&common.ids),
        control_plane,
        logs,
        audit: Arc::new(common.audit.clone()),
    };
    let listener = NodeListener::bind(listen, authority, dependencies).await;
    listener.map(Some).map_err(StartError::NodeListener)
}
