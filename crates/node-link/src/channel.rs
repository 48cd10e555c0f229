//! A connection to the control plane that comes back by itself.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;

use crate::certificate::SERVER_NAME;
use crate::messages::{MAX_ANSWER, Refusal};

/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Connections of a [`Pool`].
const POOL_CONNECTIONS: usize = 16;
/// A connection of a [`Pool`] that was idle for this long is not used again: the other end closes it
/// after 90 s.
const IDLE_LIMIT: Duration = Duration::from_secs(60);

/// Where a control plane's listener for nodes is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    host: String,
    port: u16,
}

impl Endpoint {
    /// Reads `https://HOST:PORT`; `None` for anything else.
    pub fn parse(url: &str) -> Option<Self> {
        let uri: Uri = url.parse().ok()?;
        let bare = matches!(uri.path(), "" | "/") && uri.query().is_none();
        if uri.scheme_str() != Some("https") || !bare {
            return None;
        }
        let host = uri.host()?.trim_matches(['[', ']']).to_owned();
        Some(Self { host, port: uri.port_u16()? })
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "https://[{}]:{}", self.host, self.port)
        } else {
            write!(f, "https://{}:{}", self.host, self.port)
        }
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CallError {
    /// The other end is not the control plane that this node trusts.
    Stranger(String),
    /// It cannot be reached, or cannot answer now.
    Unavailable(String),
    /// It refused, with this status.
    Refused(StatusCode, String),
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stranger(reason) | Self::Unavailable(reason) | Self::Refused(_, reason) => {
                f.write_str(reason)
            }
        }
    }
}

/// When a request may be sent again on a new connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Repeat {
    Always,
    /// When nothing of it has been sent.
    Unsent,
}

/// Why a connection brought no answer.
struct Broken {
    error: CallError,
    /// Whether the other end may have got the request.
    was_sent: bool,
}

/// With which certificate to connect; may change.
#[derive(Debug)]
pub(crate) struct Credentials {
    current: Mutex<(u64, Arc<ClientConfig>)>,
}

impl Credentials {
    pub(crate) fn new(config: ClientConfig) -> Self {
        Self { current: Mutex::new((0, Arc::new(config))) }
    }

    /// Connections made from now on use this.
    pub(crate) fn replace(&self, config: ClientConfig) {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        *current = (current.0.saturating_add(1), Arc::new(config));
    }

    fn current(&self) -> (u64, Arc<ClientConfig>) {
        self.current.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// One connection; requests wait for each other.
pub(crate) struct Channel {
    endpoint: Endpoint,
    credentials: Arc<Credentials>,
    connection: tokio::sync::Mutex<Option<Connection>>,
}

struct Connection {
    /// Which credentials it was made with.
    version: u64,
    sender: SendRequest<Full<Bytes>>,
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

impl Channel {
    pub(crate) fn new(endpoint: Endpoint, credentials: Arc<Credentials>) -> Self {
        Self { endpoint, credentials, connection: tokio::sync::Mutex::default() }
    }

    /// Sends a request, on a new connection where there is none, and returns the answer's body;
    /// `None` when there is nothing to say. `limit` is for all of it. The request may arrive twice.
    pub(crate) async fn post(
        &self,
        path: &str,
        body: Bytes,
        limit: Duration,
    ) -> Result<Option<Bytes>, CallError> {
        self.send(path, body, limit, Repeat::Always).await
    }

    /// As [`Channel::post`], for a request that must not arrive twice.
    pub(crate) async fn post_once(
        &self,
        path: &str,
        body: Bytes,
        limit: Duration,
    ) -> Result<Option<Bytes>, CallError> {
        self.send(path, body, limit, Repeat::Unsent).await
    }

    async fn send(
        &self,
        path: &str,
        body: Bytes,
        limit: Duration,
        repeat: Repeat,
    ) -> Result<Option<Bytes>, CallError> {
        let mut slot = self.connection.lock().await;
        // Taken out: whatever goes wrong, or whoever stops waiting, leaves no half-used connection.
        let version = self.credentials.current().0;
        let usable =
            slot.take().filter(|known| known.version == version && !known.sender.is_closed());
        let exchange = async {
            if let Some(mut known) = usable {
                // The other end may just have closed it.
                match self.exchange(&mut known, path, body.clone()).await {
                    Ok(answer) => return Ok((known, answer)),
                    Err(broken) if broken.was_sent && repeat == Repeat::Unsent => {
                        return Err(broken.error);
                    }
                    Err(_) => {}
                }
            }
            let mut new = self.connect().await?;
            let answer = self.exchange(&mut new, path, body).await;
            Ok((new, answer.map_err(|broken| broken.error)?))
        };
        let done = tokio::time::timeout(limit, exchange).await;
        let (connection, (status, answer)) = done.map_err(|_| {
            CallError::Unavailable(format!("no answer to {path} within {} s", limit.as_secs()))
        })??;
        *slot = Some(connection);
        drop(slot);
        match status {
            StatusCode::OK => Ok(Some(answer)),
            StatusCode::NO_CONTENT => Ok(None),
            status => Err(refusal(status, &answer)),
        }
    }

    async fn connect(&self) -> Result<Connection, CallError> {
        let (version, config) = self.credentials.current();
        let connect = async {
            let stream =
                TcpStream::connect((self.endpoint.host.as_str(), self.endpoint.port)).await?;
            stream.set_nodelay(true)?;
            let name = ServerName::try_from(SERVER_NAME).map_err(io::Error::other)?;
            TlsConnector::from(config).connect(name, stream).await
        };
        let connected = tokio::time::timeout(CONNECT_TIMEOUT, connect).await;
        let endpoint = &self.endpoint;
        let stream = connected
            .map_err(|_| CallError::Unavailable(format!("connecting to {endpoint} took too long")))?
            .map_err(|error| of_connect(endpoint, &error))?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| CallError::Unavailable(format!("{endpoint}: {error}")))?;
        // Its error reaches the request that was under way.
        tokio::spawn(connection);
        Ok(Connection { version, sender })
    }

    async fn exchange(
        &self,
        connection: &mut Connection,
        path: &str,
        body: Bytes,
    ) -> Result<(StatusCode, Bytes), Broken> {
        let failed = |what: &dyn fmt::Display, was_sent| {
            let error = CallError::Unavailable(format!("{}: {what}", self.endpoint));
            Broken { error, was_sent }
        };
        let request = Request::post(path)
            .header(header::HOST, SERVER_NAME)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(body))
            .map_err(|error| failed(&error, false))?;
        connection.sender.ready().await.map_err(|error| failed(&error, false))?;
        let sent = connection.sender.try_send_request(request).await;
        // With TLS 1.3 a client learns with its first answer that its certificate was refused.
        let answer = sent.map_err(|mut error| {
            let was_sent = error.take_message().is_none();
            failed(error.error(), was_sent)
        })?;
        let (head, body) = answer.into_parts();
        let body =
            Limited::new(body, MAX_ANSWER).collect().await.map_err(|error| failed(&error, true))?;
        Ok((head.status, body.to_bytes()))
    }
}

/// So many connections, made when they are needed, for requests that must not wait for each other
/// nor arrive twice.
#[derive(Debug)]
pub(crate) struct Pool {
    endpoint: Endpoint,
    credentials: Arc<Credentials>,
    slots: Semaphore,
    /// With the time of the last answer.
    idle: Mutex<Vec<(Channel, Instant)>>,
}

impl Pool {
    pub(crate) fn new(endpoint: Endpoint, credentials: Arc<Credentials>) -> Self {
        let slots = Semaphore::new(POOL_CONNECTIONS);
        Self { endpoint, credentials, slots, idle: Mutex::default() }
    }

