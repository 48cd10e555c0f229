//! Accepts connections and ends them.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use identity::Door;
use network::{Impatient, TaskConnection, TaskConnections};
use sigv4::SigningKeys;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::config::{Config, Dependencies, GatewayError, TaskLink};
use crate::handle::{self, Arrival, Shared};
use crate::metrics::Metrics;
use crate::relayed::RelayedCalls;
use crate::route::Routes;

/// How many derived signing keys are kept: one per access key, day and service in use.
const SIGNING_KEYS: usize = 4096;

/// How long to wait after the system refused to accept a connection, as when files run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// One of the doors that requests come through.
struct Entrance {
    listener: TcpListener,
    door: Door,
    slots: Arc<Semaphore>,
    tls: Option<TlsAcceptor>,
    /// Who may come in; `None` admits all.
    tasks: Option<TaskConnections>,
}

/// A connection that was let in.
struct Visitor {
    stream: TcpStream,
    peer: SocketAddr,
    door: Door,
    tls: Option<TlsAcceptor>,
    _slot: OwnedSemaphorePermit,
    _task: Option<TaskConnection>,
}

/// A bound gateway, not yet serving.
pub struct Gateway {
    endpoint: Entrance,
    task_link: Option<Entrance>,
    address: SocketAddr,
    task_link_address: Option<SocketAddr>,
    builder: http1::Builder,
    shared: Arc<Shared>,
}

impl Gateway {
    /// Listens. Connections are accepted once [`Gateway::serve`] runs.
    ///
    /// # Errors
    /// [`GatewayError::TlsRequired`] for an address that is not loopback without TLS,
    /// [`GatewayError::TaskLinkNotLoopback`], [`GatewayError::Listen`] when an address cannot be used.
    pub async fn bind(config: Config, dependencies: Dependencies) -> Result<Self, GatewayError> {
        let Config { listen, region, limits, tls, task_link } = config;
        if tls.is_none() && !listen.ip().is_loopback() {
            return Err(GatewayError::TlsRequired(listen));
        }
        let secure = tls.is_some();
        let (listener, address) = bind(listen).await?;
        let slots = || Arc::new(Semaphore::new(limits.max_connections));
        let endpoint = Entrance {
            listener,
            door: Door::Endpoint,
            slots: slots(),
            tls: tls.map(|tls| TlsAcceptor::from(tls.config())),
            tasks: None,
        };
        let (mut task_link_address, mut link) = (None, None);
        if let Some(TaskLink { listen, subnet, container_instance }) = task_link {
            if !listen.ip().is_loopback() {
                return Err(GatewayError::TaskLinkNotLoopback(listen));
            }
            let (listener, address) = bind(listen).await?;
            task_link_address = Some(address);
            let tasks = TaskConnections::new(subnet, limits.max_connections_per_task);
            let (door, slots, tasks) =
                (Door::TaskLink { container_instance }, slots(), Some(tasks));
            link = Some(Entrance { listener, door, slots, tls: None, tasks });
        }
        let mut builder = http1::Builder::new();
        builder
            .timer(TokioTimer::new())
            .header_read_timeout(limits.header_timeout)
            .max_headers(limits.max_headers)
            .max_buf_size(limits.max_header_bytes.max(8192))
            .half_close(false);
        let shared = Shared {
            routes: Routes::new(dependencies.services),
            credentials: dependencies.credentials,
            clock: dependencies.clock,
            ids: dependencies.ids,
            recorder: dependencies.recorder,
            region,
            secure,
            metrics: Metrics::new(dependencies.registry),
            signing_keys: SigningKeys::new(SIGNING_KEYS),
            in_flight: Arc::new(Semaphore::new(limits.max_in_flight)),
            large_bodies: Arc::new(Semaphore::new(limits.max_large_bodies)),
            limits,
        };
        Ok(Self {
            endpoint,
            task_link: link,
            address,
            task_link_address,
            builder,
            shared: Arc::new(shared),
        })
    }

    /// The address that it listens on, with the port that was taken.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address of the tasks' door, with the port that was taken.
    pub const fn task_link_address(&self) -> Option<SocketAddr> {
        self.task_link_address
    }

    /// Takes calls that tasks of other machines make, for as long as the gateway is there.
    pub fn relayed_calls(&self) -> RelayedCalls {
        RelayedCalls::new(&self.shared)
    }

