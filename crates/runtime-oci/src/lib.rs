//! Runs containers: sandboxes, bundles and the shim that owns each of them.
//!
//! [`OciRuntime`] is the driver the node agent uses through the [`Runtime`] trait. It validates
//! what it is asked for, keeps each container's files in a directory of its own, and starts one
//! `portcullis-shim` per container, which does everything else and outlives the agent. All state
//! is on disk or in the kernel: a new driver over the same directories finds every container.
//!
//! ```text
//! <state_dir>/containers/<task>/<container>/   control.sock, exit.json, spool/, …
//! <state_dir>/sandboxes/<task>.json            the task's range of user ids
//! <state_dir>/volumes/<task>/<volume>/         task-scoped volumes
//! <state_dir>/templates/                       empty file systems to copy writable layers from
//! <run_dir>/sandboxes/<task>/{user,network}    pinned namespaces
//! <run_dir>/stage/                             empty; each shim mounts its own over it
//! ```

mod cgroups;
mod driver;
mod error;
mod id_ranges;
mod one_shot;
mod output;
mod run_directory;
mod shim_client;
mod templates;
mod validate;

pub use driver::OciRuntime;
pub use error::RuntimeError;
pub use log_spool::{Batch, Position, Record, Stream};
pub use output::ContainerOutput;
pub use shim_proto::{
    ContainerSpec, Content, FailureKind, FileSystemMount, Limits, NamedId, TextFile, TextFiles,
    Ulimit, UserSpec, Volume,
};

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use base::{Clock, Timestamp};
use futures_util::future::BoxFuture;
use tokio::sync::mpsc;

/// Where the driver keeps things and what it starts.
#[derive(Debug, Clone)]
pub struct RuntimeConfig {
    /// Directory for what must survive a restart of the agent. Made when missing, mode 0700.
    pub state_dir: PathBuf,
    /// Directory for pinned namespaces, which do not survive a restart of the machine, such as
    /// `/run/portcullis`. Made when missing. Every user must be able to traverse the directories
    /// above it, since container root is an unprivileged user of this machine.
    pub run_dir: PathBuf,
    /// The `portcullis-shim` program, of the same version as this library.
    pub shim_program: PathBuf,
    /// Parent of all cgroups made here: an absolute cgroup path such as `/portcullis`.
    pub cgroup_parent: String,
    /// First user id of the ranges given to tasks; a multiple of 65,536.
    pub uid_first: u32,
    /// How many ranges of 65,536 ids there are: the most tasks at once.
    pub uid_ranges: u32,
    /// Most output kept for a reader that is behind, per container, in bytes. A container that
    /// has written more waits.
    pub spool_total_bytes: u64,
    /// Size of the spool's segments, in bytes.
    pub spool_segment_bytes: u64,
    /// The time, for exits that only the driver sees.
    pub clock: Arc<dyn Clock>,
}

impl RuntimeConfig {
    /// Defaults: cgroups below `/portcullis`, 4,096 ranges from 1,879,048,192 (the ids between
    /// what systemd-nspawn uses and 2^31), a spool of 256 MiB in segments of 8 MiB.
    pub fn new(
        state_dir: PathBuf,
        run_dir: PathBuf,
        shim_program: PathBuf,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            state_dir,
            run_dir,
            shim_program,
            cgroup_parent: "/portcullis".to_owned(),
            uid_first: 0x7000_0000,
            uid_ranges: 4096,
            spool_total_bytes: 256 << 20,
            spool_segment_bytes: 8 << 20,
            clock,
        }
    }
}

/// Names a container.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContainerId {
    /// The task's id.
    pub task_id: String,
    /// The container's name within the task.
    pub name: String,
}

impl ContainerId {
    /// The container `name` of the task `task_id`.
    pub fn new(task_id: impl Into<String>, name: impl Into<String>) -> Self {
        Self { task_id: task_id.into(), name: name.into() }
    }
}

impl fmt::Display for ContainerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.task_id, self.name)
    }
}

/// What a task's containers share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SandboxSpec {
    /// The task's id: letters, digits, `-` and `_`, at most 64.
    pub task_id: String,
    /// Limits on all containers of the task together.
    pub limits: Limits,
}

/// Namespaces pinned for a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sandbox {
    /// The task's id.
    pub task_id: String,
    /// The pinned user namespace.
    pub user_namespace: PathBuf,
    /// The pinned network namespace, owned by the user namespace. Empty but for a `lo` that is
    /// down: the network driver's to set up.
    pub network_namespace: PathBuf,
    /// The user id of this machine that is container root; 65,536 ids from here on are the
    /// task's.
    pub uid_base: u32,
}

/// A started container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Started {
    /// Process id on this machine of the container's process 1.
    pub pid: u32,
    /// When it was started.
    pub started_at: Timestamp,
}

