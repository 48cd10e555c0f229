//! From a request's head to its answer.

use std::net::Ipv4Addr;
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use http_body_util::Full;
use node_proto::{CredentialError, RefusalReason, RoleCredentials};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::{Endpoint, metadata};
use crate::live_tasks::LiveTask;

pub(super) type Answer = http::Response<Full<Bytes>>;

const HOST: &str = "169.254.170.2";
const FORWARDED: HeaderName = HeaderName::from_static("x-forwarded-for");
/// How long a task's first request waits until the control plane knows its address: credentials that are used
/// before would look stolen.
const REPORT_LIMIT: Duration = Duration::from_secs(5);

/// Why there is no answer.
enum Denial {
    /// Not to be told more, and reported.
    Refused(RefusalReason),
    /// There is nothing here.
    NotFound(&'static str),
    /// Not now.
    Later(&'static str),
}

impl Endpoint {
    /// Answers a request of the task at `peer`.
    pub(super) async fn answer(&self, peer: Ipv4Addr, head: &Parts) -> Answer {
        let now = self.clock.now();
        let Some((task, reported)) = self.tasks.at(peer) else {
            return forbidden();
        };
        if !self.tasks.may_ask(peer, now) {
            let message = "rate exceeded: ask less often, and keep credentials until they expire";
            return failure(StatusCode::TOO_MANY_REQUESTS, "ThrottlingException", message);
        }
        match self.answer_task(&task, reported, head).await {
            Ok(body) => respond(StatusCode::OK, &body),
            Err(Denial::Refused(reason)) => {
                self.refusals.count(&task, reason, now);
                forbidden()
            }
            Err(Denial::NotFound(message)) => {
                failure(StatusCode::NOT_FOUND, "ResourceNotFoundException", message)
            }
            Err(Denial::Later(message)) => {
                failure(StatusCode::SERVICE_UNAVAILABLE, "CredentialsUninitialized", message)
            }
        }
    }

    async fn answer_task(
        &self,
        task: &LiveTask,
        reported: watch::Receiver<bool>,
        head: &Parts,
    ) -> Result<Value, Denial> {
        plain_request(head).map_err(Denial::Refused)?;
        let path = head.uri.path();
        let segments: Vec<&str> = path.split('/').skip(1).collect();
        match segments.as_slice() {
            ["v2", "credentials", id] => {
                self.may_have_credentials(task, id, &head.headers).map_err(Denial::Refused)?;
                self.credentials(task, reported).await
            }
            ["v4", container, rest @ ..] => {
                let index = container_index(task, container)
                    .ok_or(Denial::Refused(RefusalReason::ForeignTask))?;
                let zone = &self.zone;
                match rest {
                    [] => metadata::container(task, index).ok_or(Denial::NotFound("no container")),
                    ["task"] => Ok(metadata::task(task, zone)),
                    ["taskWithTags"] => Ok(self.task_with_tags(task).await),
                    ["stats"] => Ok(self.stats(task, index).await),
                    ["task", "stats"] => Ok(self.all_stats(task).await),
                    _ => Err(Denial::NotFound("there is no such metadata")),
                }
            }
            _ => Err(Denial::NotFound("there are credentials at /v2 and metadata at /v4")),
        }
    }

    /// The path names the task's credentials and the header has the token of one of its containers.
    fn may_have_credentials(
        &self,
        task: &LiveTask,
        id: &str,
        headers: &HeaderMap,
    ) -> Result<(), RefusalReason> {
        let assignment = &task.assignment;
        // Only its own containers ever learn the path; it is not what keeps others out.
        if id != self.tokens.credentials_id(&assignment.task_id) {
            return Err(RefusalReason::ForeignTask);
        }
        let mut given = headers.get_all(header::AUTHORIZATION).iter();
        let token = match (given.next(), given.next()) {
            (None, _) => return Err(RefusalReason::NoToken),
            (Some(token), None) => token.as_bytes(),
            (Some(_), Some(_)) => return Err(RefusalReason::WrongToken),
        };
        let containers = assignment.containers.iter().map(|container| container.id.as_str());
        let known = self.tokens.is_of_task(token, &assignment.task_id, containers);
        if known { Ok(()) } else { Err(RefusalReason::WrongToken) }
    }

    async fn credentials(
        &self,
        task: &LiveTask,
        mut reported: watch::Receiver<bool>,
    ) -> Result<Value, Denial> {
        let assignment = &task.assignment;
        if assignment.spec.task_role_arn.is_none() {
            return Err(Denial::NotFound("the task has no task role"));
        }
        let known = reported.wait_for(|reported| *reported);
        if !matches!(tokio::time::timeout(REPORT_LIMIT, known).await, Ok(Ok(_))) {
            return Err(Denial::Later("the task's address is not known yet: try again"));
        }
        match self.keeper.current(&assignment.task_id).await {
            Ok(credentials) => Ok(credentials_body(&credentials)),
            Err(error) => {
                tracing::warn!(task = assignment.task_id, %error, "no credentials for a task");
                Err(match error {
                    CredentialError::Refused { .. } => Denial::NotFound("the task has stopped"),
                    CredentialError::NotAssumable { .. } => {
                        Denial::Later("the task role cannot be assumed (any more)")
                    }
                    CredentialError::Unavailable { .. } => {
                        Denial::Later("there are no credentials now: try again")
                    }
                })
            }
        }
    }
}

/// Asked directly, with no more than it takes. A name that was rebound to the address is in `Host`, a proxy leaves
/// `X-Forwarded-For`, and no client of ours sends a body.
fn plain_request(head: &Parts) -> Result<(), RefusalReason> {
    let mut hosts = head.headers.get_all(header::HOST).iter();
    let host = (hosts.next(), hosts.next());
    let absolute = head.uri.authority().is_some();
    if absolute || !matches!(host, (Some(host), None) if host.as_bytes() == HOST.as_bytes()) {
        return Err(RefusalReason::WrongHost);
    }
    if head.headers.contains_key(FORWARDED) {
        return Err(RefusalReason::Forwarded);
    }
    if head.method != Method::GET {
        return Err(RefusalReason::WrongMethod);
    }
    Ok(())
}

fn container_index(task: &LiveTask, id: &str) -> Option<usize> {
    task.assignment.containers.iter().position(|container| container.id == id)
}

fn credentials_body(credentials: &RoleCredentials) -> Value {
    json!({
        "RoleArn": credentials.role_arn,
        "AccessKeyId": credentials.access_key_id,
        "SecretAccessKey": credentials.secret_access_key.expose(),
        "Token": credentials.session_token.expose(),
        "Expiration": credentials.expires_at.to_string(),
    })
}

/// The same for every reason: whoever guesses learns nothing.
fn forbidden() -> Answer {
    failure(StatusCode::FORBIDDEN, "AccessDeniedException", "access denied")
}

/// An error in the shape of the ECS agent's.
fn failure(status: StatusCode, code: &str, message: &str) -> Answer {
    let body = json!({"code": code, "message": message, "HTTPErrorCode": status.as_u16()});
    respond(status, &body)
}

fn respond(status: StatusCode, body: &Value) -> Answer {
    let mut answer = http::Response::new(Full::new(Bytes::from(body.to_string())));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}
