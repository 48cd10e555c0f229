//! What can go wrong, told apart by what the caller can do about it.

use std::{io, path::PathBuf};

use crate::{driver::Protocol, subnet::Subnet};

/// Why the network of a task or of the host could not be changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NetworkError {
    /// [`crate::Network::recover`] has not succeeded yet.
    #[error("the network is not set up yet: recover it before attaching tasks")]
    NotReady,
    /// The task has an interface already.
    #[error("task `{task_id}` is attached already: detach it first")]
    AlreadyAttached {
        /// The task.
        task_id: String,
    },
    /// Another call for the same task is under way.
    #[error("task `{task_id}` is being attached or detached just now: try again")]
    Busy {
        /// The task.
        task_id: String,
    },
    /// The request itself is wrong.
    #[error("the network of task `{task_id}` cannot be made: {problem}")]
    InvalidRequest {
        /// The task.
        task_id: String,
        /// What is wrong with the request.
        problem: String,
    },
    /// Another task publishes the port.
    #[error(
        "host port {host_port}/{protocol} is in use by task `{task_id}`: choose another port or 0"
    )]
    PortInUseByTask {
        /// The port asked for.
        host_port: u16,
        /// Its protocol.
        protocol: Protocol,
        /// The task that has it.
        task_id: String,
    },
    /// A process that is not a task has the port.
    #[error(
        "host port {host_port}/{protocol} is in use by another process of this host: choose another port or 0"
    )]
    PortInUseByProcess {
        /// The port asked for.
        host_port: u16,
        /// Its protocol.
        protocol: Protocol,
    },
    /// The port may not be bound for a reason other than its use.
    #[error("host port {host_port}/{protocol} cannot be reserved: {reason}")]
    PortUnavailable {
        /// The port asked for.
        host_port: u16,
        /// Its protocol.
        protocol: Protocol,
        /// What the kernel said.
        reason: io::Error,
    },
    /// No port of the dynamic range is free.
    #[error(
        "no free {protocol} port in the dynamic range {first}-{last}: stop tasks or widen the range"
    )]
    DynamicPortsExhausted {
        /// The protocol.
        protocol: Protocol,
        /// The first port of the range.
        first: u16,
        /// The last port of the range.
        last: u16,
    },
    /// No address of the subnet is free.
    #[error("no free address in {subnet}: stop tasks or configure a larger subnet")]
    AddressesExhausted {
        /// The configured subnet.
        subnet: Subnet,
    },
    /// The namespace file cannot be opened.
    #[error("network namespace `{path}` cannot be opened: {reason}")]
    NamespaceMissing {
        /// The file given.
        path: PathBuf,
        /// Why.
        reason: io::Error,
    },
    /// The file is not a network namespace, or is the host's own.
    #[error("`{path}` is not a network namespace of a task: {problem}")]
    NotATaskNamespace {
        /// The file given.
        path: PathBuf,
        /// What it is instead.
        problem: &'static str,
    },
    /// The kernel refused a change.
    #[error("the kernel refused to {what}: {reason}")]
    Kernel {
        /// What was tried.
        what: &'static str,
        /// What the kernel said.
        reason: io::Error,
    },
    /// A record of the state directory cannot be read or written.
    #[error("`{path}` cannot be {action}: {reason}")]
    State {
        /// The file.
        path: PathBuf,
        /// `read`, `written`, …
        action: &'static str,
        /// Why.
        reason: io::Error,
    },
    /// The worker of the call ended before it had a result.
    #[error("the network driver was stopped in the middle of a call")]
    Interrupted,
}

impl NetworkError {
    pub(crate) fn kernel(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |reason| Self::Kernel { what, reason }
    }
}
