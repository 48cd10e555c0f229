//! One request of a node.

mod admission;
mod calls;
mod task_calls;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use base::{Clock, IdSource};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use iam::NodeIdentity;
use node_proto::{ControlPlane, LogSink};
use serde::Serialize;
use serde::de::DeserializeOwned;
use state::State;
use tokio::sync::Semaphore;

use crate::authority::NodeAuthority;
use crate::certificate::CertifiedNode;
use crate::messages::{LARGE_BODY, Refusal, SMALL_BODY, path};
use crate::record::{NodeAudit, NodeEvent, NodeEventKind};
use crate::sessions::Sessions;
use crate::task_call::TaskCalls;
use crate::throttle::Throttle;

/// How long a body may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(20);

/// What every request needs.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) authority: NodeAuthority,
    pub(crate) state: Arc<State>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Arc<dyn IdSource>,
    pub(crate) control_plane: Arc<dyn ControlPlane>,
    pub(crate) logs: Arc<dyn LogSink>,
    pub(crate) task_calls: Arc<dyn TaskCalls>,
    /// Room for long bodies of tasks' calls.
    pub(crate) large_calls: Semaphore,
    pub(crate) audit: Arc<dyn NodeAudit>,
    pub(crate) sessions: Arc<Sessions>,
    /// Failed joins.
    pub(crate) throttle: Throttle,
    /// Refused nodes, for the sake of the record.
    pub(crate) refusals: Throttle,
}

/// Who is at the other end of a connection.
#[derive(Debug, Clone)]
pub(crate) struct Peer {
    pub(crate) address: IpAddr,
    /// What its certificate says, if it showed one.
    pub(crate) node: Option<CertifiedNode>,
}

/// Why a request is not answered as it wants.
#[derive(Debug)]
pub(crate) struct Refused {
    status: StatusCode,
    reason: String,
}

impl Refused {
    pub(crate) fn new(status: StatusCode, reason: impl Into<String>) -> Self {
        Self { status, reason: reason.into() }
    }

    /// The body is not what the request needs.
    fn malformed() -> Self {
        Self::new(StatusCode::BAD_REQUEST, "the body is not that of this request")
    }

    /// The node may not.
    fn forbidden(reason: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, reason)
    }

    /// Something here does not work now.
    fn unavailable(reason: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, reason)
    }
}

/// An answer's body; `None` when there is nothing to say.
type Answer = Result<Option<Vec<u8>>, Refused>;

/// Answers a request.
pub(crate) async fn request(
    shared: &Shared,
    peer: &Peer,
    request: Request<Incoming>,
) -> Response<Full<Bytes>> {
    let path = request.uri().path().to_owned();
    let (status, body) = match answer(shared, peer, &path, request).await {
        Ok(Some(body)) => (StatusCode::OK, body),
        Ok(None) => (StatusCode::NO_CONTENT, Vec::new()),
        Err(Refused { status, reason }) => {
            tracing::debug!(path, %status, reason, peer = %peer.address, "a node was refused");
            (status, serde_json::to_vec(&Refusal { reason }).unwrap_or_default())
        }
    };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let json = http::HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

async fn answer(shared: &Shared, peer: &Peer, path: &str, request: Request<Incoming>) -> Answer {
    if request.method() != Method::POST {
        return Err(Refused::new(StatusCode::METHOD_NOT_ALLOWED, "requests are POST requests"));
    }
    let Some(certified) = &peer.node else {
        // Without a certificate there is one request, and nothing else is even looked at.
        if path != path::JOIN {
            return Err(Refused::forbidden(
                "a certificate is needed: without one a node can join and nothing else",
            ));
        }
        let body = body(request, SMALL_BODY).await?;
        return admission::join(shared, peer.address, &body).await;
    };
    let identity = authorize(shared, peer.address, certified).await?;
    let caller = Caller { peer, identity: &identity };
    shared.sessions.heard(&identity.instance_id);
    if path == path::TASK_CALL {
        return task_calls::answer(shared, &caller, request).await;
    }
    let limit = match path {
        path::REPORT | path::LOG_APPEND => LARGE_BODY,
        _ => SMALL_BODY,
    };
    let body = body(request, limit).await?;
    match path {
        path::RENEW => admission::renew(shared, &caller, certified).await,
        path::REGISTER => calls::register(shared, &caller, &body).await,
        path::DESIRED => calls::desired(shared, &caller, certified, &body).await,
        path::REPORT => calls::report(shared, &caller, &body).await,
        path::CREDENTIALS => calls::credentials(shared, &caller, &body).await,
        path::REFUSED => calls::refused(shared, &caller, &body).await,
        path::TAGS => calls::tags(shared, &caller, &body).await,
        path::LOG_POSITION => calls::log_position(shared, &caller, &body).await,
        path::LOG_APPEND => calls::log_append(shared, &caller, &body).await,
        _ => Err(Refused::new(
            StatusCode::NOT_FOUND,
            "there is no such request: run the same version of the program on both machines",
        )),
    }
}

/// A node whose certificate and record agree.
pub(crate) struct Caller<'a> {
    peer: &'a Peer,
    identity: &'a NodeIdentity,
}

/// The record of the instance that a certificate names, if it is this certificate's and not revoked.
fn identity(shared: &Shared, certified: &CertifiedNode) -> Result<NodeIdentity, &'static str> {
    let view = shared.state.view();
    let Some(row) = view.identities().node_identity(&certified.instance_id) else {
        return Err("the node's identity is not known: join again with a new token");
    };
    if !node_proto::same_digest(&row.key_digest, &certified.key_digest) {
        return Err("the certificate is not that of this node");
    }
    if row.revoked {
        return Err("the node's identity was revoked: it can come back as a new machine only");
    }
    Ok(row.value.as_ref().clone())
}

async fn authorize(
    shared: &Shared,
    address: IpAddr,
    certified: &CertifiedNode,
) -> Result<NodeIdentity, Refused> {
    match identity(shared, certified) {
        Ok(identity) => Ok(identity),
        Err(reason) => Err(refuse(shared, address, &certified.instance_id, reason).await),
    }
}

/// Puts on record that a node was refused: so many times a minute, and then no more.
async fn refuse(shared: &Shared, address: IpAddr, instance_id: &str, reason: &str) -> Refused {
    let now = shared.clock.now();
    if !shared.refusals.allows(address, now) {
        return Refused::forbidden(reason);
    }
    shared.refusals.failed(address, now);
    tracing::warn!(instance_id, %address, reason, "a node was refused");
    let event = NodeEvent {
        kind: NodeEventKind::Refused,
        at: now,
        source_ip: address,
        instance_id: Some(instance_id.to_owned()),
        join_token: None,
        reason: Some(reason.to_owned()),
    };
    match shared.audit.record(event).await {
        Ok(()) => Refused::forbidden(reason),
        Err(error) => Refused::unavailable(error),
    }
}

async fn body(request: Request<Incoming>, limit: usize) -> Result<Bytes, Refused> {
    let body = Limited::new(request.into_body(), limit).collect();
    match tokio::time::timeout(BODY_TIMEOUT, body).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(_)) => Err(Refused::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("the body is longer than {limit} bytes, or broke off"),
        )),
        Err(_) => Err(Refused::new(StatusCode::REQUEST_TIMEOUT, "the body took too long")),
    }
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refused> {
    serde_json::from_slice(body).map_err(|_| Refused::malformed())
}

fn json<T: Serialize>(value: &T) -> Answer {
    match serde_json::to_vec(value) {
        Ok(body) => Ok(Some(body)),
        Err(error) => Err(Refused::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())),
    }
}
