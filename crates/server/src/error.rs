//! Why a server does not start or does not go on.

use gateway::{GatewayError, TlsError};
use images::ImageError;
use logstore::LogError;
use network::NetworkError;
use node::NodeError;
use runtime_oci::RuntimeError;
use state::StateError;
use store_redb::OpenError;

use crate::client_environment::ClientEnvironmentError;
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
    #[error("the task network cannot be opened")]
    Network(#[source] NetworkError),
    #[error("there is no certificate to serve with")]
    Tls(#[source] TlsError),
    #[error("requests cannot be served")]
    Gateway(#[source] GatewayError),
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
    /// A part has a bug.
    #[error("the {part} of the program panicked: {message}")]
    Panicked {
        /// Which.
        part: &'static str,
        /// What it said.
        message: String,
    },
}
