//! What is kept about the audit trail and what it raised.

use base::{AccountId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::Tags;

/// A copy of the audit records for somebody to read (CloudTrail's trail). The records themselves are
/// kept whether there is a trail or not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trail {
    /// The account it belongs to.
    pub account: AccountId,
    /// Its name.
    pub name: String,
    /// The bucket: a directory below the server's own directory for trails.
    pub bucket: String,
    /// What comes before `AWSLogs/` in the bucket.
    pub key_prefix: Option<String>,
    /// The log group that records go to as well, by name.
    pub log_group: Option<String>,
    /// ARN of the role that AWS would write to the log group with; kept and returned.
    pub log_group_role_arn: Option<String>,
    /// Whether records are copied now.
    pub logging: bool,
    /// When copying last began.
    pub started_at: Option<Timestamp>,
    /// When copying last ended.
    pub stopped_at: Option<Timestamp>,
    /// Whether calls that change nothing are copied.
    pub read_events: bool,
    /// Whether calls that change something are copied.
    pub write_events: bool,
    /// Members that are kept and returned as they were given.
    pub options: TrailOptions,
    /// Its tags.
    pub tags: Tags,
}

/// Members of a trail that change nothing here.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrailOptions {
    /// Whether events of services without a region are in it.
    pub include_global_service_events: bool,
    /// Whether it is for all regions.
    pub is_multi_region: bool,
    /// Whether digests are written.
    pub log_file_validation: bool,
}

/// Something that happened and somebody should look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// A UUID made from what it is about, so that the same thing is one finding.
    pub id: String,
    /// The detection: `DET-005`.
    pub rule: String,
    /// `LOW`, `MEDIUM`, `HIGH` or `CRITICAL`.
    pub severity: String,
    /// One sentence.
    pub title: String,
    /// The ARN of what it is about.
    pub resource: String,
    /// Who did it: an ARN, when known.
    pub principal: Option<String>,
    /// What was seen, by name.
    pub evidence: std::collections::BTreeMap<String, String>,
    /// When it was seen first.
    pub first_seen_at: Timestamp,
    /// When it was seen last; advanced at most once a minute.
    pub last_seen_at: Timestamp,
    /// Whether somebody has dealt with it.
    pub archived: bool,
}
