//! Where nodes connect.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use base::{Clock, IdSource};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use node_proto::{ControlPlane, LogSink};
use rustls::ServerConnection;
use state::State;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::authority::{AuthorityError, NodeAuthority};
use crate::certificate::CertifiedNode;
use crate::handle::{self, Peer, Shared};
use crate::messages::MAX_LARGE_CALLS;
use crate::record::NodeAudit;
use crate::sessions::Sessions;
use crate::task_call::TaskCalls;
use crate::throttle::Throttle;

/// Connections at the same time: a node has three, and up to 16 for calls of its tasks.
const MAX_CONNECTIONS: usize = 4096;
/// How long a handshake may take, and a client without a certificate stay.
const STRANGER_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection may be idle between two requests of a node.
const IDLE_TIMEOUT: Duration = Duration::from_secs(90);
/// A connection ends after this long, so that its certificate is looked at again.
const CONNECTION_LIFETIME: Duration = Duration::from_secs(60 * 60);
/// How long what is under way at that time may take.
const LAST_REQUEST: Duration = Duration::from_secs(60);
/// How long to wait after the system refused to accept a connection, as when files run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
const MAX_HEADERS: usize = 32;
const MAX_HEADER_BYTES: usize = 16 << 10;

/// What the listener works with.
#[derive(Debug, Clone)]
pub struct ListenerDependencies {
    /// The state, with the records of join tokens and nodes.
    pub state: Arc<State>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Identifiers.
    pub ids: Arc<dyn IdSource>,
    /// What nodes' messages are given to.
    pub control_plane: Arc<dyn ControlPlane>,
    /// Where containers' output goes.
    pub logs: Arc<dyn LogSink>,
    /// Who answers the API calls of nodes' tasks.
    pub task_calls: Arc<dyn TaskCalls>,
    /// Where joins and refusals go on record.
    pub audit: Arc<dyn NodeAudit>,
}

/// Why nodes cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum ListenerError {
    /// There is no authority.
    #[error("there is no authority for nodes")]
    Authority(#[source] AuthorityError),
    /// The address cannot be used.
    #[error("cannot listen on `{address}` for nodes: choose another with --node-listen")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// A bound listener, not yet serving.
#[derive(Debug)]
pub struct NodeListener {
    listener: TcpListener,
    address: SocketAddr,
    tls: Arc<rustls::ServerConfig>,
    shared: Arc<Shared>,
}

impl NodeListener {
    /// Listens on `listen`; port 0 takes a free one. Connections are accepted once
    /// [`NodeListener::serve`] runs.
    ///
    /// # Errors
    /// [`ListenerError`].
    pub async fn bind(
        listen: SocketAddr,
        authority: NodeAuthority,
        dependencies: ListenerDependencies,
    ) -> Result<Self, ListenerError> {
        let ListenerDependencies { state, clock, ids, control_plane, logs, task_calls, audit } =
            dependencies;
        let tls = authority.server_config(ids.as_ref(), clock.now());
        let tls = Arc::new(tls.map_err(ListenerError::Authority)?);
        let failed = |source| ListenerError::Listen { address: listen, source };
        let listener = TcpListener::bind(listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let sessions = Arc::new(Sessions::new(Arc::clone(&state), Arc::clone(&ids)));
        let (throttle, refusals) = (Throttle::default(), Throttle::default());
        let shared = Shared {
            authority,
            state,
            clock,
            ids,
            control_plane,
            logs,
            task_calls,
            large_calls: Semaphore::new(MAX_LARGE_CALLS),
            audit,
            sessions,
            throttle,
            refusals,
        };
        Ok(Self { listener, address, tls, shared: Arc::new(shared) })
    }

    /// The address that it listens on, with the port that was taken.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `shutdown` is done. Nodes send again what is cut off then.
    pub async fn serve(self, shutdown: impl Future<Output = ()>) {
        let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        let mut tasks = JoinSet::new();
        tasks.spawn(Arc::clone(&self.shared.sessions).sweep());
        let mut shutdown = std::pin::pin!(shutdown);
        loop {
            let accept = async {
                let slot = Arc::clone(&slots).acquire_owned().await.map_err(io::Error::other)?;
                let (stream, peer) = self.listener.accept().await?;
                stream.set_nodelay(true)?;
                Ok::<_, io::Error>((stream, peer, slot))
            };
            tokio::select! {
                () = &mut shutdown => break,
                Some(ended) = tasks.join_next() => {
                    if let Err(error) = ended {
                        tracing::error!(%error, "the task of a node's connection failed");
                    }
                }
                accepted = accept => match accepted {
                    Ok((stream, peer, slot)) => {
                        let (shared, tls) = (Arc::clone(&self.shared), Arc::clone(&self.tls));
                        tasks.spawn(async move {
                            let _slot = slot;
                            connection(shared, tls, stream, peer).await;
                        });
                    }
                    Err(error) => {
                        tracing::warn!(%error, "cannot accept a node's connection");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                },
            }
        }
        tasks.shutdown().await;
    }
}

/// One connection, from its handshake to its end.
async fn connection(
    shared: Arc<Shared>,
    tls: Arc<rustls::ServerConfig>,
    stream: TcpStream,
    address: SocketAddr,
) {
    let handshake = TlsAcceptor::from(tls).accept(stream);
    let stream = match tokio::time::timeout(STRANGER_TIMEOUT, handshake).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => {
            tracing::debug!(%address, %error, "TLS handshake of a node failed");
            return;
        }
        Err(_) => return,
    };
    let Some(peer) = peer(stream.get_ref().1, address) else {
        tracing::warn!(%address, "a certificate of ours is not one of a node");
        return;
    };
    let is_node = peer.node.is_some();
    let (idle, lifetime) = if is_node {
        (IDLE_TIMEOUT, CONNECTION_LIFETIME)
    } else {
        (STRANGER_TIMEOUT, STRANGER_TIMEOUT)
    };
    let service = service_fn(move |request| {
        let (shared, peer) = (Arc::clone(&shared), peer.clone());
        async move { Ok::<_, Infallible>(handle::request(&shared, &peer, request).await) }
    });
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(idle)
        .max_headers(MAX_HEADERS)
        .max_buf_size(MAX_HEADER_BYTES)
        .half_close(false);
    let mut serving = std::pin::pin!(builder.serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        ended = &mut serving => ended,
        () = tokio::time::sleep(lifetime) => {
            serving.as_mut().graceful_shutdown();
            tokio::time::timeout(LAST_REQUEST, serving).await.unwrap_or(Ok(()))
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%address, %error, "a node's connection ended");
    }
}

/// Who it is; `None` for a certificate that names no node.
fn peer(connection: &ServerConnection, address: SocketAddr) -> Option<Peer> {
    let address = address.ip().to_canonical();
    let node = match connection.peer_certificates().and_then(<[_]>::first) {
        Some(certificate) => Some(CertifiedNode::of(certificate)?),
        None => None,
    };
    Some(Peer { address, node })
}
