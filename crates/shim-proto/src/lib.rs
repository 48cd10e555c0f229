//! What the node agent and a container's shim say to each other.
//!
//! The agent starts `portcullis-shim run` with a [`CreateRequest`] on its standard input and gets
//! one [`CreateReply`] on its standard output; from then on it speaks one [`Request`] and one
//! [`Reply`] per line over the socket `control.sock` in the container's directory. `exec` and
//! `sandbox` are one-shot programs with the same shape. Every message is one line of JSON.

mod container;
mod message;

pub use container::{
    ContainerSpec, Content, FileSystemMount, Limits, NamedId, TextFile, TextFiles, Ulimit,
    UserSpec, Volume,
};
pub use message::{
    CgroupFiles, CreateReply, CreateRequest, ExecReply, ExecRequest, ExitRecord, Failure,
    FailureKind, Reply, Request, SandboxReply, SandboxRequest, SpoolLimits,
};

/// Names of the files in a container's directory.
pub mod file {
    /// The unix socket the shim listens on.
    pub const CONTROL_SOCKET: &str = "control.sock";
    /// Made before the program is started, which it therefore never was where this is missing.
    pub const STARTED: &str = "started";
    /// The [`crate::ExitRecord`], once the container has ended.
    pub const EXIT: &str = "exit.json";
    /// The directory of the output spool.
    pub const SPOOL: &str = "spool";
    /// The OCI bundle: `config.json`.
    pub const BUNDLE: &str = "bundle";
    /// libcontainer's own state.
    pub const RUNTIME_STATE: &str = "runtime";
    /// What the shim itself has to say; at most a few lines per container.
    pub const SHIM_LOG: &str = "shim.log";
}

/// Longest line either side accepts on the control socket, in bytes.
pub const LINE_LIMIT_BYTES: usize = 4096;
/// Longest [`CreateRequest`] or [`ExecRequest`], in bytes.
pub const REQUEST_LIMIT_BYTES: u64 = 4 << 20;
/// The id libcontainer knows the container by, inside its own state directory.
pub const RUNTIME_ID: &str = "container";
/// Uids and gids in a sandbox's user namespace.
pub const ID_RANGE: u32 = 65_536;
