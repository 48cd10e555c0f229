//! A driver with directories of its own, and the check that nothing is left of it.

use std::collections::BTreeMap;
use std::fs;
use std::future::Future;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use base::ManualClock;
use nix::mount::{MntFlags, umount2};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use runtime_oci::{
    ContainerExit, ContainerId, ContainerOutput, ContainerSpec, ExecSpec, Limits, OciRuntime,
    Runtime, RuntimeConfig, Sandbox, SandboxSpec, Started, Stream, TextFiles, UserSpec,
};
use tokio::sync::mpsc;

/// Longest any single thing may take, on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(60);
const APPLETS: [&str; 22] = [
    "cat", "chown", "dd", "df", "echo", "grep", "head", "id", "kill", "ls", "mkdir", "mount", "ps",
    "readlink", "rm", "seq", "sh", "sleep", "stat", "tail", "touch", "unshare",
];

static WORLDS: AtomicU32 = AtomicU32::new(0);

pub(crate) struct World {
    directory: tempfile::TempDir,
    pub(crate) config: RuntimeConfig,
    pub(crate) runtime: OciRuntime,
    exits: mpsc::Receiver<ContainerExit>,
}

/// Runs `story` in a world of its own and checks that nothing is left of it.
pub(crate) fn in_a_world<Told: Future<Output = World>>(story: impl FnOnce(World) -> Told) {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("skipped: containers need root");
        return;
    }
    let tokio = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    tokio.block_on(async {
        assert_null_device();
        let world = story(World::new()).await;
        world.assert_nothing_left().await;
        assert_null_device();
    });
}

fn assert_null_device() {
    let metadata = fs::metadata("/dev/null").unwrap();
    let character_device = libc::S_IFCHR;
    assert_eq!(metadata.mode() & libc::S_IFMT, character_device, "/dev/null is damaged");
    assert_eq!(metadata.uid(), 0, "/dev/null has another owner");
}

