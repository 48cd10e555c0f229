//! Why a server does not start or does not go on.

use audit::AuditError;
use gateway::{GatewayError, TlsError};
use images::ImageError;
use logstore::LogError;
use network::NetworkError;
use node::NodeError;
use node_link::{AuthorityError, JoinError, ListenerError, MembershipError};
use runtime_oci::RuntimeError;
use state::StateError;
use store_redb::OpenError;

use crate::client_environment::ClientEnvironmentError;
use crate::identities::IdentityError;
use crate::preflight::Preflight;
use crate::root_key::RootKeyError;
use crate::state_directory::StateDirectoryError;
use crate::supervisor::Cause;

/// Why a server cannot start.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's message says what it means")]
pub enum StartError {
    #[error("this machine cannot run tasks")]
    Preflight(#[source] Preflight),
    #[error("the state directory cannot be used")]
    StateDirectory(#[source] StateDirectoryError),
    #[error("there is no root key")]
    RootKey(#[source] RootKeyError),
    #[error("identities cannot be had")]
    Identity(#[source] IdentityError),
    #[error("the audit log cannot be opened")]
    Audit(#[source] AuditError),
    #[error("the store cannot be opened")]
    Store(#[source] OpenError),
    #[error("the state cannot be loaded")]
    State(#[source] StateError),
    #[error("the log store cannot be opened")]
    Logs(#[source] LogError),
    #[error("the image store cannot be opened")]
    Images(#[source] ImageError),
    #[error("the container runtime cannot be opened")]
    Runtime(#[source] RuntimeError),
    #[error("the node cannot listen for its tasks on 127.0.0.1")]
    TaskListener(#[source] std::io::Error),
    #[error("the task network cannot be opened")]
    Network(#[source] NetworkError),
    #[error("there is no certificate to serve with")]
    Tls(#[source] TlsError),
    #[error("requests cannot be served")]
    Gateway(#[source] GatewayError),
    #[error("there is no authority for nodes of other machines")]
    NodeAuthority(#[source] AuthorityError),
    #[error("nodes of other machines cannot be served")]
    NodeListener(#[source] ListenerError),
    #[error("the node's identity cannot be used")]
    Membership(#[source] MembershipError),
    #[error(
        "this machine is no member of a cluster, or was away for so long that its certificate has ended: make a join token with `portcullis join-token create` and give it with --token-file"
    )]
    NoJoinToken,
    #[error("the machine did not join")]
    Join(#[source] JoinError),
    #[error("the node cannot start")]
    Node(#[source] NodeError),
    #[error("clients cannot be told how to connect")]
    ClientEnvironment(#[source] ClientEnvironmentError),
}

/// Why a server ended by itself. Containers go on running; start the program again.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A part ended though it should not.
    #[error("the {part} of the program ended by itself")]
    Ended {
        /// Which.
        part: &'static str,
    },
    /// A part ended with an error.
    #[error("the {part} of the program failed")]
    Failed {
        /// Which.
        part: &'static str,
        /// Why.
        #[source]
        source: Cause,
    },
    /// The control plane will not have this node any more.
    #[error("the control plane refuses this node: {reason}")]
    NodeRefused {
        /// What it said.
        reason: String,
    },
    /// A part has a bug.
    #[error("the {part} of the program panicked: {message}")]
    Panicked {
        /// Which.
        part: &'static str,
        /// What it said.
        message: String,
    },
}
