//! What tasks find at 169.254.170.2: their credentials and their metadata.
//!
//! A connection comes from a task or not at all: the firewall redirects tasks here with their own source address
//! and closes the listener to everybody else, and an address that no live task has gets no answer. A task is
//! told of itself only. Credentials also need the token that is in a file of its containers, so that a server
//! that can be made to fetch a URL gives nothing away.

mod answer;
mod metadata;
#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use base::Clock;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use network::{TaskConnection, TaskConnections};
use node_proto::ControlPlane;
use runtime_oci::Runtime;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

use crate::live_tasks::LiveTasks;
use crate::refusals::Refusals;
use crate::role_credentials::RoleKeeper;
use crate::task_tokens::TaskTokens;

/// Open connections of all tasks; further ones wait in the kernel's backlog.
const MAX_CONNECTIONS: usize = 1024;
/// Open connections of one task; further ones are closed.
pub(crate) const MAX_CONNECTIONS_PER_TASK: usize = 32;
/// A connection serves one request and lasts no longer than this.
const CONNECTION_LIMIT: Duration = Duration::from_secs(20);
/// How long the head of a request may take.
const HEADER_LIMIT: Duration = Duration::from_secs(5);
/// Headers of a request.
const MAX_HEADERS: usize = 32;
/// Request line and headers together, in bytes.
const MAX_HEADER_BYTES: usize = 16 * 1024;
/// How long to wait after the system refused to accept a connection, as when files run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Where the agent listens for tasks: the listener that [`network::TaskLinks`] names, and who may come.
#[derive(Debug)]
pub struct TaskListener {
    listener: TcpListener,
    connections: TaskConnections,
}

impl TaskListener {
    /// On 127.0.0.1, at a port of the system's choice, for tasks in `subnet`.
    ///
    /// # Errors
    ///
    /// When the system refuses.
    pub async fn bind(subnet: network::Subnet) -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let connections = TaskConnections::new(subnet, MAX_CONNECTIONS_PER_TASK);
        Ok(Self { listener, connections })
    }

    /// The port.
    ///
    /// # Errors
    ///
    /// When the system does not know.
    pub fn port(&self) -> std::io::Result<u16> {
        Ok(self.listener.local_addr()?.port())
    }
}

/// What answers are made from.
#[derive(Debug)]
pub(crate) struct Endpoint {
    pub(crate) tasks: Arc<LiveTasks>,
    pub(crate) keeper: Arc<RoleKeeper>,
    pub(crate) tokens: Arc<TaskTokens>,
    pub(crate) refusals: Arc<Refusals>,
    pub(crate) runtime: Arc<dyn Runtime>,
    pub(crate) control_plane: Arc<dyn ControlPlane>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) instance_id: String,
    pub(crate) zone: String,
}

impl Endpoint {
    /// Answers, renews credentials and tells of refusals, until it is dropped.
    pub(crate) async fn run(self: Arc<Self>, listener: TaskListener) {
        let refusals = self.refusals.run(Arc::clone(&self.control_plane), self.instance_id.clone());
        tokio::select! {
            () = self.keeper.run(&self.tasks) => {}
            () = refusals => {}
            () = Arc::clone(&self).serve(listener) => {}
        }
    }

    async fn serve(self: Arc<Self>, listener: TaskListener) {
        let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        let mut connections = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                Some(ended) = connections.join_next(), if !connections.is_empty() => {
                    if let Err(error) = ended {
                        tracing::error!(%error, "a connection of a task failed");
                    }
                    continue;
                }
                accepted = accept(&listener.listener, &slots) => accepted,
            };
            match accepted {
                Ok((stream, peer, slot)) => {
                    let Some(task) = listener.connections.admit(peer) else { continue };
                    let endpoint = Arc::clone(&self);
                    connections.spawn(endpoint.connection(stream, peer.ip(), (slot, task)));
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection of a task");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    async fn connection(
        self: Arc<Self>,
        stream: TcpStream,
        peer: IpAddr,
        _held: (OwnedSemaphorePermit, TaskConnection),
    ) {
        let IpAddr::V4(peer) = peer else { return };
        let service = service_fn(|request: http::Request<hyper::body::Incoming>| {
            let endpoint = Arc::clone(&self);
            async move {
                let (head, _body) = request.into_parts();
                Ok::<_, Infallible>(endpoint.answer(peer, &head).await)
            }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_LIMIT)
            .max_headers(MAX_HEADERS)
            .max_buf_size(MAX_HEADER_BYTES)
            .keep_alive(false)
            .half_close(false)
            .serve_connection(TokioIo::new(stream), service);
        match tokio::time::timeout(CONNECTION_LIMIT, connection).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%peer, %error, "connection of a task ended"),
            Err(_) => tracing::debug!(%peer, "connection of a task took too long"),
        }
    }
}

/// The next connection, once there is room for it.
async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> std::io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let slot = Arc::clone(slots).acquire_owned().await.map_err(std::io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    Ok((stream, peer, slot))
}
