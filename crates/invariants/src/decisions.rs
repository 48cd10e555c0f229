//! Predicates over a step that the service reconciler decided.

use std::collections::BTreeSet;

use base::Timestamp;
use domain::{
    ContainerInstance, ContainerInstanceStatus, Deployment, DeploymentStatus, DesiredStatus,
    HealthStatus, RolloutState, SchedulingStrategy, Service, ServiceStatus, StopCode, Task,
    TaskStatus,
};

use crate::Finding;

/// A task without health check counts as healthy so long after it began to run (ECS: 40 s).
const HEALTHY_AFTER_MS: i64 = 40_000;
/// ECS's words for a task that was stopped for its health check.
const FAILED_HEALTH_CHECKS: &str = "Task failed container health checks";
/// What every reason of an opened circuit breaker contains.
const BREAKER: &str = "circuit breaker";

/// What the reconciler saw, and what it wants to write.
#[derive(Debug, Clone)]
pub struct Decision<'a> {
    /// When.
    pub now: Timestamp,
    /// The service as it was seen.
    pub before: &'a Service,
    /// The service as it will be.
    pub after: &'a Service,
    /// Tasks of the service as they were seen, STOPPED ones included.
    pub tasks: Vec<&'a Task>,
    /// Ids of those tasks whose essential containers have a health check.
    pub checked: BTreeSet<&'a str>,
    /// The instances of the cluster as they were seen.
    pub instances: Vec<&'a ContainerInstance>,
    /// Tasks to start.
    pub started: Vec<&'a Task>,
    /// Ids of tasks to stop.
    pub stopped: BTreeSet<&'a str>,
}

impl Decision<'_> {
    fn is_live(task: &Task) -> bool {
        task.last_status != TaskStatus::Stopped
    }

    fn is_healthy(&self, task: &Task) -> bool {
        if task.last_status != TaskStatus::Running || task.desired_status != DesiredStatus::Running
        {
            return false;
        }
        if self.checked.contains(task.id.as_str()) {
            return task.health_status == HealthStatus::Healthy;
        }
        task.started_at.is_some_and(|started| self.now.ms_since(started) >= HEALTHY_AFTER_MS)
    }

    fn is_active(&self, instance: &str) -> bool {
        self.instances
            .iter()
            .any(|known| known.id == instance && known.status == ContainerInstanceStatus::Active)
    }
}

/// INV-005.
pub fn floor(decision: &Decision<'_>) -> Finding {
    let service = decision.after;
    if decision.before.status != ServiceStatus::Active {
        return Finding::idle();
    }
    let healthy: Vec<&&Task> =
        decision.tasks.iter().filter(|task| decision.is_healthy(task)).collect();
    let daemon = service.scheduling_strategy == SchedulingStrategy::Daemon;
    let counts = |task: &&&&Task| {
        // A daemon leaves an instance that drains, whatever the floor says.
        decision.stopped.contains(task.id.as_str())
            && (!daemon || decision.is_active(&task.container_instance))
    };
    if healthy.iter().filter(counts).count() == 0 {
        return Finding::idle();
    }
    let left = healthy.iter().filter(|task| !decision.stopped.contains(task.id.as_str())).count();
    let minimum = u64::from(service.deployment_configuration.minimum_healthy_percent);
    let floor = u64::from(service.desired_count).saturating_mul(minimum).div_ceil(100);
    let left = u64::try_from(left).unwrap_or(u64::MAX);
    Finding::check(left >= floor, || {
        format!(
            "service {} stops {:?} and leaves {left} healthy tasks: its floor is {floor}",
            service.name, decision.stopped
        )
    })
}

/// INV-006.
pub fn ceiling(decision: &Decision<'_>) -> Finding {
    let service = decision.after;
    if decision.started.is_empty() {
        return Finding::idle();
    }
    let live = decision.tasks.iter().filter(|task| Decision::is_live(task));
    if service.scheduling_strategy == SchedulingStrategy::Daemon {
        let occupied: BTreeSet<&str> = live.map(|task| task.container_instance.as_str()).collect();
        let double = decision
            .started
            .iter()
            .find(|task| occupied.contains(task.container_instance.as_str()));
        return Finding::check(double.is_none(), || {
            let instance = double.map(|task| task.container_instance.as_str()).unwrap_or_default();
            format!("daemon {} starts a second task on instance {instance}", service.name)
        });
    }
    let after = live.count().saturating_add(decision.started.len());
    let after = u64::try_from(after).unwrap_or(u64::MAX);
    let maximum = u64::from(service.deployment_configuration.maximum_percent);
    let ceiling = u64::from(service.desired_count).saturating_mul(maximum) / 100;
    let ceiling = ceiling.max(u64::from(service.desired_count > 0));
    Finding::check(after <= ceiling, || {
        format!("service {} comes to {after} tasks: its ceiling is {ceiling}", service.name)
    })
}

/// INV-012.
pub fn breaker(decision: &Decision<'_>) -> Finding {
    let Some(breaker) = decision.before.deployment_configuration.circuit_breaker else {
        return Finding::idle();
    };
    if decision.before.status != ServiceStatus::Active {
        return Finding::idle();
    }
    let threshold = breaker.failures_allowed(decision.before.desired_count);
    let primary = decision.before.deployments.iter().find(|deployment| {
        deployment.status == DeploymentStatus::Primary
            && deployment.rollout_state == RolloutState::InProgress
    });
    let Some(primary) = primary else { return Finding::idle() };
    let after = decision.after.deployments.iter().find(|after| after.id == primary.id);
    let state = after.unwrap_or(primary);
    let failures = failures(state, &decision.tasks);
    let failed = after.is_none_or(|after| after.rollout_state == RolloutState::Failed);
    let by_breaker =
        after.is_some_and(|after| failed && after.rollout_state_reason.contains(BREAKER));
    if by_breaker {
        return Finding::check(failures >= threshold, || {
            format!(
                "the breaker of {} opened at {failures} failures: its threshold is {threshold}",
                primary.id
            )
        });
    }
    if failed || failures == 0 {
        return Finding::idle();
    }
    Finding::check(failures < threshold, || {
        format!(
            "the breaker of {} is closed at {failures} failures: its threshold is {threshold}",
            primary.id
        )
    })
}

/// Before a deployment has run anything: its tasks that ended without having run. After that: its
/// tasks that failed their health checks. Those before the last reset do not count.
fn failures(deployment: &Deployment, tasks: &[&Task]) -> u32 {
    let own: Vec<&&Task> = tasks
        .iter()
        .filter(|task| task.started_by.as_deref() == Some(deployment.id.as_str()))
        .collect();
    let first_run = own.iter().filter_map(|task| task.started_at).min();
    let counts = |task: &Task| {
        let failed_at = task.stopping_at.or(task.stopped_at);
        if failed_at <= deployment.failures_reset_at {
            return false;
        }
        let unhealthy = task.stopped_reason.as_deref() == Some(FAILED_HEALTH_CHECKS);
        let by_itself = matches!(
            task.stop_code,
            Some(StopCode::TaskFailedToStart | StopCode::EssentialContainerExited)
        );
        let never_ran = by_itself
            && task.last_status == TaskStatus::Stopped
            && task.started_at.is_none()
            && first_run.is_none_or(|first_run| failed_at < Some(first_run));
        unhealthy && task.started_at.is_some() || never_ran
    };
    u32::try_from(own.iter().filter(|task| counts(task)).count()).unwrap_or(u32::MAX)
}
