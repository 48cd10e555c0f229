//! Services: a number of tasks that is kept up.

use base::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{CircuitBreaker, Deployment, DeploymentStatus, Document, Tags, TaskDefinitionId};

/// How many events a service keeps (ECS: 100).
pub const MAX_SERVICE_EVENTS: usize = 100;

/// Where a task runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum LaunchType {
    /// On a container instance.
    Ec2,
    /// In a kernel of its own, where the machine can (see `--fargate-isolation`).
    Fargate,
    /// On a container instance outside AWS; placed like [`LaunchType::Ec2`].
    External,
}

impl LaunchType {
    /// ECS's spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ec2 => "EC2",
            Self::Fargate => "FARGATE",
            Self::External => "EXTERNAL",
        }
    }
}

/// REPLICA holds a count, DAEMON runs one task on every instance that fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SchedulingStrategy {
    /// Hold `desiredCount`.
    Replica,
    /// One on each active instance that meets the constraints.
    Daemon,
}

impl SchedulingStrategy {
    /// ECS's spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Replica => "REPLICA",
            Self::Daemon => "DAEMON",
        }
    }
}

/// Life of a service: ACTIVE → DRAINING → INACTIVE.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ServiceStatus {
    /// Runs.
    Active,
    /// Deleted; its tasks are being stopped.
    Draining,
    /// Deleted and without tasks; described for a while, then forgotten.
    Inactive,
}

impl ServiceStatus {
    /// ECS's spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Draining => "DRAINING",
            Self::Inactive => "INACTIVE",
        }
    }
}

/// `placementConstraints`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum PlacementConstraint {
    /// Each task of the group on another instance.
    DistinctInstance,
    /// Only instances for which this cluster query holds.
    MemberOf(String),
}

/// `placementStrategy`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum PlacementStrategy {
    /// Any instance.
    Random,
    /// Evenly over the values of a field (`instanceId`, `attribute:NAME`).
    Spread(String),
    /// On the instance with least left of `cpu` or `memory`.
    Binpack(String),
}

/// `deploymentConfiguration`, defaults applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeploymentConfiguration {
    /// Floor of healthy tasks, in percent of the desired count.
    pub minimum_healthy_percent: u32,
    /// Ceiling of tasks, in percent of the desired count.
    pub maximum_percent: u32,
    /// The deployment circuit breaker, where enabled.
    pub circuit_breaker: Option<CircuitBreaker>,
}

/// A line of a service's history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceEvent {
    /// A UUID.
    pub id: String,
    /// When it happened.
    pub created_at: Timestamp,
    /// In ECS's words.
    pub message: String,
}

/// A service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Service {
    /// Unique in the cluster among services that are not INACTIVE.
    pub name: String,
    /// Name of the cluster.
    pub cluster: String,
    /// Writers: the ECS API (to DRAINING), the service reconciler (to INACTIVE).
    pub status: ServiceStatus,
    /// Fixed at creation.
    pub scheduling_strategy: SchedulingStrategy,
    /// Tasks wanted. Writers: the ECS API; for DAEMON the reconciler, which counts instances.
    pub desired_count: u32,
    /// The revision wanted. Writers: the ECS API; the reconciler when it rolls back.
    pub task_definition: TaskDefinitionId,
    /// Where the tasks run.
    pub launch_type: LaunchType,
    /// Writer: the ECS API.
    pub deployment_configuration: DeploymentConfiguration,
    /// Writer: the ECS API.
    pub placement_constraints: Vec<PlacementConstraint>,
    /// Writer: the ECS API. Empty: spread over zones, then over instances.
    pub placement_strategy: Vec<PlacementStrategy>,
    /// Seconds after its start during which a task's health is not looked at.
    pub health_check_grace_period_seconds: u32,
    /// Deployments, the PRIMARY first. Writers: the ECS API adds one, the reconciler moves them.
    pub deployments: Vec<Deployment>,
    /// Newest first, at most [`MAX_SERVICE_EVENTS`]. Writer: the service reconciler.
    pub events: Vec<ServiceEvent>,
    /// Whether the last thing said was that the service is steady. Writer: the reconciler.
    pub steady: bool,
    /// The wire members that the product returns without acting on them (load balancers, network
    /// configuration, …), as given.
    pub document: Document,
    /// Whether tasks take their tags from the `SERVICE`, the `TASK_DEFINITION` or nowhere (`NONE`).
    pub propagate_tags: String,
    /// Whether tasks get the `aws:ecs:clusterName` and `aws:ecs:serviceName` tags.
    pub enable_ecs_managed_tags: bool,
    /// Whether commands may be executed in its tasks.
    pub enable_execute_command: bool,
    /// Tags.
    pub tags: Tags,
    /// When it was created.
    pub created_at: Timestamp,
    /// ARN of the principal that created it.
    pub created_by: String,
    /// When it became INACTIVE.
    pub deleted_at: Option<Timestamp>,
}

impl Service {
    /// The deployment that the service is moving to, or has reached.
    pub fn primary(&self) -> Option<&Deployment> {
        self.deployments.iter().find(|deployment| deployment.status == DeploymentStatus::Primary)
    }

    /// Adds an event, newest first, and forgets the oldest beyond [`MAX_SERVICE_EVENTS`].
    pub fn push_event(&mut self, event: ServiceEvent) {
        self.events.insert(0, event);
        self.events.truncate(MAX_SERVICE_EVENTS);
    }

    /// The fewest healthy tasks a deployment may leave: `ceil(desired × minimum / 100)`.
    pub fn healthy_floor(&self) -> u32 {
        percent(self.desired_count, self.deployment_configuration.minimum_healthy_percent, 99)
    }

    /// The most tasks a deployment may have at once: `floor(desired × maximum / 100)`.
    pub fn task_ceiling(&self) -> u32 {
        percent(self.desired_count, self.deployment_configuration.maximum_percent, 0)
    }
}

fn percent(count: u32, percent: u32, round_up: u64) -> u32 {
    let product = u64::from(count).saturating_mul(u64::from(percent));
    u32::try_from(product.saturating_add(round_up) / 100).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::percent;

    #[test]
    fn floor_rounds_up_and_ceiling_rounds_down() {
        let check = |desired, minimum, maximum, expected: (u32, u32)| {
            assert_eq!((percent(desired, minimum, 99), percent(desired, maximum, 0)), expected);
        };
        check(4, 100, 200, (4, 8));
        check(4, 50, 200, (2, 8));
        check(2, 75, 100, (2, 2));
        check(3, 0, 125, (0, 3));
    }
}
