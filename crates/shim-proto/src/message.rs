//! The messages.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::ContainerSpec;

/// What `portcullis-shim run` reads from its standard input.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CreateRequest {
    /// The container.
    pub spec: ContainerSpec,
    /// The container's own directory; exists, mode 0700.
    pub directory: PathBuf,
    /// A directory every user may traverse, where the shim stages mounts that only it sees.
    pub stage_directory: PathBuf,
    /// The mount point below which all sandboxes are pinned; the shim lets go of it, so that it
    /// keeps no other task's namespaces alive.
    pub sandboxes_directory: PathBuf,
    /// The task's pinned user namespace.
    pub user_namespace: PathBuf,
    /// The task's pinned network namespace.
    pub network_namespace: PathBuf,
    /// The host id of the container's id 0.
    pub uid_base: u32,
    /// The container's control groups.
    pub cgroups: CgroupFiles,
    /// An ext4 image of the writable layer's size, to be copied; tmpfs when absent.
    pub writable_template: Option<PathBuf>,
    /// Limits of the output spool.
    pub spool: SpoolLimits,
}

/// Files of control groups that the driver has made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CgroupFiles {
    /// `tasks` or `cgroup.procs` files that take a process into the container's groups.
    pub enter: Vec<PathBuf>,
    /// Those that take the shim back to its own.
    pub leave: Vec<PathBuf>,
    /// Limits, and their values, that must not count while the shim is in the groups.
    pub limits_after_entry: Vec<(PathBuf, String)>,
    /// `memory.events` or `memory.oom_control` of the container: has a line `oom_kill N`.
    pub oom: Option<PathBuf>,
    /// Whether the container can be shown its own group: version 2 only.
    pub can_be_shown: bool,
}

/// Limits of the output spool, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpoolLimits {
    /// Size at which a new segment is begun.
    pub segment_bytes: u64,
    /// Unread output at which the container is made to wait.
    pub total_bytes: u64,
}

/// What `portcullis-shim run` answers on its standard output, once.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CreateReply {
    /// All is set up; the program waits for [`Request::Start`].
    Created {
        /// Host process id of the container's process 1.
        pid: u32,
    },
    /// Nothing is left behind but the container's directory.
    Failed(Failure),
}

/// Whose fault a failure is, as far as can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// The container asks for something that cannot be: a user that does not exist, a program
    /// that is not there. Trying again gives the same.
    Specification,
    /// This machine cannot give it now: no space, no process, no memory, a failed system call.
    Machine,
    /// The container is in a state in which this cannot be done.
    State,
}

/// Why something did not work: what, where, why, and what to do, in one line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Whose fault.
    pub kind: FailureKind,
    /// One line, lower case, no full stop.
    pub message: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

impl Failure {
    /// The container's specification is at fault.
    pub fn specification(message: impl Into<String>) -> Self {
        Self { kind: FailureKind::Specification, message: one_line(&message.into()) }
    }

    /// The machine is at fault.
    pub fn machine(message: impl Into<String>) -> Self {
        Self { kind: FailureKind::Machine, message: one_line(&message.into()) }
    }

    /// The container is in the wrong state.
    pub fn state(message: impl Into<String>) -> Self {
        Self { kind: FailureKind::State, message: one_line(&message.into()) }
    }
}

/// Messages travel in lines of bounded length and end up in one-line reasons.
fn one_line(message: &str) -> String {
    const LONGEST: usize = 1500;
    let mut line: String =
        message.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST).collect();
    if line.len() < message.len() {
        line.push('…');
    }
    line
}

/// A line to the shim.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// Answered by [`Reply::Created`], [`Reply::Running`] or [`Reply::Exited`].
    Status,
    /// Lets the program run; answered by [`Reply::Running`].
    Start,
    /// Sends a signal to process 1; answered by [`Reply::Done`].
    Signal {
        /// The signal's number.
        signal: i32,
    },
    /// Answered by [`Reply::Exited`] when the container has ended, however late.
    Wait,
    /// Ends what still runs, lets go of every resource, answers [`Reply::Done`] and exits.
    Delete,
}

/// A line from the shim.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// Created, not started.
    Created {
        /// Host process id of process 1.
        pid: u32,
    },
    /// Running.
    Running {
        /// Host process id of process 1.
        pid: u32,
        /// When the program was started, milliseconds since the Unix epoch.
        started_at_ms: i64,
    },
    /// Ended.
    Exited(ExitRecord),
    /// Done.
    Done,
    /// Not done.
    Failed(Failure),
}

/// How a container ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExitRecord {
    /// The exit code; 128 + the signal's number when a signal ended it.
    pub exit_code: i32,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// Whether the kernel killed a process of the container for want of memory.
    pub oom_killed: bool,
    /// When, milliseconds since the Unix epoch.
    pub finished_at_ms: i64,
    /// When the program was started, if it was.
    pub started_at_ms: Option<i64>,
    /// More to say, when it did not end by itself.
    pub reason: Option<String>,
}

/// What `portcullis-shim exec` reads from its standard input.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ExecRequest {
    /// The directory of the container.
    pub directory: PathBuf,
    /// The task's pinned user namespace, which the container's process must be in.
    pub user_namespace: PathBuf,
    /// The container's control groups.
    pub cgroups: CgroupFiles,
    /// Program and arguments.
    pub argv: Vec<String>,
    /// After this many milliseconds the program is killed.
    pub timeout_ms: u64,
    /// How much of its output is kept, in bytes; the rest is read and dropped.
    pub output_limit_bytes: usize,
}

/// What `portcullis-shim exec` answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExecReply {
    /// The program ended, or was ended.
    Ended {
        /// Its exit code; 128 + the signal's number when a signal ended it.
        exit_code: i32,
        /// Whether it took too long and was killed.
        timed_out: bool,
        /// The beginning of what it wrote to standard output and standard error.
        output: String,
    },
    /// It could not be started.
    Failed(Failure),
}

/// What `portcullis-shim sandbox` reads from its standard input.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SandboxRequest {
    /// Where to pin the namespaces: an existing directory; files `user` and `network` are made.
    pub directory: PathBuf,
    /// The host id of id 0.
    pub uid_base: u32,
}

/// What `portcullis-shim sandbox` answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SandboxReply {
    /// Both namespaces are pinned.
    Ready,
    /// Nothing is pinned.
    Failed(Failure),
}
