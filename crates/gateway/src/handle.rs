//! One request, from its headers to its answer.

use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use base::{Clock, IdSource, Region, Timestamp};
use bytes::Bytes;
use futures_util::FutureExt as _;
use http::request::Parts;
use http::{Method, StatusCode, header};
use identity::{Claim, Credential, Credentials, Door, Refusal};
use operation::{Call, CallRecord, ErrorFacts, NoRecord, Outcome, Recorder, Service, Slot, Who};
use policy::{Caller, Decisions, Principal};
use sigv4::{Expected, ParsedSignature, RequestParts, SecretKey, SignatureError, SigningKeys};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use wire::{Api, ApiError, Recorded};

use crate::authenticate;
use crate::body::{self, Arriving, Body, BodyError};
use crate::config::Limits;
use crate::metrics::Metrics;
use crate::respond::{self, HttpResponse};
use crate::route::{self, Routes, Wanted};

/// The longest body of a call without a signature.
const MAX_UNSIGNED_BYTES: usize = 64 * 1024;

/// What all requests share.
pub(crate) struct Shared {
    pub(crate) routes: Routes,
    pub(crate) credentials: Arc<dyn Credentials>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Arc<dyn IdSource>,
    pub(crate) recorder: Arc<dyn Recorder>,
    pub(crate) region: Region,
    /// Whether it serves TLS.
    pub(crate) secure: bool,
    pub(crate) limits: Limits,
    pub(crate) metrics: Metrics,
    pub(crate) signing_keys: SigningKeys,
    pub(crate) in_flight: Arc<Semaphore>,
    pub(crate) large_bodies: Arc<Semaphore>,
}

/// What is known about a request by the time it is answered; for metrics, logs and its record.
struct Exchange {
    request_id: Arc<str>,
    arrival: Arrival,
    service: &'static str,
    operation: &'static str,
    principal: Option<Arc<Principal>>,
    /// Who it is, or claims to be.
    who: Who,
    /// Whether somebody else sees to its record.
    is_recorded: bool,
    /// How errors are written: the service's API once it is known.
    api: &'static Api,
}

/// Where a request came from.
#[derive(Debug, Clone)]
pub(crate) struct Arrival {
    pub(crate) peer: IpAddr,
    pub(crate) door: Door,
}

