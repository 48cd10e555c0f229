//! `UpdateTaskProtection`: keeps scale-in and deployments away from tasks for a while.

use api_ecs::ops::UpdateTaskProtection;
use api_ecs::types::{Failure, UpdateTaskProtectionRequest, UpdateTaskProtectionResponse};
use domain::{DeploymentStatus, Protection, RolloutState, Task};
use policy::{Access, Authorized, Caller};
use state::{Change, View};
use wire::ApiError;

use crate::access::Kind;
use crate::error::invalid_parameter;
use crate::{EcsContext, access, arn, name};

/// The most tasks of one call.
const MAX_TASKS: usize = 10;
/// How long a protection lasts when nothing is said: two hours.
const DEFAULT_MINUTES: i32 = 120;
/// The longest protection: two days.
const MAX_MINUTES: i32 = 2880;

pub(crate) fn accesses(
    ctx: &EcsContext,
    _caller: &Caller,
    input: &UpdateTaskProtectionRequest,
) -> Vec<Access> {
    let (cluster, given) = (input.cluster.as_deref(), input.tasks.as_deref());
    access::each_in_cluster::<UpdateTaskProtection>(ctx, Kind::Task, cluster, given)
}

pub(crate) async fn execute(
    ctx: &EcsContext,
    call: Authorized<UpdateTaskProtection>,
) -> Result<UpdateTaskProtectionResponse, ApiError> {
    let input = call.input();
    let minutes = input.expires_in_minutes.unwrap_or(DEFAULT_MINUTES);
    if !(1..=MAX_MINUTES).contains(&minutes) {
        return Err(invalid_parameter(format!(
            "expiresInMinutes must be between 1 and {MAX_MINUTES}, not {minutes}."
        )));
    }
    let expires_at = ctx.now().plus_seconds(i64::from(minutes) * 60);
    let protection = input.protection_enabled.unwrap_or(false).then_some(Protection { expires_at });
    ctx.commit(|view, change| update(ctx, input, protection, view, change)).await
}

fn update(
    ctx: &EcsContext,
    input: &UpdateTaskProtectionRequest,
    protection: Option<Protection>,
    view: &View,
    change: &mut Change,
) -> Result<UpdateTaskProtectionResponse, ApiError> {
    let cluster = name::cluster(view, &ctx.scope, input.cluster.as_deref())?;
    let given = input.tasks.as_deref().unwrap_or_default();
    let (tasks, mut failures) =
        crate::protection::tasks(view, &ctx.scope, &cluster.name, given, MAX_TASKS)?;
    let mut protected: Vec<Task> = Vec::new();
    for row in tasks {
        // A task named twice is changed once.
        if protected.iter().any(|task| task.id == row.id) {
            continue;
        }
        if protection.is_some() && blocks_deployment(view, row) {
            failures.push(Failure {
                arn: Some(arn::task(&ctx.scope, &row.cluster, &row.id)),
                reason: Some("DEPLOYMENT_BLOCKED".to_owned()),
                detail: Some(
                    "A deployment that replaces the task is under way: protect it when the deployment is over."
                        .to_owned(),
                ),
            });
            continue;
        }
        let mut task = row.value.as_ref().clone();
        task.protection = protection;
        change.update(row, &task);
        protected.push(task);
    }
    let rendered =
        protected.iter().map(|task| crate::protection::render(&ctx.scope, task, ctx.now()));
    Ok(UpdateTaskProtectionResponse {
        protected_tasks: Some(rendered.collect()),
        failures: Some(failures),
    })
}

/// Whether a newer deployment under way waits for the task to go.
fn blocks_deployment(view: &View, task: &Task) -> bool {
    let service = task.service.as_deref().and_then(|name| view.service(&task.cluster, name));
    service.is_some_and(|service| {
        service.deployments.iter().any(|deployment| {
            deployment.status == DeploymentStatus::Primary
                && deployment.rollout_state == RolloutState::InProgress
                && task.started_by.as_deref() != Some(deployment.id.as_str())
        })
    })
}