impl World {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o711)).unwrap();
        let layer = directory.path().join("layer");
        for name in ["bin", "etc", "tmp", "home/app"] {
            fs::create_dir_all(layer.join(name)).unwrap();
        }
        fs::copy("/bin/busybox", layer.join("bin/busybox")).unwrap();
        for applet in APPLETS {
            symlink("busybox", layer.join("bin").join(applet)).unwrap();
        }
        fs::write(
            layer.join("etc/passwd"),
            "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1001::/home/app:/bin/sh\n",
        )
        .unwrap();
        fs::write(layer.join("etc/group"), "root:x:0:\napp:x:1001:\nstaff:x:50:app\n").unwrap();
        std::os::unix::fs::chown(layer.join("home/app"), Some(1000), Some(1001)).unwrap();
        let number = WORLDS.fetch_add(1, Ordering::SeqCst);
        let mut config = RuntimeConfig::new(
            directory.path().join("state"),
            directory.path().join("run"),
            PathBuf::from(env!("CARGO_BIN_EXE_portcullis-shim")),
            Arc::new(ManualClock::default()),
        );
        config.cgroup_parent = format!("/portcullis-test-{}-{number}", std::process::id());
        // Worlds run side by side.
        config.uid_first += 65_536 * 8 * ((std::process::id() % 16) * 32 + number % 32);
        config.uid_ranges = 8;
        let runtime = OciRuntime::open(config.clone()).unwrap();
        let exits = runtime.exits().unwrap();
        Self { directory, config, runtime, exits }
    }

    /// As after the agent was killed: a new driver over the same directories.
    pub(crate) fn restart_agent(&mut self) {
        self.runtime = OciRuntime::open(self.config.clone()).unwrap();
        self.exits = self.runtime.exits().unwrap();
    }

    /// `sh -c script` in task `t`, container `c`.
    pub(crate) fn shell(&self, script: &str) -> ContainerSpec {
        self.container("t", "c", &["sh", "-c", script])
    }

    pub(crate) fn container(&self, task_id: &str, name: &str, argv: &[&str]) -> ContainerSpec {
        ContainerSpec {
            task_id: task_id.to_owned(),
            name: name.to_owned(),
            layers: vec![self.directory.path().join("layer")],
            argv: argv.iter().map(ToString::to_string).collect(),
            environment: Vec::new(),
            working_directory: String::new(),
            user: UserSpec::root(),
            hostname: "box".to_owned(),
            read_only_root: false,
            volumes: Vec::new(),
            tmpfs: Vec::new(),
            text_files: TextFiles::default(),
            capabilities: vec!["CHOWN".to_owned(), "CAP_NET_BIND_SERVICE".to_owned()],
            limits: Limits::default(),
            ulimits: Vec::new(),
            sysctls: BTreeMap::new(),
            init_process: false,
            shm_size_mib: 64,
            writable_layer_mib: 16,
        }
    }

    pub(crate) async fn sandbox(&self, task_id: &str) -> Sandbox {
        let spec = SandboxSpec { task_id: task_id.to_owned(), limits: Limits::default() };
        bounded("sandbox", self.runtime.create_sandbox(spec)).await.unwrap()
    }

    /// Creates and starts; the sandbox must be there.
    pub(crate) async fn start(&self, spec: ContainerSpec) -> (ContainerId, Started) {
        let id = ContainerId::new(&*spec.task_id, &*spec.name);
        bounded("create", self.runtime.create_container(spec)).await.unwrap();
        let started = bounded("start", self.runtime.start_container(&id)).await.unwrap();
        (id, started)
    }

    /// Runs to the end in a sandbox of its own: exit, standard output, standard error.
    pub(crate) async fn run(&mut self, spec: ContainerSpec) -> (ContainerExit, String, String) {
        let task_id = spec.task_id.clone();
        self.sandbox(&task_id).await;
        let (id, _) = self.start(spec).await;
        let mut output = self.runtime.output(&id, None).unwrap();
        let (stdout, stderr) = read_all(&mut output).await;
        let exit = self.exit().await;
        assert_eq!(exit.container, id);
        bounded("remove", self.runtime.remove_task(&task_id)).await.unwrap();
        (exit, stdout, stderr)
    }

    pub(crate) async fn exit(&mut self) -> ContainerExit {
        bounded("exit", self.exits.recv()).await.unwrap()
    }

    /// Output of a program run beside the container's own, which must succeed.
    pub(crate) async fn exec(&self, id: &ContainerId, argv: &[&str]) -> String {
        let spec = ExecSpec {
            argv: argv.iter().map(ToString::to_string).collect(),
            timeout_ms: 30_000,
            output_limit_bytes: 4096,
        };
        let outcome = bounded("exec", self.runtime.exec(id, spec)).await.unwrap();
        assert_eq!(outcome.exit_code, 0, "{argv:?}: {}", outcome.output);
        outcome.output
    }

    async fn assert_nothing_left(self) {
        let tasks = fs::read_dir(self.config.state_dir.join("containers")).unwrap();
        for task in tasks.flatten() {
            let task_id = task.file_name().into_string().unwrap();
            bounded("remove", self.runtime.remove_task(&task_id)).await.unwrap();
        }
        let root = self.directory.path().to_str().unwrap().to_owned();
        let (uid_first, uid_count) = (self.config.uid_first, 65_536 * self.config.uid_ranges);
        let parent = self.config.cgroup_parent.clone();
        let own_group = parent.trim_start_matches('/').to_owned();
        // The kernel lets go of mounts and loop devices shortly after their last user is gone.
        eventually("nothing is left", || {
            let mut left = Vec::new();
            let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
            let own = format!("{root}/run/sandboxes");
            let below = |line: &&str| {
                line.split(' ').nth(4).is_some_and(|at| at.starts_with(&root) && at != own)
            };
            left.extend(mounts.lines().filter(below).map(str::to_owned));
            left.extend(loop_files().into_iter().filter(|file| file.contains(&root)));
            left.extend(processes().into_iter().filter_map(|(pid, uid, command)| {
                let ours = (uid_first..uid_first + uid_count).contains(&uid);
                ours.then(|| format!("process {pid} {command}"))
            }));
            // What the driver keeps for all tasks goes once its last process has left.
            let kept = |group: &PathBuf| group.ends_with("shims") || group.ends_with(&own_group);
            let mut groups = cgroups_of(&parent);
            groups.reverse();
            groups.retain(|group| !kept(group) || fs::remove_dir(group).is_err());
            left.extend(groups.iter().map(|group| group.display().to_string()));
            left
        })
        .await;
        for entry in ["containers", "sandboxes", "volumes"] {
            let left: Vec<_> =
                fs::read_dir(self.config.state_dir.join(entry)).unwrap().flatten().collect();
            assert!(left.is_empty(), "{entry}: {left:?}");
        }
    }
}

