//! Composes the roles of the program.
//!
//! [`Server::start`] opens the state directory and starts everything; [`Server::run`] keeps it
//! going until it is told to stop. If a part of it ends by itself, the program ends: it never
//! limps on.
//!
//! ```text
//! DIR/lock          held while a program uses the directory
//! DIR/root-key.json the root's access key
//! DIR/client.env    what clients need, for `set -a; . DIR/client.env`
//! DIR/tls/          certificate authority, where TLS is on; on a node of another machine its
//!                   key and certificate
//! DIR/tls/nodes/    the authority for nodes of other machines, where they are served
//! DIR/audit/        the audit log, with its key
//! DIR/trails/       copies of audit records that trails ask for
//! DIR/store/        the control plane's state
//! DIR/logs/         the log store
//! DIR/images/       the image store
//! DIR/runtime/      containers
//! DIR/network/      addresses and ports of tasks
//! DIR/node/         the node's identity and tasks
//! ```

mod audit;
mod client_environment;
mod config;
mod error;
mod identities;
mod key_fetcher;
mod local_logs;
mod local_node;
mod machine;
mod node_listener;
mod preflight;
mod remote_node;
mod root_key;
mod server;
mod services;
mod state_directory;
mod stop_tasks;
mod supervisor;
mod task_sessions;
#[cfg(test)]
mod tests;
mod trails;

pub use client_environment::{ClientEnvironment, ClientEnvironmentError};
pub use config::{NodeSettings, ServerConfig};
pub use error::{RunError, StartError};
pub use identities::IdentityError;
pub use machine::{OsEntropy, SystemClock};
pub use preflight::{Preflight, Problem};
pub use remote_node::{RemoteNode, RemoteNodeConfig};
pub use root_key::{RootKey, RootKeyError};
pub use server::Server;
pub use state_directory::{StateDirectory, StateDirectoryError};
