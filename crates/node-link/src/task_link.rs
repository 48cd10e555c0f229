//! Where tasks of a node find the APIs: the node takes their calls and brings them to the control plane.

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use network::{Impatient, Subnet, TaskConnection, TaskConnections};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

use crate::channel::CallError;
use crate::messages::{MAX_CALL_BODY, MAX_CALL_HEADERS, MAX_LARGE_CALLS, SMALL_BODY};
use crate::remote::RemoteControlPlane;
use crate::task_call;

/// Open connections of all tasks; further ones wait in the kernel's backlog.
const MAX_CONNECTIONS: usize = 4096;
/// Open connections of one task; further ones are closed.
const MAX_CONNECTIONS_PER_TASK: usize = 64;
/// Calls between their headers and their answer; further ones are throttled.
const MAX_IN_FLIGHT: usize = 256;
/// Request line and headers together, in bytes.
const MAX_HEADER_BYTES: usize = 64 << 10;
/// How long the headers of a request may take, and how long a kept connection may be idle.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a body may take.
const BODY_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a task may take to accept the next part of an answer.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// How long to wait after the system refused to accept a connection, as when files run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The listener that [`network::TaskLinks`] names, not yet serving.
#[derive(Debug)]
pub struct TaskLinkListener {
    listener: TcpListener,
    port: u16,
    connections: TaskConnections,
}

/// What calls are brought with.
#[derive(Debug)]
struct Bringer {
    control_plane: Arc<RemoteControlPlane>,
    in_flight: Semaphore,
    large: Semaphore,
}