/// A container has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerExit {
    /// Which.
    pub container: ContainerId,
    /// Its exit code; 128 + the signal's number when a signal ended it.
    pub exit_code: i32,
    /// Whether the kernel killed a process of it for want of memory (`OutOfMemoryError`).
    pub oom_killed: bool,
    /// When it was started, if it was.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Timestamp,
    /// Why, when it did not end by itself.
    pub reason: Option<String>,
}

/// State of a container found by [`Runtime::recover`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecoveredState {
    /// Created, or half created when the driver died, and not started.
    Created,
    /// Running.
    Running(Started),
    /// Ended; its output may still have to be read.
    Exited(ContainerExit),
}

/// What a driver finds when it starts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Tasks whose namespaces are pinned. After a restart of the machine there are none, and
    /// what is left of their tasks is to be removed with [`Runtime::remove_task`].
    pub sandboxes: Vec<Sandbox>,
    /// All containers that have not been deleted.
    pub containers: Vec<(ContainerId, RecoveredState)>,
}

/// A program to run in a container, beside its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecSpec {
    /// Program and arguments; the program is searched in the container's `PATH`.
    pub argv: Vec<String>,
    /// After this long it is killed, milliseconds.
    pub timeout_ms: u64,
    /// How much of its output is kept, in bytes; at most 64 KiB.
    pub output_limit_bytes: usize,
}

/// How a program run with [`Runtime::exec`] ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecOutcome {
    /// Its exit code; 128 + the signal's number when a signal ended it.
    pub exit_code: i32,
    /// Whether it took too long and was killed.
    pub timed_out: bool,
    /// The beginning of its standard output and standard error.
    pub output: String,
}

/// What a container uses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ContainerStats {
    /// CPU time since its creation, nanoseconds.
    pub cpu_usage_ns: u64,
    /// Memory without the file cache that the kernel can drop at once, bytes.
    pub memory_bytes: u64,
    /// Processes and threads.
    pub pids: u64,
}

/// A driver that runs containers. Every call has a time-out and may be called at any time from
/// any task; dropping the future of a call does not undo it.
pub trait Runtime: Send + Sync + fmt::Debug {
    /// Makes a task's namespaces and its cgroup; finds them, when a driver that died had made them.
    fn create_sandbox(&self, spec: SandboxSpec) -> BoxFuture<'_, Result<Sandbox, RuntimeError>>;

    /// Lets go of a task's namespaces. They end with the last process in them.
    fn remove_sandbox<'a>(&'a self, task_id: &'a str) -> BoxFuture<'a, Result<(), RuntimeError>>;

    /// Makes an empty directory that containers of the task can mount; the path of an existing
    /// one otherwise.
    fn create_volume<'a>(
        &'a self,
        task_id: &'a str,
        name: &'a str,
    ) -> BoxFuture<'a, Result<PathBuf, RuntimeError>>;

    /// Creates a container: everything but running its program. Nothing is left behind on error.
    fn create_container(&self, spec: ContainerSpec) -> BoxFuture<'_, Result<(), RuntimeError>>;

    /// Runs a created container's program.
    fn start_container<'a>(
        &'a self,
        id: &'a ContainerId,
    ) -> BoxFuture<'a, Result<Started, RuntimeError>>;

    /// Sends a signal to a container's process 1.
    fn signal<'a>(
        &'a self,
        id: &'a ContainerId,
        signal: i32,
    ) -> BoxFuture<'a, Result<(), RuntimeError>>;

    /// Runs a program in a running container, with the container's own user, groups,
    /// capabilities, filter, limits and cgroup.
    fn exec<'a>(
        &'a self,
        id: &'a ContainerId,
        spec: ExecSpec,
    ) -> BoxFuture<'a, Result<ExecOutcome, RuntimeError>>;

    /// Where exits are told, each once per driver: those of containers created by it and those
    /// found running by [`Runtime::recover`]. `None` when it has been taken before.
    fn exits(&self) -> Option<mpsc::Receiver<ContainerExit>>;

    /// Finds all that an earlier driver left behind. To be called once, before anything else.
    fn recover(&self) -> BoxFuture<'_, Result<Recovered, RuntimeError>>;

    /// Reads a container's output from `position` on, or from where it was last committed.
    fn output(
        &self,
        id: &ContainerId,
        position: Option<Position>,
    ) -> Result<ContainerOutput, RuntimeError>;

    /// What a container uses now.
    fn stats<'a>(
        &'a self,
        id: &'a ContainerId,
    ) -> BoxFuture<'a, Result<ContainerStats, RuntimeError>>;

    /// Ends a container if it runs and removes it with its output. No error when there is none.
    fn delete_container<'a>(
        &'a self,
        id: &'a ContainerId,
    ) -> BoxFuture<'a, Result<(), RuntimeError>>;

    /// Removes all of a task: containers, sandbox, volumes and cgroup. No error when there is
    /// nothing.
    fn remove_task<'a>(&'a self, task_id: &'a str) -> BoxFuture<'a, Result<(), RuntimeError>>;
}
