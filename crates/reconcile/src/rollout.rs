//! How far the deployments of a service are: completion, circuit breaker, roll-back.

use base::Timestamp;
use domain::{
    Deployment, DeploymentStatus, HealthStatus, RolloutState, SchedulingStrategy,
    ServiceDeployment, ServiceDeploymentStatus, Task, TaskStatus,
};

use crate::service::{MAX_RECORDS, Planner};
use crate::tally::{HEALTHY_AFTER_MS, Standing, Tally};
use crate::throttle::{Throttle, counts_as_failure, never_ran};

/// Why a deployment went back, in ECS's words.
pub const BREAKER_ROLLBACK_REASON: &str = "Service deployment rolled back because the circuit \
     breaker threshold was exceeded.";

/// `rolloutStateReason` of a deployment under way, in ECS's words.
pub fn deployment_in_progress_reason(deployment_id: &str) -> String {
    format!("ECS deployment {deployment_id} in progress.")
}

/// Counts failures, opens the circuit breaker, carries out requests to stop, sets the throttle.
/// After this, the service's primary deployment is the one to work for.
pub(crate) fn judge(planner: &mut Planner<'_, '_>) {
    take_up(planner);
    stop_requested(planner);
    count_failures(planner);
    let Some(primary) = planner.service.primary() else { return };
    let tasks = &planner.snapshot.tasks;
    planner.throttle = Throttle::of(primary, tasks, planner.service.desired_count);
    if let Some(until) = planner.throttle.not_before.filter(|until| *until > planner.snapshot.now) {
        planner.throttled(until);
    }
    if let Some(until) = planner.throttle.until().filter(|until| *until > planner.snapshot.now) {
        planner.wake_at(until);
    }
}

/// Words for a record whose deployment was overtaken.
const OVERTAKEN: &str = "A new service deployment was started for the service.";

/// The record of a deployment that nobody has looked at is now under way; those of deployments that
/// a newer one has overtaken are over.
fn take_up(planner: &mut Planner<'_, '_>) {
    let now = planner.snapshot.now;
    let Some(primary) = planner.service.primary() else { return };
    let (own, revision) = (&primary.service_deployment_id, &primary.service_revision_id);
    let (current, mut others): (Vec<_>, Vec<_>) =
        planner.records.iter_mut().partition(|record| record.id == *own);
    for record in current {
        if record.status == ServiceDeploymentStatus::Pending {
            record.status = ServiceDeploymentStatus::InProgress;
            record.started_at = Some(now);
            record.updated_at = now;
        }
    }
    // One that is going back to what is primary now is not overtaken.
    others.retain(|record| {
        record.status != ServiceDeploymentStatus::RollbackInProgress
            || record.rollback.as_ref().is_none_or(|(target, _)| target != revision)
    });
    abandon(others.into_iter().take(MAX_RECORDS / 2), OVERTAKEN, now);
}

/// Ends the records of deployments that nobody goes on with.
pub(crate) fn abandon<'r>(
    records: impl IntoIterator<Item = &'r mut ServiceDeployment>,
    reason: &str,
    now: Timestamp,
) {
    for record in records {
        if record.status.is_final() {
            continue;
        }
        record.status = match record.status {
            ServiceDeploymentStatus::RollbackInProgress => ServiceDeploymentStatus::RollbackFailed,
            ServiceDeploymentStatus::Pending
            | ServiceDeploymentStatus::InProgress
            | ServiceDeploymentStatus::Successful
            | ServiceDeploymentStatus::Stopped
            | ServiceDeploymentStatus::StopRequested
            | ServiceDeploymentStatus::RollbackRequested
            | ServiceDeploymentStatus::RollbackSuccessful
            | ServiceDeploymentStatus::RollbackFailed => ServiceDeploymentStatus::Stopped,
        };
        record.status_reason = Some(reason.to_owned());
        record.finished_at = Some(now);
        record.updated_at = now;
    }
}

