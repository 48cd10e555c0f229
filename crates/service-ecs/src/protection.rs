//! Task protection: which tasks a call means, and what their protection is answered as.

use api_ecs::types::{Failure, ProtectedTask};
use base::{Scope, Timestamp};
use domain::{DesiredStatus, Task};
use state::{Row, View};
use wire::ApiError;

use crate::error::invalid_parameter;
use crate::{arn, name, render};

/// The service's tasks among `given`, and a failure for every other one.
pub(crate) fn tasks<'a>(
    view: &'a View,
    scope: &Scope,
    cluster: &str,
    given: &[String],
    limit: usize,
) -> Result<(Vec<&'a Row<Task>>, Vec<Failure>), ApiError> {
    if given.is_empty() {
        return Err(invalid_parameter("Tasks cannot be empty."));
    }
    if given.len() > limit {
        return Err(invalid_parameter(format!(
            "tasks can have at most {limit} items, not {}.",
            given.len()
        )));
    }
    let (mut tasks, mut failures) = (Vec::new(), Vec::new());
    for given in given {
        let (own, id) = name::task(scope, given)?;
        let elsewhere = own.is_some_and(|own| own != cluster);
        let task_arn = arn::task(scope, own.unwrap_or(cluster), id);
        match view.task(id).filter(|task| !elsewhere && task.cluster == cluster) {
            None => failures.push(render::failure::missing(task_arn)),
            Some(task) if task.service.is_none() => failures.push(not_valid(
                task_arn,
                "The task is not part of a service: only tasks of a service can be protected.",
            )),
            Some(task) if task.desired_status == DesiredStatus::Stopped => {
                failures.push(not_valid(task_arn, "The task is stopping or has stopped."));
            }
            Some(task) => tasks.push(task),
        }
    }
    Ok((tasks, failures))
}

fn not_valid(task_arn: String, detail: &str) -> Failure {
    Failure {
        arn: Some(task_arn),
        reason: Some("TASK_NOT_VALID".to_owned()),
        detail: Some(detail.to_owned()),
    }
}

/// A task's protection as it is answered.
pub(crate) fn render(scope: &Scope, task: &Task, now: Timestamp) -> ProtectedTask {
    let protection = task.protection.filter(|_| task.is_protected(now));
    ProtectedTask {
        expiration_date: protection.map(|protection| protection.expires_at),
        protection_enabled: Some(protection.is_some()),
        task_arn: Some(arn::task(scope, &task.cluster, &task.id)),
    }
}
