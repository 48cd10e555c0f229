//! Task definitions: the recipe of a task, by family and revision.

use base::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Document, Tags, TaskDefinitionId, TaskSpec};

/// Life of a revision: ACTIVE → INACTIVE → `DELETE_IN_PROGRESS` → gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum TaskDefinitionStatus {
    /// New tasks and services may use it.
    Active,
    /// Deregistered: services that use it go on, new ones may not.
    Inactive,
    /// Deleted, and gone when nothing uses it any more.
    DeleteInProgress,
}

impl TaskDefinitionStatus {
    /// ECS's spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Inactive => "INACTIVE",
            Self::DeleteInProgress => "DELETE_IN_PROGRESS",
        }
    }
}

/// One revision. Written by the ECS API only; everything but status, its times and tags is fixed
/// at registration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskDefinition {
    /// Family and revision.
    pub id: TaskDefinitionId,
    /// See [`TaskDefinitionStatus`].
    pub status: TaskDefinitionStatus,
    /// What the scheduler and the task engine act on.
    pub spec: TaskSpec,
    /// The definition in wire form with AWS's defaults filled in, without ARN, revision, status,
    /// times and tags.
    pub document: Document,
    /// Tags.
    pub tags: Tags,
    /// When it was registered.
    pub registered_at: Timestamp,
    /// ARN of the principal that registered it.
    pub registered_by: String,
    /// When it was deregistered.
    pub deregistered_at: Option<Timestamp>,
    /// When its deletion was asked for.
    pub delete_requested_at: Option<Timestamp>,
    /// Findings that `--guard audit` let pass: one line each, with the rule's id.
    pub guard_notes: Vec<String>,
}

/// The revision counter of a family; it outlives the revisions, so that no number is used twice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskDefinitionFamily {
    /// The family.
    pub family: String,
    /// The highest revision ever given out.
    pub last_revision: u32,
}