    /// As [`Channel::post_once`]; the limit includes the wait for a connection.
    pub(crate) async fn post(
        &self,
        path: &str,
        body: Bytes,
        limit: Duration,
    ) -> Result<Option<Bytes>, CallError> {
        let end = Instant::now() + limit;
        let slot = tokio::time::timeout_at(end, self.slots.acquire()).await;
        let _slot = slot.map_err(|_| CallError::Unavailable("too many calls".to_owned()))?;
        let channel = self.take();
        let limit = end.saturating_duration_since(Instant::now());
        let answer = channel.post_once(path, body, limit).await;
        self.idle().push((channel, Instant::now()));
        answer
    }

    fn take(&self) -> Channel {
        let mut idle = self.idle();
        // The last one that was used first, so that others grow old.
        idle.retain(|(_, since)| since.elapsed() < IDLE_LIMIT);
        let known = idle.pop();
        drop(idle);
        let new = || Channel::new(self.endpoint.clone(), Arc::clone(&self.credentials));
        known.map_or_else(new, |(channel, _)| channel)
    }

    fn idle(&self) -> MutexGuard<'_, Vec<(Channel, Instant)>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn refusal(status: StatusCode, answer: &[u8]) -> CallError {
    let reason = serde_json::from_slice::<Refusal>(answer)
        .map_or_else(|_| format!("the control plane answered {status}"), |refusal| refusal.reason);
    let later = status.is_server_error()
        || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT);
    if later { CallError::Unavailable(reason) } else { CallError::Refused(status, reason) }
}

fn of_connect(endpoint: &Endpoint, error: &io::Error) -> CallError {
    let cause = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let reason = format!("cannot connect to {endpoint}: {error}");
    match cause {
        Some(rustls::Error::InvalidCertificate(_)) => CallError::Stranger(reason),
        Some(_) | None => CallError::Unavailable(reason),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_a_host_and_a_port() {
        let check = |url: &str, expected: Option<&str>| {
            let shown = Endpoint::parse(url).map(|endpoint| endpoint.to_string());
            assert_eq!(shown.as_deref(), expected, "{url}");
        };
        check("https://control.example:4511", Some("https://control.example:4511"));
        check("https://[::1]:4511/", Some("https://[::1]:4511"));
        check("http://control.example:4511", None);
        check("https://control.example", None);
        check("https://control.example:4511/path", None);
        check("control.example:4511", None);
    }
}