/// Why a deployment is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    /// Too many of its tasks failed.
    Breaker,
    /// `StopServiceDeployment`.
    Request,
}

/// `StopServiceDeployment`: back to the last completed deployment, or just no further.
fn stop_requested(planner: &mut Planner<'_, '_>) {
    let Some(primary) = planner.service.primary() else { return };
    let id = primary.service_deployment_id.clone();
    let Some(record) = planner.records.iter().find(|record| record.id == id) else { return };
    match record.status {
        ServiceDeploymentStatus::RollbackRequested => fail(planner, Cause::Request, true),
        ServiceDeploymentStatus::StopRequested => fail(planner, Cause::Request, false),
        ServiceDeploymentStatus::Pending
        | ServiceDeploymentStatus::InProgress
        | ServiceDeploymentStatus::Successful
        | ServiceDeploymentStatus::Stopped
        | ServiceDeploymentStatus::RollbackInProgress
        | ServiceDeploymentStatus::RollbackSuccessful
        | ServiceDeploymentStatus::RollbackFailed => {}
    }
}

fn count_failures(planner: &mut Planner<'_, '_>) {
    let Some(primary) = planner.service.primary() else { return };
    if primary.rollout_state != RolloutState::InProgress {
        return;
    }
    let id = primary.id.clone();
    let breaker = planner.service.deployment_configuration.circuit_breaker;
    let resets = breaker.is_some_and(|breaker| breaker.reset_on_healthy_task);
    let reset_at =
        if resets { became_healthy_at(primary, planner) } else { primary.failures_reset_at };
    let failed_tasks = failures(primary, reset_at, planner);
    let deployment = planner.service.deployments.iter_mut().find(|deployment| deployment.id == id);
    if let Some(deployment) = deployment {
        deployment.failed_tasks = failed_tasks;
        deployment.failures_reset_at = reset_at;
    }
    let Some(breaker) = breaker else { return };
    if failed_tasks >= breaker.failures_allowed(planner.service.desired_count) {
        for record in planner.records.iter_mut().filter(|record| record.deployment_id == id) {
            record.breaker_triggered = true;
            record.breaker_failures = failed_tasks;
        }
        fail(planner, Cause::Breaker, breaker.rollback);
    }
}

/// The last moment at which a task of the deployment became healthy. Without health check that
/// follows from its start. With one, it is the moment at which the task is first seen healthy: a
/// task that started before the known moment has been seen.
fn became_healthy_at(deployment: &Deployment, planner: &Planner<'_, '_>) -> Option<Timestamp> {
    let known = deployment.failures_reset_at;
    let now = planner.snapshot.now;
    let moments = Tally::of(&planner.service, planner.snapshot)
        .active
        .into_iter()
        .filter(|member| member.primary && member.standing == Standing::Healthy)
        .filter_map(|member| {
            let started_at = member.task.started_at?;
            match member.task.health_status {
                HealthStatus::Healthy => Some(now).filter(|_| Some(started_at) > known),
                HealthStatus::Unknown | HealthStatus::Unhealthy => {
                    Some(started_at.plus_ms(HEALTHY_AFTER_MS))
                }
            }
        })
        .max();
    known.max(moments)
}

/// Failures that count after `reset_at`. Until the first task of the deployment runs: tasks that
/// never ran. After that: tasks whose health check fails.
fn failures(
    deployment: &Deployment,
    reset_at: Option<Timestamp>,
    planner: &Planner<'_, '_>,
) -> u32 {
    let own: Vec<&&Task> = planner
        .snapshot
        .tasks
        .iter()
        .filter(|task| task.started_by.as_deref() == Some(deployment.id.as_str()))
        .collect();
    let first_run = own.iter().filter_map(|task| task.started_at).min();
    let counts = |task: &Task| {
        // It failed when that was seen, however long its end took.
        let failed_at = task.stopping_at.or(task.stopped_at);
        let before_first_run = first_run.is_none_or(|first_run| failed_at < Some(first_run));
        counts_as_failure(task) && failed_at > reset_at && (before_first_run || !never_ran(task))
    };
    u32::try_from(own.iter().filter(|task| counts(task)).count()).unwrap_or(u32::MAX)
}

