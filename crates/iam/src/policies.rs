//! Policies with a name of their own.

use std::collections::BTreeMap;

use base::{AccountId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{Tags, arn};

/// A policy that a customer manages and attaches to principals.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManagedPolicy {
    /// The account it belongs to.
    pub account: AccountId,
    /// Its name, as given.
    pub name: String,
    /// Its path.
    pub path: String,
    /// `ANPA…`.
    pub id: String,
    /// What it is for.
    pub description: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When a version was last made or made the default.
    pub updated_at: Timestamp,
    /// The number of the version in force.
    pub default_version: u32,
    /// The number of the version that is made next; never used twice.
    pub next_version: u32,
    /// Its versions by number, at most five.
    pub versions: BTreeMap<u32, PolicyVersion>,
    /// Its tags.
    pub tags: Tags,
}

/// One version of a managed policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyVersion {
    /// The document.
    pub document: String,
    /// When it was made.
    pub created_at: Timestamp,
}

impl ManagedPolicy {
    /// Its ARN.
    pub fn arn(&self) -> String {
        arn(&self.account, "policy", &self.path, &self.name)
    }
}
