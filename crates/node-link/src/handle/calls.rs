//! What a node that has joined may ask: for its own instance, and about tasks placed on it.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use node_proto::{
    CredentialRequest, DesiredSet, LinkError, LogBatch, LogSinkError, LogSource, LogTarget,
    RefusedAttempts, Registration, TagsRequest, TaskReport, default_log_group,
};
use tokio::time::Instant;

use super::{Answer, Caller, Refused, Shared, identity, json, parse, refuse};
use crate::certificate::CertifiedNode;
use crate::frames;
use crate::messages::{LogHead, MAX_ENTRIES, POLL, PollRequest, RegisterAnswer};

/// How long a node whose identity is revoked may wait in a poll.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// Refuses a node that speaks for another instance.
async fn own(shared: &Shared, caller: &Caller<'_>, instance_id: &str) -> Result<(), Refused> {
    if instance_id == caller.identity.instance_id {
        return Ok(());
    }
    let reason = "it spoke for another instance than its own";
    Err(refuse(shared, caller.peer.address, &caller.identity.instance_id, reason).await)
}

/// Refuses a node that speaks of a task that is placed elsewhere. One that is not known any more is
/// nobody's.
async fn own_tasks<'a>(
    shared: &Shared,
    caller: &Caller<'_>,
    mut tasks: impl Iterator<Item = &'a str> + Send,
) -> Result<(), Refused> {
    let own = &caller.identity.instance_id;
    let all = {
        let view = shared.state.view();
        tasks.all(|id| view.task(id).is_none_or(|task| task.container_instance == *own))
    };
    if all {
        return Ok(());
    }
    let reason = "it spoke of a task that is placed elsewhere";
    Err(refuse(shared, caller.peer.address, own, reason).await)
}

fn limited(entries: usize) -> Result<(), Refused> {
    if entries <= MAX_ENTRIES {
        return Ok(());
    }
    Err(Refused::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        format!("{entries} entries are more than {MAX_ENTRIES}"),
    ))
}

fn of_link(error: LinkError) -> Refused {
    match error {
        LinkError::Refused { reason } => Refused::forbidden(reason),
        LinkError::Unavailable { reason } => Refused::unavailable(reason),
    }
}

pub(super) async fn register(shared: &Shared, caller: &Caller<'_>, body: &[u8]) -> Answer {
    let registration: Registration = parse(body)?;
    own(shared, caller, &registration.instance_id).await?;
    if registration.cluster != caller.identity.cluster {
        let reason = "it registered in another cluster than its token was for";
        let id = &caller.identity.instance_id;
        return Err(refuse(shared, caller.peer.address, id, reason).await);
    }
    let id = registration.instance_id.clone();
    let mut receiver = shared.control_plane.register(registration).await.map_err(of_link)?;
    let desired = Arc::clone(&receiver.borrow_and_update());
    let session = shared.sessions.begin(&id, receiver);
    json(&RegisterAnswer { session, desired })
}

/// The desired set, as soon as it is not the one that the node has; nothing when there is no news.
pub(super) async fn desired(
    shared: &Shared,
    caller: &Caller<'_>,
    certified: &CertifiedNode,
    body: &[u8],
) -> Answer {
    let PollRequest { session, after } = parse(body)?;
    let id = &caller.identity.instance_id;
    let Some(mut receiver) = shared.sessions.receiver(id, session) else {
        return Err(Refused::new(StatusCode::CONFLICT, "the node has to register again"));
    };
    let end = Instant::now() + POLL;
    loop {
        // It may have been revoked while it waited.
        identity(shared, certified).map_err(Refused::forbidden)?;
        let newest: Arc<DesiredSet> = Arc::clone(&receiver.borrow_and_update());
        if newest.generation != after {
            return json(newest.as_ref());
        }
        let look = (Instant::now() + LOOK_INTERVAL).min(end);
        match tokio::time::timeout_at(look, receiver.changed()).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return Err(Refused::unavailable("the control plane is ending")),
            Err(_) if Instant::now() >= end => return Ok(None),
            Err(_) => {}
        }
    }
}

