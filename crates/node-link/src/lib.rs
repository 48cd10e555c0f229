//! The node protocol between two machines: HTTPS with certificates on both sides.
//!
//! # Joining
//!
//! The control plane has an authority of its own for nodes ([`NodeAuthority`]). Somebody who may makes
//! a join token, whose text names the token, proves who holds it and carries the digest of the
//! authority's public key. The machine makes a key that never leaves it, connects, accepts nobody
//! whose certificate does not go back to that authority, and sends the token with its public key and
//! a proof that it has the private one ([`join`]). It gets a certificate for 24 hours and renews it
//! by itself at half of that.
//!
//! # Every request
//!
//! [`NodeListener`] lets a client without a certificate join and do nothing else. The certificate of
//! every other one was issued by the authority, names the instance, and is compared with the
//! instance's record at each request: a node whose identity was revoked is out at once. A node speaks
//! for its own instance and about tasks that were placed on it, and for nothing else.
//!
//! # Calls
//!
//! `POST /v1/NAME` with JSON bodies. The desired set is fetched by a long poll; messages may be
//! repeated, as the messages themselves allow it. [`RemoteControlPlane`] is the node's end: a
//! [`node_proto::ControlPlane`] and [`node_proto::LogSink`] that connects again by itself.

mod authority;
mod backoff;
mod certificate;
mod channel;
mod frames;
mod handle;
mod joiner;
mod listener;
mod membership;
mod messages;
mod private_file;
mod record;
mod remote;
mod sessions;
mod task_call;
mod task_link;
mod throttle;

pub use authority::{AuthorityError, NodeAuthority};
pub use channel::Endpoint;
pub use joiner::{JoinError, join};
pub use listener::{ListenerDependencies, ListenerError, NodeListener};
pub use membership::{Membership, MembershipError};
pub use record::{NodeAudit, NodeEvent, NodeEventKind};
pub use remote::RemoteControlPlane;
pub use task_call::{TaskCall, TaskCalls};
pub use task_link::TaskLinkListener;

#[cfg(test)]
mod tests;
