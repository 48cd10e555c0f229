//! One request, from its headers to its answer.

use std::net::IpAddr;
use std::sync::Arc;

use base::{Clock, IdSource, Region};
use bytes::Bytes;
use http::request::Parts;
use http::{Method, StatusCode, header};
use hyper::body::Incoming;
use operation::{Call, Service};
use policy::{Caller, Principal};
use sigv4::{Expected, ParsedSignature, RequestParts, SignatureError, SigningKeys};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use wire::{Api, ApiError};

use crate::authenticate::{self, Credentials};
use crate::body::{self, Body, BodyError};
use crate::config::Limits;
use crate::metrics::Metrics;
use crate::respond::{self, HttpResponse};
use crate::route::{self, Routes, Wanted};

/// What all requests share.
pub(crate) struct Shared {
    pub(crate) routes: Routes,
    pub(crate) credentials: Arc<dyn Credentials>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Arc<dyn IdSource>,
    pub(crate) region: Region,
    pub(crate) limits: Limits,
    pub(crate) metrics: Metrics,
    pub(crate) signing_keys: SigningKeys,
    pub(crate) in_flight: Arc<Semaphore>,
    pub(crate) large_bodies: Arc<Semaphore>,
}

/// What is known about a request by the time it is answered; for metrics and logs.
struct Exchange {
    request_id: Arc<str>,
    peer: IpAddr,
    service: &'static str,
    operation: &'static str,
    principal: Option<Arc<Principal>>,
    /// How errors are written: the service's API once it is known.
    api: &'static Api,
}

/// Answers one request.
pub(crate) async fn request(
    shared: &Shared,
    peer: IpAddr,
    request: http::Request<Incoming>,
) -> HttpResponse {
    let started = Instant::now();
    let (parts, mut incoming) = request.into_parts();
    if let Some(page) = operators_page(shared, peer, &parts) {
        return page;
    }
    let wanted = route::wanted(&parts.headers);
    let mut exchange = Exchange {
        request_id: shared.ids.uuid().into(),
        peer,
        service: "none",
        operation: "unknown",
        principal: None,
        api: Routes::unrouted(wanted),
    };
    let _present = shared.metrics.in_flight();
    let outcome = api_call(shared, &mut exchange, &parts, wanted, &mut incoming).await;
    let request_id = &exchange.request_id;
    let response = match outcome {
        Ok(response) => response,
        Err(error) => {
            body::discard(&mut incoming, &shared.limits).await;
            wire::encode_error(exchange.api, &error, request_id)
        }
    };
    let duration = started.elapsed();
    let status = response.status;
    shared.metrics.answered(exchange.service, exchange.operation, status, duration);
    // A success is a detail: the audit trail is not the log's business. A failure is not.
    macro_rules! log {
        ($level:ident) => {
            tracing::$level!(
                request_id = request_id.as_ref(),
                principal = exchange.principal.as_ref().map(|principal| principal.arn.as_str()),
                source_ip = %exchange.peer,
                service = exchange.service,
                operation = exchange.operation,
                status,
                error = response.error_type.as_deref(),
                duration_us = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX),
                "request"
            )
        };
    }
    match status {
        500.. => log!(error),
        400.. => log!(info),
        _ => log!(debug),
    }
    respond::answer(response, request_id)
}

/// `/health` and `/metrics`, unsigned, for this machine only.
fn operators_page(shared: &Shared, peer: IpAddr, parts: &Parts) -> Option<HttpResponse> {
    if parts.method != Method::GET || !peer.to_canonical().is_loopback() {
        return None;
    }
    const TEXT: &str = "text/plain; charset=utf-8";
    const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    match parts.uri.path() {
        "/health" => Some(respond::page(StatusCode::OK, TEXT, "ok\n".to_owned())),
        "/metrics" => Some(match shared.metrics.print() {
            Some(text) => respond::page(StatusCode::OK, OPEN_METRICS, text),
            None => respond::page(
                StatusCode::INTERNAL_SERVER_ERROR,
                TEXT,
                "the metrics cannot be written\n".to_owned(),
            ),
        }),
        _ => None,
    }
}

