//! Where nodes of other machines connect.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use gateway::RelayedCalls;
use http::Response;
use http_body_util::Full;
use node_link::{ListenerDependencies, NodeAuthority, NodeListener, TaskCall, TaskCalls};
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

/// What nodes' messages are given to.
pub(crate) struct Behind {
    pub(crate) control_plane: Arc<dyn ControlPlane>,
    pub(crate) logs: Arc<dyn LogSink>,
    pub(crate) task_calls: RelayedCalls,
}

/// The gateway, for the calls of tasks on other machines.
#[derive(Debug)]
struct ToGateway(RelayedCalls);

impl TaskCalls for ToGateway {
    fn answer(&self, call: TaskCall) -> BoxFuture<'_, Option<Response<Full<Bytes>>>> {
        Box::pin(async move {
            let TaskCall { container_instance, task_address, request } = call;
            self.0.answer(&container_instance, task_address, request).await
        })
    }
}

/// Listens, if this control plane takes nodes, for what is behind.
pub(crate) async fn bind(
    config: &ServerConfig,
    authority: Option<NodeAuthority>,
    common: &Common,
    state: &Arc<State>,
    behind: Behind,
) -> Result<Option<NodeListener>, StartError> {
    let (Some(listen), Some(authority)) = (config.node_listen, authority) else { return Ok(None) };
    let Behind { control_plane, logs, task_calls } = behind;
    let dependencies = ListenerDependencies {
        state: Arc::clone(state),
        clock: Arc::clone(&common.clock),
        ids: Arc::clone(&common.ids),
        control_plane,
        logs,
        task_calls: Arc::new(ToGateway(task_calls)),
        audit: Arc::new(common.audit.clone()),
    };
    let listener = NodeListener::bind(listen, authority, dependencies).await;
    listener.map(Some).map_err(StartError::NodeListener)
}
