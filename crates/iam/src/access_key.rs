//! Long-term keys of users.

use base::{AccountId, Timestamp};
use serde::{Deserialize, Serialize};

/// A secret, encrypted with a key that is not in the store. What the bytes are is the business of who
/// sealed them.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed(pub Vec<u8>);

impl std::fmt::Debug for Sealed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sealed")
    }
}

/// A key that requests of a user are signed with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessKey {
    /// `AKIA…`.
    pub id: String,
    /// The account of its user.
    pub account: AccountId,
    /// The name of its user, as the user's record spells it.
    pub user: String,
    /// The secret.
    pub secret: Sealed,
    /// Whether it works.
    pub status: AccessKeyStatus,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Whether an access key works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum AccessKeyStatus {
    /// It works.
    Active,
    /// It does not, until it is made active again.
    Inactive,
}