/// Routes, authenticates and dispatches. An error may leave some of the body unread.
async fn api_call(
    shared: &Shared,
    exchange: &mut Exchange,
    parts: &Parts,
    wanted: Wanted<'_>,
    incoming: &mut Incoming,
) -> Result<wire::Response, ApiError> {
    if let Some(service) = shared.routes.service(wanted, None) {
        exchange.meet(service.as_ref());
    }
    let signed = RequestParts {
        method: parts.method.as_str(),
        path: parts.uri.path(),
        query: parts.uri.query().unwrap_or_default(),
        headers: &parts.headers,
    };
    let refused = |api, error: SignatureError| respond::signature_error(api, &error);
    let signature =
        sigv4::parse(&signed, shared.clock.now()).map_err(|error| refused(exchange.api, error))?;
    let service = shared.routes.service(wanted, Some(&signature.service));
    if let Some(service) = service {
        exchange.meet(service.as_ref());
    }
    let api = exchange.api;
    let credential = authenticate::find(shared.credentials.as_ref(), &signature)
        .map_err(|error| refused(api, error))?;
    let in_flight = Arc::clone(&shared.in_flight).try_acquire_owned().map_err(|_| {
        let message = "Rate exceeded: too many requests are in flight".to_owned();
        respond::own_error(api, "Throttling", 400, message)
    })?;
    let body = body::read(incoming, &shared.limits, &shared.large_bodies)
        .await
        .map_err(|error| body_error(api, &error))?;
    let expected = Expected {
        region: shared.region.as_str(),
        service: service.map_or(signature.service.as_ref(), |one| one.api().signing_name),
    };
    signature
        .verify(&signed, expected, &credential.secret, &body.bytes, &shared.signing_keys)
        .map_err(|error| refused(api, error))?;
    exchange.principal = Some(Arc::clone(&credential.principal));
    let Some(service) = service else {
        return Err(shared.routes.no_service(wanted, &signature.service));
    };
    let caller = exchange.caller(parts, &credential.principal);
    let (operation, input) = operation_and_input(api, exchange, parts, wanted, &signature, &body)?;
    let call = Call { operation, caller, body: input };
    execute(Arc::clone(service), call, (in_flight, body.permit)).await
}

/// The operation that an authenticated request names, and where its input is.
fn operation_and_input(
    api: &'static Api,
    exchange: &mut Exchange,
    parts: &Parts,
    wanted: Wanted<'_>,
    signature: &ParsedSignature<'_>,
    body: &Body,
) -> Result<(&'static str, Bytes), ApiError> {
    if parts.uri.path() != "/" {
        let message =
            format!("{} has no path but `/`; the operation is not in the path", api.full_name);
        return Err(respond::own_error(api, "UnknownOperation", 404, message));
    }
    let in_query = parts.method == Method::GET || signature.is_presigned && body.bytes.is_empty();
    let input = match wanted {
        Wanted::Action if in_query => {
            Bytes::copy_from_slice(parts.uri.query().unwrap_or_default().as_bytes())
        }
        Wanted::Action | Wanted::Target(_) | Wanted::NoTarget => body.bytes.clone(),
    };
    let name = route::operation_name(api, wanted, &parts.method, &input)?;
    exchange.operation = route::known_name(api, &name);
    let operation = api.operation(&name)?.name;
    Ok((operation, input))
}

/// Runs an operation to its end: a client that goes away does not stop it half-way, and a defect
/// in it does not take the connection along. `permits` are held for as long as it runs.
async fn execute(
    service: Arc<dyn Service>,
    call: Call,
    permits: impl Send + 'static,
) -> Result<wire::Response, ApiError> {
    let operation = call.operation;
    let request_id = Arc::clone(&call.caller.request_id);
    let task = async move {
        let _permits = permits;
        service.call(call).await
    };
    tokio::spawn(task).await.map_err(|error| {
        tracing::error!(request_id = request_id.as_ref(), operation, %error, "operation failed");
        let message = format!("{operation} failed; the server's log says more");
        ApiError::receiver("InternalFailure", message)
    })
}

fn body_error(api: &Api, error: &BodyError) -> ApiError {
    let (name, status) = match error {
        BodyError::TooLong(_) => ("RequestEntityTooLarge", 413),
        BodyError::TooSlow(_) => ("RequestTimeout", 408),
        BodyError::Broken => ("IncompleteBody", 400),
    };
    respond::own_error(api, name, status, error.to_string())
}

impl Exchange {
    /// Notes which service the request is for.
    fn meet(&mut self, service: &dyn Service) {
        self.api = service.api();
        self.service = self.api.signing_name;
    }

    fn caller(&self, parts: &Parts, principal: &Arc<Principal>) -> Caller {
        let user_agent = parts.headers.get(header::USER_AGENT);
        Caller {
            principal: Arc::clone(principal),
            request_id: Arc::clone(&self.request_id),
            source_ip: self.peer,
            user_agent: user_agent.and_then(|value| value.to_str().ok()).map(str::to_owned),
        }
    }
}
