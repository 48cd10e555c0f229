//! Clusters.

use base::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Document, Tags};

/// Life of a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClusterStatus {
    /// Accepts tasks and instances.
    Active,
    /// Deleted; described for a while, then forgotten.
    Inactive,
}

impl ClusterStatus {
    /// ECS's spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Inactive => "INACTIVE",
        }
    }
}

/// One named group of capacity. Written by the ECS API only.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cluster {
    /// 1–255 letters, digits, underscores and hyphens; unique in the account and region.
    pub name: String,
    /// Active until deleted.
    pub status: ClusterStatus,
    /// When the status became inactive.
    pub deleted_at: Option<Timestamp>,
    /// `settings` as given: `[{name, value}]`.
    pub settings: Document,
    /// `configuration` as given.
    pub configuration: Option<Document>,
    /// `serviceConnectDefaults` as given.
    pub service_connect_defaults: Option<Document>,
    /// `capacityProviders` and `defaultCapacityProviderStrategy` as given.
    pub capacity_providers: Option<Document>,
    /// Tags.
    pub tags: Tags,
}
