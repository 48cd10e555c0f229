//! Accounts under one roof.

use std::collections::BTreeSet;

use base::{AccountId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::Tags;

/// The id of the service control policy that allows everything; it is there from the start and cannot
/// be changed.
pub const FULL_AWS_ACCESS: &str = "p-FullAWSAccess";

/// The organisation: there is one at most.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Organization {
    /// `o-…`.
    pub id: String,
    /// `r-…`, the root of the tree.
    pub root_id: String,
    /// The account that made it; no service control policy applies to it.
    pub management_account: AccountId,
    /// The e-mail address of the management account.
    pub management_email: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// Whether service control policies are in force.
    pub service_control_policies: bool,
}

/// An account of the organisation, the management account among them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Twelve digits.
    pub id: AccountId,
    /// Its name.
    pub name: String,
    /// Its e-mail address, unique.
    pub email: String,
    /// What it is.
    pub status: AccountStatus,
    /// `car-…`: the request that made it; none for the management account.
    pub request_id: Option<String>,
    /// When it joined.
    pub joined_at: Timestamp,
    /// The root or unit it is in.
    pub parent_id: String,
    /// Its tags.
    pub tags: Tags,
}

/// Whether an account may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum AccountStatus {
    /// It may.
    Active,
    /// It was closed: nobody in it may do anything.
    Suspended,
}

/// A unit of the tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrganizationalUnit {
    /// `ou-…`.
    pub id: String,
    /// Its name, unique within its parent.
    pub name: String,
    /// The root or unit it is in.
    pub parent_id: String,
    /// Its tags.
    pub tags: Tags,
}

/// A policy that says what accounts may do at most.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceControlPolicy {
    /// `p-…`.
    pub id: String,
    /// Its name, unique.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// The document.
    pub content: String,
    /// Whether it is ours (`p-FullAWSAccess`) and cannot be changed.
    pub aws_managed: bool,
    /// What it is attached to: ids of the root, units and accounts.
    pub targets: BTreeSet<String>,
    /// Its tags.
    pub tags: Tags,
}
