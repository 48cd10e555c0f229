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
use sigv4::SigningKeys;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::config::{Config, Dependencies, GatewayError};
use crate::handle::{self, Shared};
use crate::impatient::Impatient;
use crate::metrics::Metrics;
use crate::route::Routes;

/// How many derived signing keys are kept: one per access key, day and service in use.
const SIGNING_KEYS: usize = 4096;

/// How long to wait after the system refused to accept a connection, as when files run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A bound gateway, not yet serving.
pub struct Gateway {
    listener: TcpListener,
    address: SocketAddr,
    tls: Option<TlsAcceptor>,
    max_connections: usize,
    builder: http1::Builder,
    shared: Arc<Shared>,
}

impl Gateway {
    /// Listens. Connections are accepted once [`Gateway::serve`] runs.
    ///
    /// # Errors
    /// [`GatewayError::TlsRequired`] for an address that is not loopback without TLS,
    /// [`GatewayError::Listen`] when the address cannot be used.
    pub async fn bind(config: Config, dependencies: Dependencies) -> Result<Self, GatewayError> {
        let Config { listen, region, limits, tls } = config;
        if tls.is_none() && !listen.ip().is_loopback() {
            return Err(GatewayError::TlsRequired(listen));
        }
        let failed = |source| GatewayError::Listen { address: listen, source };
        let listener = TcpListener::bind(listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
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
            region,
            metrics: Metrics::new(dependencies.registry),
            signing_keys: SigningKeys::new(SIGNING_KEYS),
            in_flight: Arc::new(Semaphore::new(limits.max_in_flight)),
            large_bodies: Arc::new(Semaphore::new(limits.max_large_bodies)),
            limits,
        };
        Ok(Self {
            listener,
            address,
            tls: tls.map(|tls| TlsAcceptor::from(tls.config())),
            max_connections: shared.limits.max_connections,
            builder,
            shared: Arc::new(shared),
        })
    }

    /// The address that it listens on, with the port that was taken.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL for clients on this machine or, with TLS, on any.
    pub fn endpoint(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// Serves until `shutdown` is done, then lets requests under way finish within the limit.
    pub async fn serve(self, shutdown: impl Future<Output = ()>) {
        let slots = Arc::new(Semaphore::new(self.max_connections));
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
                accepted = accept(&self.listener, &slots) => accepted,
            };
            match accepted {
                Ok((stream, peer, slot)) => {
                    connections.spawn(self.connection(stream, peer, slot, graceful.watcher()));
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        drop(self.listener);
        let limit = self.shared.limits.shutdown_timeout;
        if tokio::time::timeout(limit, graceful.shutdown()).await.is_err() {
            tracing::warn!(open = connections.len(), "requests were cut off by the shutdown");
        }
    }

    /// One connection, from its handshake to its end.
    fn connection(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
        slot: OwnedSemaphorePermit,
        watcher: Watcher,
    ) -> impl Future<Output = ()> + Send + 'static {
        let (shared, builder, tls) =
            (Arc::clone(&self.shared), self.builder.clone(), self.tls.clone());
        async move {
            let _slot = slot;
            let _present = shared.metrics.connection();
            let outcome = match tls {
                None => http(&shared, &builder, stream, peer, watcher).await,
                Some(tls) => {
                    let limit = shared.limits.header_timeout;
                    match tokio::time::timeout(limit, tls.accept(stream)).await {
                        Ok(Ok(stream)) => http(&shared, &builder, stream, peer, watcher).await,
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

/// The next connection, once there is room for it.
async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let slot = Arc::clone(slots).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    stream.set_nodelay(true)?;
    Ok((stream, peer, slot))
}

/// Serves HTTP/1.1 on a connection.
async fn http<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    shared: &Arc<Shared>,
    builder: &http1::Builder,
    stream: S,
    peer: SocketAddr,
    watcher: Watcher,
) -> Result<(), hyper::Error> {
    let service = service_fn(|request| {
        let shared = Arc::clone(shared);
        async move { Ok::<_, Infallible>(handle::request(&shared, peer.ip(), request).await) }
    });
    let stream = Impatient::new(stream, shared.limits.write_timeout);
    watcher.watch(builder.serve_connection(TokioIo::new(stream), service)).await
}
