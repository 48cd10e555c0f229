//! A machine that runs tasks for a control plane elsewhere.

use std::path::PathBuf;
use std::sync::Arc;

use base::{Clock, IdSource};
use images::{ImageStore, UnpackHelper};
use node::Node;
use node_link::{Endpoint, Membership, RemoteControlPlane, TaskLinkListener, join};
use node_proto::{ControlPlane, JoinTokenText, LogSink};

use crate::config::NodeSettings;
use crate::error::{RunError, StartError};
use crate::local_node::{self, Machine};
use crate::machine::{OsEntropy, SystemClock};
use crate::preflight;
use crate::state_directory::StateDirectory;

/// What a node is started with.
#[derive(Debug)]
pub struct RemoteNodeConfig {
    /// Where everything is kept; made, mode 0700, when missing.
    pub state_directory: PathBuf,
    /// Where the control plane listens for nodes.
    pub endpoint: Endpoint,
    /// What the machine joins with; needed once, and again only when it was away for so long that
    /// its certificate has ended.
    pub token: Option<JoinTokenText>,
    /// How to start the confined layer unpacker.
    pub unpack_helper: UnpackHelper,
    /// How this machine runs tasks. The cluster is the join token's, whatever is said here.
    pub settings: NodeSettings,
}

/// A node that has joined and registered.
#[derive(Debug)]
pub struct RemoteNode {
    node: Node,
    remote: Arc<RemoteControlPlane>,
    task_link: TaskLinkListener,
    instance_id: String,
    // Held while the node runs.
    _directory: StateDirectory,
}

impl RemoteNode {
    /// Joins, the first time, and takes up the tasks of this machine. Waits for a control plane that
    /// cannot be reached.
    ///
    /// # Errors
    /// [`StartError`]; containers of an earlier program go on running.
    pub async fn start(config: RemoteNodeConfig) -> Result<Self, StartError> {
        let RemoteNodeConfig { state_directory, endpoint, token, unpack_helper, mut settings } =
            config;
        preflight::look(&settings.shim_program).map_err(StartError::Preflight)?;
        let directory =
            StateDirectory::open(&state_directory).map_err(StartError::StateDirectory)?;
        let ids: Arc<dyn IdSource> = Arc::new(OsEntropy);
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let images = ImageStore::open(&directory.path().join("images"), unpack_helper);
        let images = Arc::new(images.map_err(StartError::Images)?);
        let membership = membership(&directory, &endpoint, token, clock.as_ref(), &ids).await?;
        settings.cluster = membership.cluster().to_owned();
        let instance_id = membership.instance_id().to_owned();
        let remote =
            RemoteControlPlane::new(endpoint, membership, Arc::clone(&clock), Arc::clone(&ids));
        let remote = Arc::new(remote.map_err(StartError::Membership)?);
        let control_plane = Arc::clone(&remote) as Arc<dyn ControlPlane>;
        let logs = Arc::clone(&remote) as Arc<dyn LogSink>;
        let machine = Machine { directory: &directory, clock: &clock, ids: &ids, logs };
        let task_link = TaskLinkListener::bind(settings.task_subnet).await;
        let task_link = task_link.map_err(StartError::TaskListener)?;
        // Nothing else here is open to tasks but what the node itself answers them.
        let (own_ports, api_link_port) = (Vec::new(), Some(task_link.port()));
        let node =
            local_node::start(&settings, machine, control_plane, images, own_ports, api_link_port)
                .await?;
        Ok(Self { node, remote, task_link, instance_id, _directory: directory })
    }

    /// The id of the container instance.
    pub fn instance_id(&self) -> &str {
        &self.instance_id
    }

    /// Works until `shutdown` is done. Containers go on running after that.
    ///
    /// # Errors
    /// [`RunError`] when the control plane will not have the node any more, or the agent ended by
    /// itself.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Result<(), RunError> {
        let Self { node, remote, task_link, _directory, .. } = self;
        let mut told = false;
        let mut refused = None;
        let running = node.run(async {
            tokio::select! {
                () = shutdown => told = true,
                reason = remote.ended() => refused = Some(reason),
            }
        });
        tokio::select! {
            () = running => {}
            () = task_link.serve(Arc::clone(&remote)) => {}
        }
        match (told, refused) {
            (_, Some(reason)) => Err(RunError::NodeRefused { reason }),
            (true, None) => Ok(()),
            (false, None) => Err(RunError::Ended { part: "node" }),
        }
    }
}

/// This machine's identity: what it has kept, or what it joins with now.
async fn membership(
    directory: &StateDirectory,
    endpoint: &Endpoint,
    token: Option<JoinTokenText>,
    clock: &dyn Clock,
    ids: &Arc<dyn IdSource>,
) -> Result<Membership, StartError> {
    let own = directory.path().join("tls");
    let known = Membership::open(&own).map_err(StartError::Membership)?;
    if let Some(known) = known.filter(|known| !known.is_over(clock.now())) {
        return Ok(known);
    }
    let token = token.ok_or(StartError::NoJoinToken)?;
    let instance_id = local_node::instance_id(directory, ids.as_ref())?;
    let joined = join(endpoint, &token, &instance_id, &own, Arc::clone(ids)).await;
    let joined = joined.map_err(StartError::Join)?;
    tracing::info!(instance_id = joined.instance_id(), cluster = joined.cluster(), "joined");
    Ok(joined)
}