/// The primary deployment has failed; back to the last completed one where asked and possible.
fn fail(planner: &mut Planner<'_, '_>, cause: Cause, rollback: bool) {
    let now = planner.snapshot.now;
    let Some(failed) = planner.service.primary().map(|primary| primary.id.clone()) else { return };
    let target = planner
        .service
        .deployments
        .iter()
        .find(|deployment| {
            deployment.id != failed && deployment.rollout_state == RolloutState::Completed
        })
        .filter(|_| rollback)
        .cloned();
    let rollout_reason = match cause {
        Cause::Breaker => "ECS deployment circuit breaker: tasks failed to start.".to_owned(),
        Cause::Request => format!("ECS deployment {failed} stopped on request."),
    };
    for deployment in &mut planner.service.deployments {
        if deployment.id == failed {
            deployment.rollout_state = RolloutState::Failed;
            deployment.rollout_state_reason.clone_from(&rollout_reason);
            deployment.updated_at = now;
            if target.is_some() {
                deployment.status = DeploymentStatus::Active;
            }
        }
    }
    let reason = match (cause, target.is_some()) {
        (Cause::Breaker, true) => BREAKER_ROLLBACK_REASON,
        (Cause::Breaker, false) => "The circuit breaker threshold was exceeded.",
        (Cause::Request, true) => "Service deployment rolled back on request.",
        (Cause::Request, false) => "Service deployment stopped on request.",
    };
    for record in &mut planner.records {
        if record.deployment_id == failed {
            close(record, target.as_ref(), (reason, rollback), now);
        } else {
            // What was going back to the deployment that has failed now.
            abandon([record], "The deployment to go back to failed.", now);
        }
    }
    match cause {
        Cause::Breaker => {
            planner
                .say(&format!("(deployment {failed}) deployment failed: tasks failed to start."));
        }
        Cause::Request => planner.say(&format!("(deployment {failed}) deployment stopped.")),
    }
    if let Some(target) = target {
        roll_back_to(planner, &target, cause);
    }
}

/// The record of a deployment that failed.
fn close(
    record: &mut ServiceDeployment,
    target: Option<&Deployment>,
    (reason, rollback): (&str, bool),
    now: Timestamp,
) {
    record.status_reason = Some(reason.to_owned());
    record.updated_at = now;
    match target {
        Some(target) => {
            record.status = ServiceDeploymentStatus::RollbackInProgress;
            record.rollback = Some((target.service_revision_id.clone(), reason.to_owned()));
        }
        None => {
            record.status = if rollback {
                ServiceDeploymentStatus::RollbackFailed
            } else {
                ServiceDeploymentStatus::Stopped
            };
            record.finished_at = Some(now);
        }
    }
}

fn roll_back_to(planner: &mut Planner<'_, '_>, target: &Deployment, cause: Cause) {
    let now = planner.snapshot.now;
    planner.service.task_definition = target.task_definition.clone();
    planner.service.launch_type = target.launch_type;
    planner.service.steady = false;
    for deployment in &mut planner.service.deployments {
        if deployment.id == target.id {
            deployment.status = DeploymentStatus::Primary;
            deployment.rollout_state = RolloutState::InProgress;
            deployment.rollout_state_reason = match cause {
                Cause::Breaker => format!(
                    "ECS deployment circuit breaker: rolling back to deploymentId {}.",
                    target.id
                ),
                Cause::Request => format!("ECS deployment {} in progress.", target.id),
            };
            // Failures of its first life are history.
            deployment.failed_tasks = 0;
            deployment.failures_reset_at = Some(now);
            deployment.updated_at = now;
        }
    }
    planner.service.deployments.sort_by_key(|deployment| match deployment.status {
        DeploymentStatus::Primary => 0,
        DeploymentStatus::Active => 1,
    });
    planner.say(&format!("rolling back to deployment {}.", target.id));
}