impl Drop for World {
    /// After a failure, so that the next test finds a clean machine.
    fn drop(&mut self) {
        let groups = cgroups_of(&self.config.cgroup_parent);
        for group in &groups {
            let procs = fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
            for pid in procs.lines().filter_map(|line| line.parse::<i32>().ok()) {
                // With its shim, which is its parent.
                let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
                let parent = status.lines().find_map(|line| line.strip_prefix("PPid:"));
                let parent = parent.and_then(|parent| parent.trim().parse().ok());
                for pid in [Some(pid), parent.filter(|parent| *parent > 1)].into_iter().flatten() {
                    let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
                }
            }
        }
        let root = self.directory.path().to_str().unwrap_or_default();
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        let points = mounts.lines().filter_map(|line| line.split(' ').nth(4));
        for point in points.filter(|point| point.starts_with(root)).collect::<Vec<_>>().iter().rev()
        {
            let _ = umount2(*point, MntFlags::MNT_DETACH);
        }
        for group in groups.iter().rev() {
            let _ = fs::remove_dir(group);
        }
    }
}

/// Waits for something that must come.
pub(crate) async fn bounded<Output>(what: &str, future: impl Future<Output = Output>) -> Output {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(output) => output,
        Err(_) => panic!("{what} did not come within {PATIENCE:?}"),
    }
}

/// Waits until `problems` finds none, and says which are left when that takes too long.
pub(crate) async fn eventually(what: &str, problems: impl Fn() -> Vec<String>) {
    let mut left = problems();
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !left.is_empty() {
        assert!(tokio::time::Instant::now() < deadline, "not so: {what}: {left:#?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
        left = problems();
    }
}

/// Standard output and standard error, to the end.
pub(crate) async fn read_all(output: &mut ContainerOutput) -> (String, String) {
    let (mut stdout, mut stderr) = (String::new(), String::new());
    while let Some(batch) = bounded("output", output.next(64 * 1024)).await.unwrap() {
        for record in batch.records() {
            let text = match record.stream {
                Stream::Stdout => &mut stdout,
                Stream::Stderr => &mut stderr,
            };
            text.push_str(&String::from_utf8_lossy(record.line));
            text.push('\n');
        }
    }
    (stdout, stderr)
}

/// Value of a line of `/proc/<pid>/status` or text like it.
pub(crate) fn status_of(text: &str, name: &str) -> String {
    let value = text.lines().find_map(|line| line.strip_prefix(&format!("{name}:")));
    value
        .unwrap_or_else(|| panic!("no {name} in {text}"))
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

/// The host's view of a process.
pub(crate) fn host_status(pid: u32) -> String {
    fs::read_to_string(format!("/proc/{pid}/status")).unwrap()
}

/// Pid, user and command line of every process.
fn processes() -> Vec<(u32, u32, String)> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    entries
        .filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            let status = fs::read_to_string(entry.path().join("status")).ok()?;
            let uid = status_of(&status, "Uid").split(' ').next()?.parse().ok()?;
            let command = fs::read_to_string(entry.path().join("cmdline")).ok()?;
            Some((pid, uid, command.replace('\0', " ")))
        })
        .collect()
}

fn loop_files() -> Vec<String> {
    let devices = fs::read_dir("/sys/block").unwrap().flatten();
    devices
        .filter_map(|device| fs::read_to_string(device.path().join("loop/backing_file")).ok())
        .collect()
}

/// Directories of this cgroup and those below, parents first.
fn cgroups_of(parent: &str) -> Vec<PathBuf> {
    fn below(group: &Path, found: &mut Vec<PathBuf>) {
        found.push(group.to_owned());
        for entry in fs::read_dir(group).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                below(&entry.path(), found);
            }
        }
    }
    let mut found = Vec::new();
    let mut roots = vec![PathBuf::from("/sys/fs/cgroup")];
    roots.extend(fs::read_dir("/sys/fs/cgroup").unwrap().flatten().map(|entry| entry.path()));
    for root in roots {
        let group = root.join(parent.trim_start_matches('/'));
        if group.is_dir() {
            below(&group, &mut found);
        }
    }
    found
}
