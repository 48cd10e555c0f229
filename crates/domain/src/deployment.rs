//! Deployments of a service, and the records of them that the API lists.

use base::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Document, LaunchType, TaskDefinitionId};

/// PRIMARY is the newest; ACTIVE ones are being replaced; INACTIVE ones are gone from the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeploymentStatus {
    /// The newest.
    Primary,
    /// Older, still with tasks.
    Active,
}

impl DeploymentStatus {
    /// ECS's spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Primary => "PRIMARY",
            Self::Active => "ACTIVE",
        }
    }
}

/// How far a deployment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RolloutState {
    /// Starting and replacing tasks.
    InProgress,
    /// Reached its steady state once.
    Completed,
    /// Given up by the circuit breaker.
    Failed,
}

impl RolloutState {
    /// ECS's spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InProgress => "IN_PROGRESS",
            Self::Completed => "COMPLETED",
            Self::Failed => "FAILED",
        }
    }
}

/// When the circuit breaker opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum FailureThreshold {
    /// `clamp(ceil(percent × desired), 3, 200)`; 50 percent is the default.
    BoundedPercent(u32),
    /// `ceil(percent × desired)`.
    UnboundedPercent(u32),
    /// The number itself.
    Count(u32),
}

/// `deploymentCircuitBreaker`, when enabled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CircuitBreaker {
    /// Whether a failed deployment goes back to the last completed one.
    pub rollback: bool,
    /// Failures that make the deployment fail.
    pub threshold: FailureThreshold,
    /// Whether a task that becomes healthy sets the count back to zero.
    pub reset_on_healthy_task: bool,
}

impl CircuitBreaker {
    /// The number of failures at which a deployment of `desired_count` tasks fails.
    pub fn failures_allowed(&self, desired_count: u32) -> u32 {
        let share = |percent: u32| {
            let product = u64::from(desired_count).saturating_mul(u64::from(percent));
            u32::try_from(product.saturating_add(99) / 100).unwrap_or(u32::MAX)
        };
        match self.threshold {
            FailureThreshold::BoundedPercent(percent) => share(percent).clamp(3, 200),
            FailureThreshold::UnboundedPercent(percent) => share(percent).max(1),
            FailureThreshold::Count(count) => count.max(1),
        }
    }
}

/// A deployment inside a service. How many tasks it has is not kept: the tasks say so.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Deployment {
    /// `ecs-svc/` and 19 digits; also the `startedBy` of its tasks.
    pub id: String,
    /// Writer: the ECS API when a newer one comes, the reconciler when it rolls back.
    pub status: DeploymentStatus,
    /// The revision it runs.
    pub task_definition: TaskDefinitionId,
    /// Where its tasks run.
    pub launch_type: LaunchType,
    /// Failures the circuit breaker has counted. Writer: the reconciler.
    pub failed_tasks: u32,
    /// Failures of tasks that stopped before this moment no longer count: a task became healthy.
    /// Writer: the reconciler.
    pub failures_reset_at: Option<Timestamp>,
    /// Writer: the reconciler.
    pub rollout_state: RolloutState,
    /// In ECS's words. Writer: the reconciler.
    pub rollout_state_reason: String,
    /// Identifier of the [`ServiceRevision`].
    pub service_revision_id: String,
    /// Identifier of the [`ServiceDeployment`].
    pub service_deployment_id: String,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// Life of a service deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ServiceDeploymentStatus {
    /// Not looked at yet.
    Pending,
    /// Under way.
    InProgress,
    /// Reached its steady state.
    Successful,
    /// Overtaken by a newer one, or ended without roll-back.
    Stopped,
    /// Someone asked to end it.
    StopRequested,
    /// Someone asked to go back.
    RollbackRequested,
    /// Going back.
    RollbackInProgress,
    /// Gone back.
    RollbackSuccessful,
    /// Could not go back.
    RollbackFailed,
}

impl ServiceDeploymentStatus {
    /// ECS's spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::InProgress => "IN_PROGRESS",
            Self::Successful => "SUCCESSFUL",
            Self::Stopped => "STOPPED",
            Self::StopRequested => "STOP_REQUESTED",
            Self::RollbackRequested => "ROLLBACK_REQUESTED",
            Self::RollbackInProgress => "ROLLBACK_IN_PROGRESS",
            Self::RollbackSuccessful => "ROLLBACK_SUCCESSFUL",
            Self::RollbackFailed => "ROLLBACK_FAILED",
        }
    }

    /// Whether nothing will change it any more.
    pub const fn is_final(self) -> bool {
        matches!(
            self,
            Self::Successful | Self::Stopped | Self::RollbackSuccessful | Self::RollbackFailed
        )
    }
}

/// The lasting record of one deployment. Written by the ECS API at creation and when a stop is
/// asked for, by the service reconciler after that.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ServiceDeployment {
    /// Last part of its ARN; 20 URL-safe characters.
    pub id: String,
    /// Cluster and service.
    pub cluster: String,
    /// Name of the service.
    pub service: String,
    /// Identifier of the [`Deployment`] in the service.
    pub deployment_id: String,
    /// See [`ServiceDeploymentStatus`].
    pub status: ServiceDeploymentStatus,
    /// Why, in ECS's words.
    pub status_reason: Option<String>,
    /// The revision deployed.
    pub target_revision_id: String,
    /// Revisions replaced.
    pub source_revision_ids: Vec<String>,
    /// Tasks asked for.
    pub requested_count: u32,
    /// Where it went back to, and why.
    pub rollback: Option<(String, String)>,
    /// Whether the circuit breaker was triggered.
    pub breaker_triggered: bool,
    /// Failures the circuit breaker counted.
    pub breaker_failures: u32,
    /// `deploymentConfiguration` as given.
    pub configuration: Document,
    /// When it was created.
    pub created_at: Timestamp,
    /// When the reconciler took it up.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// When somebody asked to end it.
    pub stopped_at: Option<Timestamp>,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// What a service was configured to run at one moment; never changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ServiceRevision {
    /// Last part of its ARN: decimal digits.
    pub id: String,
    /// Cluster and service.
    pub cluster: String,
    /// Name of the service.
    pub service: String,
    /// The task definition.
    pub task_definition: TaskDefinitionId,
    /// Where tasks run.
    pub launch_type: LaunchType,
    /// The wire members of the service at that moment.
    pub document: Document,
    /// When it was created.
    pub created_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_breaker_opens_at_the_share_of_the_desired_count() {
        let check = |threshold, desired_count, expected| {
            let breaker = CircuitBreaker { rollback: true, threshold, reset_on_healthy_task: true };
            assert_eq!(breaker.failures_allowed(desired_count), expected, "{breaker:?}");
        };
        let bounded = FailureThreshold::BoundedPercent(50);
        for (desired_count, expected) in [(0, 3), (1, 3), (6, 3), (7, 4), (25, 13), (400, 200)] {
            check(bounded, desired_count, expected);
        }
        check(bounded, 1000, 200);
        check(FailureThreshold::UnboundedPercent(50), 1000, 500);
        check(FailureThreshold::UnboundedPercent(50), 0, 1);
        check(FailureThreshold::Count(7), 1000, 7);
    }
}
