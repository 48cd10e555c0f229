//! Messages between the control plane and a node.
//!
//! The control plane sends a node the whole set of tasks it should have; the node sends back what
//! it observes. Both sides send complete values, so that a lost or repeated message does no harm:
//!
//! - a [`DesiredSet`] is taken only with a higher generation than the last one (invariant 7);
//! - a [`TaskReport`] is taken only with a higher sequence than the last one of its task.

mod credentials;
mod join_token;
mod logs;

use std::fmt;
use std::sync::Arc;

use base::Timestamp;
use domain::{
    DesiredStatus, LaunchType, Resources, Tags, TaskContainer, TaskDefinitionId, TaskObservation,
    TaskSpec,
};
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

pub use credentials::{
    CredentialError, CredentialRequest, Purpose, RefusalReason, RefusedAttempt, RefusedAttempts,
    RoleCredentials, Secret,
};
pub use join_token::{JoinTokenText, NoJoinToken, digest_of, same_digest, secret_matches};
pub use logs::{
    LogBatch, LogLine, LogSink, LogSinkError, LogSource, LogTarget, MAX_BATCH_BYTES,
    default_log_group,
};

/// Version of these messages; a node of another major version is refused at registration.
pub const PROTOCOL_VERSION: u32 = 1;

/// What a node says about itself when it joins. Sent again, unchanged, after each start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Registration {
    /// [`PROTOCOL_VERSION`] of the node.
    pub protocol_version: u32,
    /// 32 hexadecimal digits, made by the node once and kept.
    pub instance_id: String,
    /// Cluster to join; made when it does not exist.
    pub cluster: String,
    /// `i-` and 17 hexadecimal digits, made by the node once and kept.
    pub ec2_instance_id: String,
    /// Version of the program.
    pub agent_version: String,
    /// What tasks may reserve in total.
    pub resources: Resources,
    /// Built-in attributes (`ecs.*`) and capabilities.
    pub attributes: Vec<(String, Option<String>)>,
    /// How FARGATE tasks are isolated here; `None` when they cannot run.
    pub fargate_isolation: Option<String>,
    /// Kernel release, runtime, cgroup version and the like; shown to users.
    pub system: Vec<(String, String)>,
}

/// All tasks a node should know about.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct DesiredSet {
    /// The revision of the state it was computed from; rises.
    pub generation: u64,
    /// One entry for each task that has not been seen STOPPED. A task that the node has and that
    /// is not in here is over: the node removes what is left of it.
    pub tasks: Vec<Arc<Assignment>>,
}

/// One task for a node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Assignment {
    /// 32 hexadecimal digits.
    pub task_id: String,
    /// ARN of the task.
    pub task_arn: String,
    /// Name of the cluster.
    pub cluster: String,
    /// Family and revision.
    pub task_definition: TaskDefinitionId,
    /// RUNNING or STOPPED.
    pub desired_status: DesiredStatus,
    /// Where it runs.
    #[serde(default = "ec2")]
    pub launch_type: LaunchType,
    /// Name of the service it belongs to.
    pub service: Option<String>,
    /// What to run, with the overrides applied.
    pub spec: TaskSpec,
    /// The containers' identities, in the definition's order.
    pub containers: Vec<ContainerIdentity>,
    /// Log group of containers whose definition names none.
    pub default_log_group: String,
    /// When the task was accepted.
    pub created_at: Timestamp,
}

/// What a task's file says that does not say it.
const fn ec2() -> LaunchType {
    LaunchType::Ec2
}

/// Name and ARN of a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerIdentity {
    /// Name in the task definition.
    pub name: String,
    /// UUID, the last part of its ARN.
    pub id: String,
}

impl From<&TaskContainer> for ContainerIdentity {
    fn from(container: &TaskContainer) -> Self {
        Self { name: container.name.clone(), id: container.id.clone() }
    }
}

/// What a node observed of one task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskReport {
    /// The task.
    pub task_id: String,
    /// All there is to say of it now.
    pub observation: TaskObservation,
}

/// Asks for a task's tags.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TagsRequest {
    /// The node that asks.
    pub instance_id: String,
    /// The task.
    pub task_id: String,
}

/// Tags as they are now.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TaskTags {
    /// Those of the task.
    pub task: Tags,
    /// Those of the container instance.
    pub container_instance: Tags,
}

/// Why a message did not get through.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// The control plane will not have this node.
    #[error("the control plane refused this node: {reason}")]
    Refused {
        /// What is wrong and what to do.
        reason: String,
    },
    /// The control plane cannot be reached or cannot write now; the same message may be sent
    /// again.
    #[error("the control plane did not take the message: {reason}; it is sent again")]
    Unavailable {
        /// What happened.
        reason: String,
    },
}

/// A node's side of the link to its control plane.
pub trait ControlPlane: Send + Sync + fmt::Debug {
    /// Joins, or joins again. The receiver always holds the newest desired set.
    ///
    /// # Errors
    ///
    /// [`LinkError::Refused`] for a wrong protocol version or an instance that was deregistered,
    /// [`LinkError::Unavailable`] otherwise.
    fn register(
        &self,
        registration: Registration,
    ) -> BoxFuture<'_, Result<watch::Receiver<Arc<DesiredSet>>, LinkError>>;

    /// Sends observations; when it returns, they are durable. At most 128 at once.
    ///
    /// # Errors
    ///
    /// [`LinkError::Unavailable`]: nothing or a part was taken; send all again.
    fn report(&self, reports: Vec<TaskReport>) -> BoxFuture<'_, Result<(), LinkError>>;

    /// Credentials of a role of a task that is placed on this node and has not stopped. A new session each
    /// time: the two roles never share one.
    ///
    /// # Errors
    ///
    /// [`CredentialError`]; only [`CredentialError::Unavailable`] may go away by itself.
    fn credentials(
        &self,
        request: CredentialRequest,
    ) -> BoxFuture<'_, Result<RoleCredentials, CredentialError>>;

    /// Tells of refused attempts on the tasks' endpoint. At most 128 at once.
    ///
    /// # Errors
    ///
    /// [`LinkError::Unavailable`]: nothing was taken; send all again.
    fn refused(&self, attempts: RefusedAttempts) -> BoxFuture<'_, Result<(), LinkError>>;

    /// The tags of a task of this node, and of the node.
    ///
    /// # Errors
    ///
    /// [`LinkError::Refused`] when the task is not on this node, [`LinkError::Unavailable`] otherwise.
    fn tags(&self, request: TagsRequest) -> BoxFuture<'_, Result<TaskTags, LinkError>>;
}