impl TaskLinkListener {
    /// Listens on 127.0.0.1, at a port of the system's choice, for tasks in `subnet`.
    ///
    /// # Errors
    /// When the system refuses.
    pub async fn bind(subnet: Subnet) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let port = listener.local_addr()?.port();
        let connections = TaskConnections::new(subnet, MAX_CONNECTIONS_PER_TASK);
        Ok(Self { listener, port, connections })
    }

    /// The port that was taken.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Brings tasks' calls to the control plane until it is dropped.
    pub async fn serve(self, control_plane: Arc<RemoteControlPlane>) {
        let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        let bringer = Arc::new(Bringer {
            control_plane,
            in_flight: Semaphore::new(MAX_IN_FLIGHT),
            large: Semaphore::new(MAX_LARGE_CALLS),
        });
        let mut tasks = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                Some(ended) = tasks.join_next() => {
                    if let Err(error) = ended {
                        tracing::error!(%error, "a connection of a task failed");
                    }
                    continue;
                }
                accepted = accept(&self.listener, &slots) => accepted,
            };
            match accepted {
                Ok((stream, peer, slot)) => {
                    let Some(task) = self.connections.admit(peer) else { continue };
                    let bringer = Arc::clone(&bringer);
                    tasks.spawn(connection(bringer, stream, peer.ip(), (slot, task)));
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection of a task");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
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

async fn connection(
    bringer: Arc<Bringer>,
    stream: TcpStream,
    task_address: IpAddr,
    _held: (OwnedSemaphorePermit, TaskConnection),
) {
    let service = service_fn(move |request| {
        let bringer = Arc::clone(&bringer);
        async move { Ok::<_, Infallible>(bringer.answer(task_address, request).await) }
    });
    let stream = TokioIo::new(Impatient::new(stream, WRITE_TIMEOUT));
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_headers(MAX_CALL_HEADERS)
        .max_buf_size(MAX_HEADER_BYTES)
        .half_close(false)
        .serve_connection(stream, service);
    if let Err(error) = served.await {
        tracing::debug!(%task_address, %error, "connection of a task ended");
    }
}

/// Why a call is answered here: in the words of the APIs, as far as they have some for it.
#[derive(Debug, Clone, Copy)]
struct Failure {
    status: StatusCode,
    code: &'static str,
    message: &'static str,
}

const THROTTLED: Failure = Failure {
    status: StatusCode::BAD_REQUEST,
    code: "Throttling",
    message: "Rate exceeded: too many requests are in flight",
};
const TOO_LARGE: Failure = Failure {
    status: StatusCode::PAYLOAD_TOO_LARGE,
    code: "RequestEntityTooLarge",
    message: "the request body is longer than 10485760 bytes",
};
const TOO_SLOW: Failure = Failure {
    status: StatusCode::REQUEST_TIMEOUT,
    code: "RequestTimeout",
    message: "the request body did not arrive within 60 s",
};
const BROKEN: Failure = Failure {
    status: StatusCode::BAD_REQUEST,
    code: "IncompleteBody",
    message: "the request body ended early",
};
const NO_PATH: Failure = Failure {
    status: StatusCode::BAD_REQUEST,
    code: "InvalidAction",
    message: "the request has no path, or its headers are too long",
};
const REFUSED: Failure = Failure {
    status: StatusCode::FORBIDDEN,
    code: "AccessDenied",
    message: "The control plane does not accept this call from this machine",
};
const UNAVAILABLE: Failure = Failure {
    status: StatusCode::SERVICE_UNAVAILABLE,
    code: "ServiceUnavailable",
    message: "The control plane did not answer; the call may have been performed",
};

impl Bringer {
    async fn answer(
        &self,
        task_address: IpAddr,
        request: Request<Incoming>,
    ) -> Response<Full<Bytes>> {
        let is_json = request.headers().contains_key("x-amz-target");
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        match self.bring(task_address, request).await {
            Ok(answer) => answer.map(Full::new),
            Err(failure) => {
                tracing::info!(%task_address, %method, path, error = failure.code, "call not brought");
                failure.answer(is_json)
            }
        }
    }

    async fn bring(
        &self,
        task_address: IpAddr,
        request: Request<Incoming>,
    ) -> Result<Response<Bytes>, Failure> {
        let _slot = self.in_flight.try_acquire().map_err(|_| THROTTLED)?;
        let (mut head, body) = request.into_parts();
        let small = u64::try_from(SMALL_BODY).unwrap_or(u64::MAX);
        let is_large = body.size_hint().upper().is_none_or(|length| length > small);
        let read = async {
            let room = if is_large { self.large.acquire().await.ok() } else { None };
            let body = Limited::new(body, MAX_CALL_BODY).collect().await;
            body.map(|body| (body.to_bytes(), room))
        };
        let (body, _room) = match tokio::time::timeout(BODY_TIMEOUT, read).await {
            Ok(Ok(read)) => read,
            Ok(Err(error)) if error.is::<LengthLimitError>() => return Err(TOO_LARGE),
            Ok(Err(_)) => return Err(BROKEN),
            Err(_) => return Err(TOO_SLOW),
        };
        task_call::remove_hop_by_hop(&mut head.headers);
        let call = Request::from_parts(head, body);
        let call = task_call::encode_call(task_address, &call).ok_or(NO_PATH)?;
        let answer = self.control_plane.task_call(call).await.map_err(|error| {
            tracing::warn!(%task_address, %error, "a call of a task was not answered");
            match error {
                CallError::Refused(..) => REFUSED,
                CallError::Stranger(_) | CallError::Unavailable(_) => UNAVAILABLE,
            }
        })?;
        let mut answer = task_call::decode_answer(&answer).ok_or(UNAVAILABLE)?;
        task_call::remove_hop_by_hop(answer.headers_mut());
        Ok(answer)
    }
}

impl Failure {
    /// As JSON for the APIs that name their operation in a header, else as XML.
    fn answer(self, is_json: bool) -> Response<Full<Bytes>> {
        let Self { status, code, message } = self;
        let (content_type, body) = if is_json {
            let suffix = if status == UNAVAILABLE.status { "" } else { "Exception" };
            let body =
                serde_json::json!({ "__type": format!("{code}{suffix}"), "message": message });
            ("application/x-amz-json-1.1", body.to_string())
        } else {
            let at = if status.is_server_error() { "Receiver" } else { "Sender" };
            let body = format!(
                "<ErrorResponse><Error><Type>{at}</Type><Code>{code}</Code>\
                 <Message>{message}</Message></Error></ErrorResponse>"
            );
            ("text/xml", body)
        };
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        let mut answer = Response::new(Full::new(Bytes::from(body)));
        *answer.status_mut() = status;
        *answer.headers_mut() = headers;
        answer
    }
}