/// Completes the primary deployment, forgets old ones without tasks, says when all is steady.
pub(crate) fn conclude(planner: &mut Planner<'_, '_>, tally: &Tally<'_>) {
    let desired = usize::try_from(planner.service.desired_count).unwrap_or(usize::MAX);
    let kept = tally.kept().count();
    let healthy = tally.kept().filter(|member| member.standing == Standing::Healthy).count();
    let running =
        tally.kept().filter(|member| member.task.last_status == TaskStatus::Running).count();
    let replaced = tally.replaceable().next().is_none();
    let done = planner.is_idle() && replaced && kept == desired && healthy == desired;
    if done && planner.rolling_out() {
        complete(planner);
    }
    forget_finished(planner);
    let completed = !planner.rolling_out();
    let alone = planner.service.deployments.len() <= 1;
    let settled = planner.is_idle() && replaced && tally.stopping == 0;
    let steady = settled && alone && completed && kept == desired && running == desired;
    if steady && !planner.service.steady {
        planner.say("has reached a steady state.");
    }
    planner.service.steady = steady;
}

fn complete(planner: &mut Planner<'_, '_>) {
    let now = planner.snapshot.now;
    // Steady again, and said again, even if no task changed.
    planner.service.steady = false;
    let mut completed = None;
    for deployment in &mut planner.service.deployments {
        if deployment.status == DeploymentStatus::Primary {
            deployment.rollout_state = RolloutState::Completed;
            deployment.rollout_state_reason =
                format!("ECS deployment {} completed.", deployment.id);
            deployment.updated_at = now;
            completed = Some(deployment.clone());
        }
    }
    let Some(completed) = completed else { return };
    for record in &mut planner.records {
        let finished = match record.status {
            ServiceDeploymentStatus::InProgress | ServiceDeploymentStatus::Pending
                if record.deployment_id == completed.id =>
            {
                ServiceDeploymentStatus::Successful
            }
            ServiceDeploymentStatus::RollbackInProgress => {
                ServiceDeploymentStatus::RollbackSuccessful
            }
            ServiceDeploymentStatus::Pending
            | ServiceDeploymentStatus::InProgress
            | ServiceDeploymentStatus::Successful
            | ServiceDeploymentStatus::Stopped
            | ServiceDeploymentStatus::StopRequested
            | ServiceDeploymentStatus::RollbackRequested
            | ServiceDeploymentStatus::RollbackSuccessful
            | ServiceDeploymentStatus::RollbackFailed => continue,
        };
        record.status = finished;
        record.finished_at = Some(now);
        record.updated_at = now;
    }
    let daemon = planner.service.scheduling_strategy == SchedulingStrategy::Daemon;
    // A DAEMON deployment over no instance is complete without news.
    if !daemon || planner.service.desired_count > 0 {
        planner.say(&format!("(deployment {}) deployment completed.", completed.id));
    }
}

/// Old deployments without tasks go; the last completed one stays as a target while a newer one is
/// under way.
fn forget_finished(planner: &mut Planner<'_, '_>) {
    let rolling_out = planner.rolling_out();
    let tasks = &planner.snapshot.tasks;
    planner.service.deployments.retain(|deployment| {
        let target = rolling_out && deployment.rollout_state == RolloutState::Completed;
        let has_tasks = tasks.iter().any(|task| {
            task.last_status != TaskStatus::Stopped
                && task.started_by.as_deref() == Some(deployment.id.as_str())
        });
        deployment.status == DeploymentStatus::Primary || target || has_tasks
    });
}