pub(super) async fn report(shared: &Shared, caller: &Caller<'_>, body: &[u8]) -> Answer {
    let reports: Vec<TaskReport> = parse(body)?;
    limited(reports.len())?;
    own_tasks(shared, caller, reports.iter().map(|report| report.task_id.as_str())).await?;
    shared.control_plane.report(reports).await.map_err(of_link)?;
    Ok(None)
}

/// What the control plane says of credentials, good or bad, is the answer.
pub(super) async fn credentials(shared: &Shared, caller: &Caller<'_>, body: &[u8]) -> Answer {
    let request: CredentialRequest = parse(body)?;
    own(shared, caller, &request.instance_id).await?;
    own_tasks(shared, caller, std::iter::once(request.task_id.as_str())).await?;
    json(&shared.control_plane.credentials(request).await)
}

pub(super) async fn refused(shared: &Shared, caller: &Caller<'_>, body: &[u8]) -> Answer {
    let attempts: RefusedAttempts = parse(body)?;
    own(shared, caller, &attempts.instance_id).await?;
    limited(attempts.attempts.len())?;
    own_tasks(shared, caller, attempts.attempts.iter().map(|one| one.task_id.as_str())).await?;
    shared.control_plane.refused(attempts).await.map_err(of_link)?;
    Ok(None)
}

pub(super) async fn tags(shared: &Shared, caller: &Caller<'_>, body: &[u8]) -> Answer {
    let request: TagsRequest = parse(body)?;
    own(shared, caller, &request.instance_id).await?;
    own_tasks(shared, caller, std::iter::once(request.task_id.as_str())).await?;
    json(&shared.control_plane.tags(request).await.map_err(of_link)?)
}

/// Where a container's output goes. The control plane says so, not the node: it could name any
/// stream of any other task.
async fn log_source(
    shared: &Shared,
    caller: &Caller<'_>,
    head: &LogHead,
) -> Result<LogSource, Refused> {
    own_tasks(shared, caller, std::iter::once(head.task_id.as_str())).await?;
    let view = shared.state.view();
    let gone =
        || Refused::new(StatusCode::NOT_FOUND, "there is no such task or container any more");
    let task = view.task(&head.task_id).ok_or_else(gone)?;
    let definition = view.task_definition(&task.task_definition).ok_or_else(gone)?;
    let mut containers = definition.spec.containers.iter();
    let container =
        containers.find(|container| container.name == head.container).ok_or_else(gone)?;
    Ok(LogSource {
        task_id: head.task_id.clone(),
        container: head.container.clone(),
        target: LogTarget::of(container, &default_log_group(task), &head.task_id),
    })
}

fn of_sink(error: LogSinkError) -> Refused {
    match error {
        LogSinkError::Unreachable(reason) => Refused::unavailable(reason),
        LogSinkError::Failed(reason) => Refused::new(StatusCode::UNPROCESSABLE_ENTITY, reason),
    }
}

pub(super) async fn log_position(shared: &Shared, caller: &Caller<'_>, body: &[u8]) -> Answer {
    let head: LogHead = parse(body)?;
    let source = log_source(shared, caller, &head).await?;
    json(&shared.logs.position(&source).await.map_err(of_sink)?)
}

pub(super) async fn log_append(shared: &Shared, caller: &Caller<'_>, body: &[u8]) -> Answer {
    let (head, lines): (LogHead, _) = frames::decode(body).ok_or_else(Refused::malformed)?;
    let source = log_source(shared, caller, &head).await?;
    let position = head.position.as_deref().ok_or_else(Refused::malformed)?;
    let batch = LogBatch { after: head.after.as_deref(), position, lines: &lines };
    shared.logs.append(&source, batch).await.map_err(of_sink)?;
    Ok(None)
}
