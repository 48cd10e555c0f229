//! API calls of tasks, which their nodes bring.

use std::net::IpAddr;
use std::time::Duration;

use domain::TaskStatus;
use http::Request;
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use tokio::time::Instant;

use super::{Answer, BODY_TIMEOUT, Caller, Refused, Shared, body, refuse};
use crate::messages::{MAX_CALL_BODY, MAX_CALL_HEAD, SMALL_BODY};
use crate::task_call::{self, TaskCall};

/// How long the report that says which address a task has may be on its way, and how often it is
/// looked for.
const REPORT_WAIT: Duration = Duration::from_secs(2);
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

pub(super) async fn answer(
    shared: &Shared,
    caller: &Caller<'_>,
    request: Request<Incoming>,
) -> Answer {
    let small = u64::try_from(SMALL_BODY).unwrap_or(u64::MAX);
    let is_large = request.body().size_hint().upper().is_none_or(|length| length > small);
    let _room = if is_large {
        let room = tokio::time::timeout(BODY_TIMEOUT, shared.large_calls.acquire()).await;
        Some(room.map_err(|_| Refused::unavailable("too many long calls at the same time"))?)
    } else {
        None
    };
    let bytes = body(request, MAX_CALL_HEAD.saturating_add(MAX_CALL_BODY)).await?;
    let call = task_call::decode_call(&bytes);
    drop(bytes);
    let (task_address, request) = call.ok_or_else(Refused::malformed)?;
    let instance_id = &caller.identity.instance_id;
    if !is_of_a_task(shared, instance_id, task_address).await {
        let reason = "it spoke for an address that no task of its own has";
        return Err(refuse(shared, caller.peer.address, instance_id, reason).await);
    }
    let call = TaskCall { container_instance: instance_id.clone(), task_address, request };
    let Some(answer) = shared.task_calls.answer(call).await else {
        return Err(Refused::unavailable("the control plane is ending"));
    };
    let (head, body) = answer.into_parts();
    // It is at hand.
    let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    match task_call::encode_answer(&http::Response::from_parts(head, body)) {
        Some(answer) => Ok(Some(answer.into())),
        None => Err(Refused::unavailable("the answer has too many headers")),
    }
}

/// Whether the address is that of a task which is placed on the instance and has not stopped.
async fn is_of_a_task(shared: &Shared, instance_id: &str, address: IpAddr) -> bool {
    let end = Instant::now() + REPORT_WAIT;
    loop {
        let found = {
            let view = shared.state.view();
            view.tasks_on(instance_id).any(|task| {
                let own = task.address.as_deref().and_then(|text| text.parse::<IpAddr>().ok());
                task.last_status != TaskStatus::Stopped && own == Some(address)
            })
        };
        if found || Instant::now() >= end {
            return found;
        }
        tokio::time::sleep(LOOK_INTERVAL).await;
    }
}
