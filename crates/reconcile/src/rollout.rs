//! How far the deployments of a service are: completion, circuit breaker, roll-back.

use domain::{
    Deployment, DeploymentStatus, RolloutState, SchedulingStrategy, ServiceDeploymentStatus, Task,
    TaskStatus,
};

use crate::service::{FAILED_HEALTH_CHECKS, Planner};
use crate::tally::{Standing, Tally};
use crate::throttle::{Throttle, never_ran};

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
}

/// The record of a deployment that nobody has looked at is now under way.
fn take_up(planner: &mut Planner<'_, '_>) {
    let now = planner.snapshot.now;
    let primary = planner.service.primary().map(|primary| primary.service_deployment_id.clone());
    for record in &mut planner.records {
        let is_primary = Some(&record.id) == primary.as_ref();
        match (record.status, is_primary) {
            (ServiceDeploymentStatus::Pending, true) => {
                record.status = ServiceDeploymentStatus::InProgress;
                record.started_at = Some(now);
                record.updated_at = now;
            }
            (
                ServiceDeploymentStatus::Pending
                | ServiceDeploymentStatus::InProgress
                | ServiceDeploymentStatus::StopRequested,
                false,
            ) => {
                record.status = ServiceDeploymentStatus::Stopped;
                record.status_reason =
                    Some("A new service deployment was started for the service.".to_owned());
                record.finished_at = Some(now);
                record.updated_at = now;
            }
            _ => {}
        }
    }
}

/// `StopServiceDeployment`: back to the last completed deployment, or just no further.
fn stop_requested(planner: &mut Planner<'_, '_>) {
    let Some(primary) = planner.service.primary() else { return };
    let id = primary.service_deployment_id.clone();
    let Some(record) = planner.records.iter().find(|record| record.id == id) else { return };
    match record.status {
        ServiceDeploymentStatus::RollbackRequested => {
            fail(planner, "Service deployment rolled back on request.", true);
        }
        ServiceDeploymentStatus::StopRequested => {
            fail(planner, "Service deployment stopped on request.", false);
        }
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
    let failed_tasks = failures(primary, planner);
    let breaker = planner.service.deployment_configuration.circuit_breaker;
    let healthy = Tally::of(&planner.service, planner.snapshot)
        .active
        .iter()
        .any(|member| member.primary && member.standing == Standing::Healthy);
    let reset =
        healthy && failed_tasks > 0 && breaker.is_some_and(|breaker| breaker.reset_on_healthy_task);
    let now = planner.snapshot.now;
    let deployment = planner.service.deployments.iter_mut().find(|deployment| deployment.id == id);
    if let Some(deployment) = deployment {
        deployment.failed_tasks = if reset { 0 } else { failed_tasks };
        if reset {
            deployment.failures_reset_at = Some(now);
        }
    }
    let Some(breaker) = breaker.filter(|_| !reset) else { return };
    if failed_tasks >= breaker.failures_allowed(planner.service.desired_count) {
        for record in planner.records.iter_mut().filter(|record| record.deployment_id == id) {
            record.breaker_triggered = true;
            record.breaker_failures = failed_tasks;
        }
        fail(planner, BREAKER_ROLLBACK_REASON, breaker.rollback);
    }
}

/// Failures that count. Until the first task of the deployment runs: tasks that never ran. After
/// that: tasks whose health check fails.
fn failures(deployment: &Deployment, planner: &Planner<'_, '_>) -> u32 {
    let own: Vec<&&Task> = planner
        .snapshot
        .tasks
        .iter()
        .filter(|task| task.started_by.as_deref() == Some(deployment.id.as_str()))
        .collect();
    let first_run = own.iter().filter_map(|task| task.started_at).min();
    let counts = |task: &Task| {
        let stopped_at = task.stopped_at.or(task.stopping_at);
        let after_reset = deployment
            .failures_reset_at
            .is_none_or(|reset| stopped_at.is_some_and(|stopped_at| stopped_at > reset));
        let before_first_run = first_run
            .is_none_or(|first_run| stopped_at.is_some_and(|stopped_at| stopped_at < first_run));
        let unhealthy = task.stopped_reason.as_deref() == Some(FAILED_HEALTH_CHECKS);
        after_reset && ((never_ran(task) && before_first_run) || unhealthy)
    };
    u32::try_from(own.iter().filter(|task| counts(task)).count()).unwrap_or(u32::MAX)
}

/// The primary deployment has failed; back to the last completed one where asked and possible.
fn fail(planner: &mut Planner<'_, '_>, reason: &str, rollback: bool) {
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
    for deployment in &mut planner.service.deployments {
        if deployment.id == failed {
            deployment.rollout_state = RolloutState::Failed;
            deployment.rollout_state_reason =
                "ECS deployment circuit breaker: tasks failed to start.".to_owned();
            deployment.updated_at = now;
            if target.is_some() {
                deployment.status = DeploymentStatus::Active;
            }
        }
    }
    for record in planner.records.iter_mut().filter(|record| record.deployment_id == failed) {
        record.status_reason = Some(reason.to_owned());
        record.updated_at = now;
        match &target {
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
    planner.say(&format!("(deployment {failed}) deployment failed: tasks failed to start."));
    if let Some(target) = target {
        roll_back_to(planner, &target);
    }
}

fn roll_back_to(planner: &mut Planner<'_, '_>, target: &Deployment) {
    let now = planner.snapshot.now;
    planner.service.task_definition = target.task_definition.clone();
    planner.service.launch_type = target.launch_type;
    planner.service.steady = false;
    for deployment in &mut planner.service.deployments {
        if deployment.id == target.id {
            deployment.status = DeploymentStatus::Primary;
            deployment.rollout_state = RolloutState::InProgress;
            deployment.rollout_state_reason = format!(
                "ECS deployment circuit breaker: rolling back to deploymentId {}.",
                target.id
            );
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
    if settled && alone && completed && kept == desired && running == desired {
        if !planner.service.steady {
            planner.service.steady = true;
            planner.say("has reached a steady state.");
        }
    } else if !planner.is_idle() {
        planner.service.steady = false;
    }
}

fn complete(planner: &mut Planner<'_, '_>) {
    let now = planner.snapshot.now;
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
