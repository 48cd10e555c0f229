//! What goes on record about nodes.

use std::fmt;
use std::net::IpAddr;

use base::Timestamp;
use futures_util::future::BoxFuture;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeEventKind {
    /// A machine joined.
    Joined,
    /// A machine was not let in.
    JoinRefused,
    /// A node got a new certificate.
    CertificateRenewed,
    /// A node was refused: its identity is revoked, or it spoke of what is not its own.
    Refused,
}

impl NodeEventKind {
    /// Its name in records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Joined => "NodeJoined",
            Self::JoinRefused => "NodeJoinRefused",
            Self::CertificateRenewed => "NodeCertificateRenewed",
            Self::Refused => "NodeRefused",
        }
    }
}

/// Something about a node that goes on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeEvent {
    /// What happened.
    pub kind: NodeEventKind,
    /// When.
    pub at: Timestamp,
    /// From which address.
    pub source_ip: IpAddr,
    /// The container instance, as far as the caller named one that may be one.
    pub instance_id: Option<String>,
    /// The join token's id, where one was used.
    pub join_token: Option<String>,
    /// What was wrong, for refusals.
    pub reason: Option<String>,
}

/// Puts events on record.
pub trait NodeAudit: Send + Sync + fmt::Debug {
    /// Returns when the event is on record.
    ///
    /// # Errors
    /// What happened; the request that caused the event is not answered then.
    fn record(&self, event: NodeEvent) -> BoxFuture<'_, Result<(), String>>;
}
