//! A service's tasks, sorted by what they mean for it.

use std::collections::BTreeSet;

use base::Timestamp;
use domain::{
    ContainerInstanceStatus, DesiredStatus, HealthStatus, Service, Task, TaskSpec, TaskStatus,
};

use crate::service::ServiceSnapshot;

/// A task without health check counts as healthy so long after it began to run (ECS: 40 s).
pub const HEALTHY_AFTER_MS: i64 = 40_000;

/// What a task that is not STOPPED and not asked to stop means for its service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// On its way to being healthy.
    Rising,
    /// Counts towards the floor.
    Healthy,
    /// Its health check says so, and its grace period is over.
    Unhealthy,
}

/// One live task and what the reconciler needs of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Member<'a> {
    pub(crate) task: &'a Task,
    pub(crate) standing: Standing,
    /// Whether it belongs to the primary deployment.
    pub(crate) primary: bool,
    /// Whether its instance is draining, or gone.
    pub(crate) draining: bool,
}

impl Member<'_> {
    /// Whether the service wants to keep it: of the primary deployment, not on its way out.
    pub(crate) fn kept(&self) -> bool {
        self.primary && !self.draining && self.standing != Standing::Unhealthy
    }
}

/// The live tasks of a service.
#[derive(Debug)]
pub(crate) struct Tally<'a> {
    /// Not STOPPED, desired RUNNING.
    pub(crate) active: Vec<Member<'a>>,
    /// Not STOPPED, desired STOPPED.
    pub(crate) stopping: usize,
    /// The next moment at which a task's standing changes by time alone.
    pub(crate) wake_at: Option<Timestamp>,
}

impl<'a> Tally<'a> {
    pub(crate) fn of(service: &Service, snapshot: &ServiceSnapshot<'a>) -> Self {
        let primary = service.primary().map(|deployment| deployment.id.as_str());
        let active: BTreeSet<&str> = snapshot
            .instances
            .iter()
            .filter(|instance| instance.status == ContainerInstanceStatus::Active)
            .map(|instance| instance.id.as_str())
            .collect();
        let mut tally = Self { active: Vec::new(), stopping: 0, wake_at: None };
        for task in &snapshot.tasks {
            if task.last_status == TaskStatus::Stopped {
                continue;
            }
            if task.desired_status == DesiredStatus::Stopped {
                tally.stopping += 1;
                continue;
            }
            let spec = snapshot.spec_of(task);
            let (standing, changes_at) = standing(service, spec, task, snapshot.now);
            tally.wake_at = earliest(tally.wake_at, changes_at);
            let unprotected_at = task.protection.map(|protection| protection.expires_at);
            let unprotected_at = unprotected_at.filter(|moment| *moment > snapshot.now);
            tally.wake_at = earliest(tally.wake_at, unprotected_at);
            tally.active.push(Member {
                task,
                standing,
                primary: task.started_by.as_deref() == primary,
                draining: !active.contains(task.container_instance.as_str()),
            });
        }
        tally
    }

    /// Every task that is not STOPPED.
    pub(crate) fn live(&self) -> usize {
        self.active.len() + self.stopping
    }

    /// Healthy tasks of every deployment.
    pub(crate) fn healthy(&self) -> usize {
        self.active.iter().filter(|member| member.standing == Standing::Healthy).count()
    }

    /// Tasks that the service wants to keep.
    pub(crate) fn kept(&self) -> impl Iterator<Item = &Member<'a>> {
        self.active.iter().filter(|member| member.kept())
    }

    /// Tasks that others replace.
    pub(crate) fn replaceable(&self) -> impl Iterator<Item = &Member<'a>> {
        self.active.iter().filter(|member| !member.kept())
    }
}

/// The earlier of two moments that may be absent.
pub(crate) fn earliest(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

fn standing(
    service: &Service,
    spec: Option<&TaskSpec>,
    task: &Task,
    now: Timestamp,
) -> (Standing, Option<Timestamp>) {
    if task.last_status != TaskStatus::Running {
        return (Standing::Rising, None);
    }
    let started_at = task.started_at.unwrap_or(now);
    let checked = spec.is_some_and(|spec| {
        spec.containers
            .iter()
            .any(|container| container.essential && container.health_check.is_some())
    });
    if !checked {
        let healthy_at = started_at.plus_ms(HEALTHY_AFTER_MS);
        return if healthy_at <= now {
            (Standing::Healthy, None)
        } else {
            (Standing::Rising, Some(healthy_at))
        };
    }
    match task.health_status {
        HealthStatus::Healthy => (Standing::Healthy, None),
        HealthStatus::Unknown => (Standing::Rising, None),
        HealthStatus::Unhealthy => {
            let grace = i64::from(service.health_check_grace_period_seconds);
            let grace_ends = started_at.plus_seconds(grace);
            if grace_ends <= now {
                (Standing::Unhealthy, None)
            } else {
                (Standing::Rising, Some(grace_ends))
            }
        }
    }
}
