//! The identity of machines.

use base::Timestamp;
use serde::{Deserialize, Serialize};

/// A permission for one machine to join, once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinToken {
    /// The part that names it; not secret.
    pub id: String,
    /// SHA-256 of the secret part, 64 hexadecimal digits.
    pub secret_digest: String,
    /// The cluster that the node joins.
    pub cluster: String,
    /// Who made it: an ARN.
    pub created_by: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when it is worth nothing.
    pub expires_at: Timestamp,
    /// The instance that used it.
    pub used_by: Option<String>,
}

/// A machine that joined: which certificate is its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeIdentity {
    /// The container instance's id; the certificate's common name.
    pub instance_id: String,
    /// The cluster that it joined.
    pub cluster: String,
    /// SHA-256 of the public key in its certificates, 64 hexadecimal digits.
    pub key_digest: String,
    /// The join token that it came with.
    pub join_token: String,
    /// When it joined.
    pub joined_at: Timestamp,
    /// When the newest certificate ends.
    pub certificate_expires_at: Timestamp,
    /// Whether somebody took its identity away.
    pub revoked: bool,
}