/// Answers one request.
pub(crate) async fn request<B: Arriving>(
    shared: &Shared,
    arrival: Arrival,
    request: http::Request<B>,
) -> HttpResponse {
    let started = Instant::now();
    let (parts, mut incoming) = request.into_parts();
    if arrival.door == Door::Endpoint
        && let Some(page) = operators_page(shared, arrival.peer, &parts)
    {
        return page;
    }
    let wanted = route::wanted(&parts.headers);
    let mut exchange = Exchange {
        request_id: shared.ids.uuid().into(),
        arrival,
        service: "none",
        operation: "unknown",
        principal: None,
        who: Who::default(),
        is_recorded: false,
        api: Routes::unrouted(wanted),
    };
    let _present = shared.metrics.in_flight();
    let outcome = api_call(shared, &mut exchange, &parts, wanted, &mut incoming).await;
    let request_id = &exchange.request_id;
    let response = match outcome {
        Ok(response) => response,
        Err(error) => {
            let error = exchange.record_error(shared, &parts, error).await;
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
                source_ip = %exchange.arrival.peer,
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
async fn api_call<B: Arriving>(
    shared: &Shared,
    exchange: &mut Exchange,
    parts: &Parts,
    wanted: Wanted<'_>,
    incoming: &mut B,
) -> Result<wire::Response, ApiError> {
    if let Some(service) = shared.routes.service(wanted, None) {
        exchange.meet(service.as_ref(), wanted);
    }
    let signed = RequestParts {
        method: parts.method.as_str(),
        path: parts.uri.path(),
        query: parts.uri.query().unwrap_or_default(),
        headers: &parts.headers,
    };
    let refused = |api, error: SignatureError| respond::signature_error(api, &error);
    let signature = match sigv4::parse(&signed, shared.clock.now()) {
        Ok(signature) => signature,
        Err(SignatureError::Missing) if wanted == Wanted::Action => {
            return unsigned_call(shared, exchange, parts, incoming).await;
        }
        Err(error) => return Err(refused(exchange.api, error)),
    };
    let service = shared.routes.service(wanted, Some(&signature.service));
    if let Some(service) = service {
        exchange.meet(service.as_ref(), wanted);
    }
    let (api, arrival) = (exchange.api, exchange.arrival.clone());
    let claim = Claim {
        access_key_id: &signature.access_key_id,
        session_token: signature.session_token.as_deref(),
        source_ip: arrival.peer,
        door: &arrival.door,
        now: shared.clock.now(),
    };
    let credential = exchange.authenticate(shared, &claim)?;
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
    let verified =
        signature.verify(&signed, expected, &credential.secret, &body.bytes, &shared.signing_keys);
    if let Err(error) = verified {
        // What the request is called is not proven either; it is for the record.
        if let Ok(name) = route::operation_name(api, wanted, &parts.method, &body.bytes) {
            exchange.operation = route::known_name(api, &name);
        }
        return Err(refused(api, error));
    }
    exchange.principal = Some(Arc::clone(&credential.principal));
    let caller = exchange.caller(shared, parts, &claim, &credential);
    exchange.who = Who::from(&caller);
    let Some(service) = service else {
        return Err(shared.routes.no_service(wanted, &signature.service));
    };
    let (operation, input) = operation_and_input(api, exchange, parts, wanted, &signature, &body)?;
    let call = Call { operation, caller, body: input };
    let recorded = exchange.recorded(shared, parts)?;
    execute(Arc::clone(service), call, recorded, (in_flight, body.permit)).await
}

/// A call without a signature, of an operation that needs none.
async fn unsigned_call<B: Arriving>(
    shared: &Shared,
    exchange: &mut Exchange,
    parts: &Parts,
    incoming: &mut B,
) -> Result<wire::Response, ApiError> {
    let api = exchange.api;
    let missing = || respond::signature_error(api, &SignatureError::Missing);
    if parts.uri.path() != "/" {
        return Err(missing());
    }
    let in_flight = Arc::clone(&shared.in_flight).try_acquire_owned().map_err(|_| {
        let message = "Rate exceeded: too many requests are in flight".to_owned();
        respond::own_error(api, "Throttling", 400, message)
    })?;
    let limits = Limits { max_body_bytes: MAX_UNSIGNED_BYTES, ..shared.limits.clone() };
    let body = match body::read(incoming, &limits, &shared.large_bodies).await {
        Ok(body) => body,
        Err(BodyError::TooLong(_)) => return Err(missing()),
        Err(error) => return Err(body_error(api, &error)),
    };
    let form = if parts.method == Method::GET {
        Bytes::copy_from_slice(parts.uri.query().unwrap_or_default().as_bytes())
    } else {
        body.bytes
    };
    let found = shared.routes.unsigned(&parts.method, &form);
    let (service, unsigned, operation) = found.ok_or_else(missing)?;
    exchange.meet(service.as_ref(), Wanted::Action);
    exchange.operation = operation;
    let credential = Credential {
        secret: SecretKey::new(String::new()),
        principal: Arc::new(Principal::anonymous(unsigned.account.clone())),
        permissions: Arc::default(),
        session: Arc::default(),
    };
    let arrival = exchange.arrival.clone();
    let claim = Claim {
        access_key_id: "",
        session_token: None,
        source_ip: arrival.peer,
        door: &arrival.door,
        now: shared.clock.now(),
    };
    let caller = exchange.caller(shared, parts, &claim, &credential);
    exchange.who = Who::from(&caller);
    let call = Call { operation, caller, body: form };
    let recorded = exchange.recorded(shared, parts)?;
    execute(Arc::clone(service), call, recorded, (in_flight, body.permit)).await
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

/// Runs an operation to its end and records it: a client that goes away does not stop it half-way,
/// and a defect in it does not take the connection or the record along. `permits` are held for as
/// long as it runs.
async fn execute(
    service: Arc<dyn Service>,
    call: Call,
    (slot, record): (Box<dyn Slot>, CallRecord),
    permits: impl Send + 'static,
) -> Result<wire::Response, ApiError> {
    let operation = call.operation;
    let task = async move {
        let _permits = permits;
        let outcome = match AssertUnwindSafe(service.call(call)).catch_unwind().await {
            Ok(outcome) => outcome,
            Err(_) => {
                // The panic hook has printed its message.
                let request_id = record.request_id.as_ref();
                tracing::error!(request_id, operation, "operation failed");
                Outcome::failed(record.api, &defect(operation), request_id)
            }
        };
        let (api, request_id) = (record.api, Arc::clone(&record.request_id));
        let record = CallRecord {
            request: outcome.considered.request,
            decisions: outcome.considered.decisions,
            elements: outcome.elements,
            error: outcome.error,
            ..record
        };
        match slot.record(record).await {
            Ok(()) => outcome.response,
            Err(error) => wire::encode_error(api, &respond::no_record(&error), &request_id),
        }
    };
    tokio::spawn(task).await.map_err(|_| defect(operation))
}

fn defect(operation: &str) -> ApiError {
    let message = format!("{operation} failed; the server's log says more");
    ApiError::receiver("InternalFailure", message)
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
    fn meet(&mut self, service: &dyn Service, wanted: Wanted<'_>) {
        self.api = service.api();
        self.service = self.api.signing_name;
        if let Wanted::Target(target) = wanted
            && let Some(name) = self.api.operation_name_in_target(target)
        {
            self.operation = route::known_name(self.api, name);
        }
    }

    /// Finds the credential that is claimed, and notes whose it is said to be.
    fn authenticate(
        &mut self,
        shared: &Shared,
        claim: &Claim<'_>,
    ) -> Result<Arc<Credential>, ApiError> {
        self.who.access_key_id = claim.access_key_id.into();
        shared.credentials.find(claim).map_err(|refusal| {
            if let Refusal::BoundElsewhere { principal, task_arn } = &refusal {
                self.who.principal = Some(Arc::clone(principal));
                self.who.bound_elsewhere = Some(task_arn.clone());
            }
            authenticate::refused(self.api, &refusal)
        })
    }

    /// What goes on record, so far.
    fn record(&self, shared: &Shared, parts: &Parts) -> CallRecord {
        let text = |name| {
            let value: Option<&http::HeaderValue> = parts.headers.get(name);
            value.and_then(|value| value.to_str().ok()).map(str::to_owned)
        };
        CallRecord {
            api: self.api,
            operation: self.operation,
            who: self.who.clone(),
            request_id: Arc::clone(&self.request_id),
            source_ip: self.arrival.peer,
            source_vpce: self.source_vpce(),
            user_agent: text(header::USER_AGENT),
            host: text(header::HOST),
            secure_transport: self.is_secure(shared),
            time: shared.clock.now(),
            region: shared.region.clone(),
            request: Recorded::Absent,
            elements: Recorded::Absent,
            error: None,
            decisions: Decisions::default(),
        }
    }

    /// Room for the record of the call that comes next, and what is to be in it.
    fn recorded(
        &mut self,
        shared: &Shared,
        parts: &Parts,
    ) -> Result<(Box<dyn Slot>, CallRecord), ApiError> {
        self.is_recorded = true;
        let slot = shared.recorder.reserve().map_err(|error| respond::no_record(&error))?;
        Ok((slot, self.record(shared, parts)))
    }

    /// Records a call that was not performed. What reached no service and is nobody's is not a call.
    /// Returns what to answer.
    async fn record_error(&self, shared: &Shared, parts: &Parts, error: ApiError) -> ApiError {
        // Whose key it is, is worth knowing even if the request is for nobody: keys are tried out so.
        let is_somebody = self.principal.is_some() || self.who.bound_elsewhere.is_some();
        if self.is_recorded || (self.service == "none" && !is_somebody) {
            return error;
        }
        let mut record = self.record(shared, parts);
        record.error = Some(ErrorFacts::from(&error));
        let recorded: Result<(), NoRecord> = if self.principal.is_some() {
            match shared.recorder.reserve() {
                Ok(slot) => slot.record(record).await,
                Err(error) => Err(error),
            }
        } else {
            shared.recorder.refused(record).await
        };
        recorded.map_or_else(|no_record| respond::no_record(&no_record), |()| error)
    }

    const fn is_secure(&self, shared: &Shared) -> bool {
        matches!(self.arrival.door, Door::Endpoint) && shared.secure
    }

    /// `aws:SourceVpce`: the tasks' link is to them what an endpoint in a VPC is.
    const fn source_vpce(&self) -> Option<&'static str> {
        match self.arrival.door {
            Door::Endpoint => None,
            Door::TaskLink { .. } => Some("vpce-task-link"),
        }
    }

    fn caller(
        &self,
        shared: &Shared,
        parts: &Parts,
        claim: &Claim<'_>,
        credential: &Credential,
    ) -> Caller {
        let principal = Arc::clone(&credential.principal);
        Caller {
            permissions: Arc::clone(&credential.permissions),
            session: Arc::clone(&credential.session),
            access_key_id: claim.access_key_id.into(),
            ..self.keyless_caller(shared, parts, claim.now, principal)
        }
    }

    /// A caller to whom no policies apply.
    fn keyless_caller(
        &self,
        shared: &Shared,
        parts: &Parts,
        now: Timestamp,
        principal: Arc<Principal>,
    ) -> Caller {
        let user_agent = parts.headers.get(header::USER_AGENT);
        Caller {
            principal,
            permissions: Arc::default(),
            session: Arc::default(),
            access_key_id: "".into(),
            request_id: Arc::clone(&self.request_id),
            source_ip: self.arrival.peer,
            source_vpce: self.source_vpce(),
            user_agent: user_agent.and_then(|value| value.to_str().ok()).map(str::to_owned),
            secure_transport: self.is_secure(shared),
            time: now,
            region: shared.region.clone(),
        }
    }
}
