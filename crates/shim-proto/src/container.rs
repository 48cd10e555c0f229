//! A container as the agent wants it: resolved, validated, in this product's own terms.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// One container. Everything that needs the image's configuration (entry point, command,
/// environment) has been resolved by the caller; only names of users and groups are left to be
/// looked up in the root file system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerSpec {
    /// The task the container belongs to: letters, digits, `-` and `_`, at most 64.
    pub task_id: String,
    /// The container's name within its task: letters, digits, `-` and `_`, at most 255.
    pub name: String,
    /// Unpacked layer directories, lowest first, at most 127; owned on disk by the ids the image
    /// names (root is 0).
    pub layers: Vec<PathBuf>,
    /// Program and arguments; the program is searched in the environment's `PATH`.
    pub argv: Vec<String>,
    /// Environment in order; a later value wins over an earlier one of the same name.
    pub environment: Vec<(String, String)>,
    /// Absolute working directory; created when the image lacks it. `/` when empty.
    pub working_directory: String,
    /// Who runs the program.
    pub user: UserSpec,
    /// Host name inside the container, at most 63 characters. No change when empty.
    pub hostname: String,
    /// Whether the root file system refuses writes.
    pub read_only_root: bool,
    /// Task-scoped volumes.
    pub volumes: Vec<Volume>,
    /// In-memory file systems.
    pub tmpfs: Vec<FileSystemMount>,
    /// The files that name hosts.
    pub text_files: TextFiles,
    /// Capabilities, with or without the `CAP_` prefix; the whole set, not a difference.
    pub capabilities: Vec<String>,
    /// Limits on what the container may use.
    pub limits: Limits,
    /// Resource limits of each process.
    pub ulimits: Vec<Ulimit>,
    /// Namespaced kernel parameters (`net.*`, `kernel.shm*`, `kernel.msg*`, `kernel.sem`,
    /// `fs.mqueue.*`).
    pub sysctls: BTreeMap<String, String>,
    /// Whether process 1 is a small init that reaps orphans and forwards signals.
    pub init_process: bool,
    /// Size of `/dev/shm` in MiB.
    pub shm_size_mib: u32,
    /// Most the container may write to its root file system, in MiB.
    pub writable_layer_mib: u32,
}

/// A user or group as an image or a task definition names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NamedId {
    /// A number.
    Id(u32),
    /// A name, to be looked up in the container's own `/etc/passwd` or `/etc/group`.
    Name(String),
}

/// Who runs the program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserSpec {
    /// The user.
    pub user: NamedId,
    /// The group; without it, the user's own from `/etc/passwd`, or 0.
    pub group: Option<NamedId>,
    /// Further groups. Without `group`, those of `/etc/group` that list the user are added.
    pub additional_gids: Vec<u32>,
}

impl UserSpec {
    /// Container root.
    pub const fn root() -> Self {
        Self { user: NamedId::Id(0), group: None, additional_gids: Vec::new() }
    }
}

impl From<&str> for UserSpec {
    /// Reads `user`, `user:group`, each a number or a name, as images and task definitions
    /// write it. Empty means root.
    fn from(text: &str) -> Self {
        let named = |text: &str| match text.parse::<u32>() {
            Ok(id) => NamedId::Id(id),
            Err(_) => NamedId::Name(text.to_owned()),
        };
        let (user, group) = match text.split_once(':') {
            Some((user, group)) => (user, Some(group)),
            None => (text, None),
        };
        let user = if user.is_empty() { NamedId::Id(0) } else { named(user) };
        let group = group.filter(|group| !group.is_empty()).map(named);
        Self { user, group, additional_gids: Vec::new() }
    }
}

/// A directory of this machine, made and owned by us, that containers of one task share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Volume {
    /// The directory on this machine.
    pub source: PathBuf,
    /// Where the container sees it; absolute.
    pub container_path: String,
    /// Whether this container may not write to it.
    pub read_only: bool,
}

/// An in-memory file system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileSystemMount {
    /// Where the container sees it; absolute.
    pub container_path: String,
    /// Most it may hold, in MiB.
    pub size_mib: u32,
    /// Mount options such as `noexec` or `mode=1777`.
    pub options: Vec<String>,
}

/// Files given by content; a `None` leaves the image's own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TextFiles {
    /// `/etc/hosts`
    pub hosts: Option<String>,
    /// `/etc/hostname`
    pub hostname: Option<String>,
    /// `/etc/resolv.conf`
    pub resolv_conf: Option<String>,
    /// Further files, at paths that nothing else is mounted at. No process of the container can change them,
    /// whatever its user, and nobody else sees them.
    #[serde(default)]
    pub further: Vec<TextFile>,
}

/// A file given by content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TextFile {
    /// Where the container sees it; absolute.
    pub container_path: String,
    /// What is in it.
    pub content: Content,
}

/// The content of a file, which may be a secret: `Debug` tells its length.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Content(pub String);

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

/// Limits on what a container, or a whole task, may use. `None` means no limit of its own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Relative share of CPU time, 2 to 262144; ECS units as they are (1024 = 1 vCPU).
    pub cpu_shares: Option<u32>,
    /// Most CPU time, in ECS units (1024 = 1 vCPU).
    pub cpu_quota_units: Option<u32>,
    /// Most memory, in MiB; beyond it the kernel kills.
    pub memory_mib: Option<u32>,
    /// Memory the kernel tries to leave alone, in MiB.
    pub memory_reservation_mib: Option<u32>,
    /// Most processes and threads.
    pub pids: Option<u32>,
}

/// A resource limit of each process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ulimit {
    /// `nofile`, `nproc`, `core`, …
    pub name: String,
    /// What a process starts with.
    pub soft: u64,
    /// How far it may raise it.
    pub hard: u64,
}