    /// The URL for clients on this machine or, with TLS, on any.
    pub fn endpoint(&self) -> String {
        let scheme = if self.endpoint.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// Serves until `shutdown` is done, then lets requests under way finish within the limit.
    pub async fn serve(self, shutdown: impl Future<Output = ()>) {
        let graceful = GracefulShutdown::new();
        let mut connections = JoinSet::new();
        let mut shutdown = std::pin::pin!(shutdown);
        loop {
            let accepted = tokio::select! {
                () = &mut shutdown => break,
                Some(ended) = connections.join_next(), if !connections.is_empty() => {
                    if let Err(error) = ended {
                        tracing::error!(%error, "a connection's task failed");
                    }
                    continue;
                }
                visitor = self.endpoint.accept() => visitor,
                visitor = accept_task(self.task_link.as_ref()) => visitor,
            };
            match accepted {
                Ok(Some(visitor)) => {
                    connections.spawn(self.connection(visitor, graceful.watcher()));
                }
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        drop((self.endpoint, self.task_link));
        let limit = self.shared.limits.shutdown_timeout;
        if tokio::time::timeout(limit, graceful.shutdown()).await.is_err() {
            tracing::warn!(open = connections.len(), "requests were cut off by the shutdown");
        }
    }

    /// One connection, from its handshake to its end.
    fn connection(
        &self,
        visitor: Visitor,
        watcher: Watcher,
    ) -> impl Future<Output = ()> + Send + 'static {
        let (shared, builder) = (Arc::clone(&self.shared), self.builder.clone());
        async move {
            let Visitor { stream, peer, door, tls, _slot, _task } = visitor;
            let _present = shared.metrics.connection();
            let from = Arrival { peer: peer.ip(), door };
            let outcome = match tls {
                None => http(&shared, &builder, stream, from, watcher).await,
                Some(tls) => {
                    let limit = shared.limits.header_timeout;
                    match tokio::time::timeout(limit, tls.accept(stream)).await {
                        Ok(Ok(stream)) => http(&shared, &builder, stream, from, watcher).await,
                        Ok(Err(error)) => {
                            tracing::debug!(%peer, %error, "TLS handshake failed");
                            Ok(())
                        }
                        Err(_) => Ok(()),
                    }
                }
            };
            if let Err(error) = outcome {
                tracing::debug!(%peer, %error, "connection ended");
            }
        }
    }
}

impl std::fmt::Debug for Gateway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gateway").field("address", &self.address).finish_non_exhaustive()
    }
}

async fn bind(listen: SocketAddr) -> Result<(TcpListener, SocketAddr), GatewayError> {
    let failed = |source| GatewayError::Listen { address: listen, source };
    let listener = TcpListener::bind(listen).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}

impl Entrance {
    /// The next connection, once there is room for it; `None` for one that was turned away.
    async fn accept(&self) -> io::Result<Option<Visitor>> {
        let slot = Arc::clone(&self.slots).acquire_owned().await.map_err(io::Error::other)?;
        let (stream, peer) = self.listener.accept().await?;
        let task = match &self.tasks {
            None => None,
            Some(tasks) => match tasks.admit(peer) {
                Some(task) => Some(task),
                None => return Ok(None),
            },
        };
        stream.set_nodelay(true)?;
        let (door, tls) = (self.door.clone(), self.tls.clone());
        Ok(Some(Visitor { stream, peer, door, tls, _slot: slot, _task: task }))
    }
}

async fn accept_task(link: Option<&Entrance>) -> io::Result<Option<Visitor>> {
    match link {
        Some(link) => link.accept().await,
        None => std::future::pending().await,
    }
}

/// Serves HTTP/1.1 on a connection.
async fn http<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    shared: &Arc<Shared>,
    builder: &http1::Builder,
    stream: S,
    from: Arrival,
    watcher: Watcher,
) -> Result<(), hyper::Error> {
    let service = service_fn(|request| {
        let (shared, from) = (Arc::clone(shared), from.clone());
        async move { Ok::<_, Infallible>(handle::request(&shared, from, request).await) }
    });
    let stream = Impatient::new(stream, shared.limits.write_timeout);
    watcher.watch(builder.serve_connection(TokioIo::new(stream), service)).await
}
