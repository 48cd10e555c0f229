//! What a Portcullis left behind on this machine.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Directories of the state directory that hold one entry per task or container.
const PER_TASK: [&str; 6] = [
    "runtime/containers",
    "runtime/sandboxes",
    "runtime/volumes",
    "node/tasks",
    "network",
    "images/tmp",
];

/// Everything that is left of the Portcullis with this state directory, which must have ended:
/// processes, mounts, namespaces, cgroups, interfaces, loop devices, files, finished or not. One line
/// each.
pub fn leaks(state_dir: &Path) -> Vec<String> {
    let Instance { state_dir, run_dir, cgroup, interface_prefix } = Instance::of(state_dir);
    let marks = [state_dir.display().to_string(), run_dir.display().to_string()];
    let mut found = processes(&marks, &cgroup);
    // The instance's own, in which tasks' namespaces are pinned; see `remove_instance`.
    let own_mount = format!(" {} ", run_dir.join("sandboxes").display());
    for line in lines("/proc/self/mountinfo") {
        let own = line.split_once(" - ").is_some_and(|(mount, _)| {
            let place = mount.split(' ').nth(4);
            // The state directory may be a test's own disk.
            place == Some(own_mount.trim()) || place == state_dir.to_str()
        });
        if !own && marks.iter().any(|mark| line.contains(mark.as_str())) {
            found.push(format!("mount: {line}"));
        }
    }
    for entry in entries(&run_dir.join("sandboxes")) {
        found.push(format!("pinned namespaces: {}", entry.display()));
    }
    for hierarchy in hierarchies() {
        for entry in entries(&hierarchy.join(&cgroup)).into_iter().filter(|path| path.is_dir()) {
            // The group of the shims stays; a task's does not.
            let own = entry.file_name() == Some(OsStr::new("shims"));
            if !own || !lines(entry.join("cgroup.procs")).is_empty() {
                found.push(format!("cgroup: {}", entry.display()));
            }
        }
    }
    for entry in entries(Path::new("/sys/class/net")) {
        if entry
            .file_name()
            .is_some_and(|name| name.as_bytes().starts_with(interface_prefix.as_bytes()))
        {
            found.push(format!("interface: {}", entry.display()));
        }
    }
    for entry in entries(Path::new("/sys/block")) {
        let backing = fs::read_to_string(entry.join("loop/backing_file")).unwrap_or_default();
        if marks.iter().any(|mark| backing.contains(mark.as_str())) {
            found.push(format!("loop device: {} on {}", entry.display(), backing.trim()));
        }
    }
    for directory in PER_TASK {
        for entry in entries(&state_dir.join(directory)) {
            found.push(format!("file: {}", entry.display()));
        }
    }
    found.extend(staged_files(&state_dir));
    found
}

/// Whether no task has anything on this machine any more, while its Portcullis may run.
pub(crate) fn tasks_are_gone(state_dir: &Path) -> bool {
    PER_TASK.iter().all(|directory| entries(&state_dir.join(directory)).is_empty())
}

/// Everything in a directory for temporary files.
pub(crate) fn temporary_files(directory: &Path) -> Vec<String> {
    let found = entries(directory).into_iter();
    found.map(|path| format!("temporary file: {}", path.display())).collect()
}

/// Files that were being written and never got their names.
fn staged_files(state_dir: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut waiting = vec![state_dir.to_owned()];
    while let Some(directory) = waiting.pop() {
        // Images hold files of any name.
        if directory.ends_with("images/layers") {
            continue;
        }
        for path in entries(&directory) {
            let name = path.file_name().unwrap_or_default().as_bytes();
            if path.is_dir() && !path.is_symlink() {
                waiting.push(path);
            } else if name.ends_with(b".new") || name.ends_with(b".tmp") {
                found.push(format!("unfinished file: {}", path.display()));
            }
        }
    }
    found
}

/// Removes what Portcullis keeps between two starts outside its state directory, because tasks may
/// outlive it: the firewall table, the mount that holds pinned namespaces, its cgroups. For an
/// instance that has ended for good.
pub fn remove_instance(state_dir: &Path) {
    let Instance { run_dir, cgroup, interface_prefix, .. } = Instance::of(state_dir);
    let table = format!("portcullis_{}", interface_prefix.trim_start_matches("pc"));
    // Each may never have been made.
    drop(Command::new("nft").args(["delete", "table", "inet", &table]).output());
    drop(Command::new("umount").arg(run_dir.join("sandboxes")).output());
    drop(fs::remove_dir_all(&run_dir));
    for hierarchy in hierarchies() {
        drop(fs::remove_dir(hierarchy.join(&cgroup).join("shims")));
        drop(fs::remove_dir(hierarchy.join(&cgroup)));
    }
}

/// What tells an instance from others on the same machine.
struct Instance {
    state_dir: PathBuf,
    run_dir: PathBuf,
    cgroup: String,
    interface_prefix: String,
}

impl Instance {
    fn of(state_dir: &Path) -> Self {
        let state_dir = fs::canonicalize(state_dir).unwrap_or_else(|_| state_dir.to_owned());
        let id = format!("{:08x}", crc32fast::hash(state_dir.as_os_str().as_bytes()));
        Self {
            run_dir: Path::new("/run/portcullis").join(&id),
            cgroup: format!("portcullis-{id}"),
            interface_prefix: interface_prefix(&state_dir.join("network")),
            state_dir,
        }
    }
}

/// Where control groups are: one directory with version 2, one for each controller with version 1.
fn hierarchies() -> Vec<PathBuf> {
    let root = PathBuf::from("/sys/fs/cgroup");
    let mut found: Vec<PathBuf> = entries(&root)
        .into_iter()
        .filter(|path| !path.is_symlink() && path.join("cgroup.procs").is_file())
        .collect();
    found.push(root);
    found
}

/// How the interfaces of the instance with these records begin.
fn interface_prefix(records: &Path) -> String {
    let hash =
        records.as_os_str().as_bytes().iter().fold(0x811c_9dc5_u32, |hash, byte| {
            (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
        });
    format!("pc{:06x}", (hash >> 24 ^ hash) & 0x00ff_ffff)
}

/// Processes whose command line names the instance's directories, or that are in its cgroups.
fn processes(marks: &[String], cgroup: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in entries(Path::new("/proc")) {
        let is_process =
            entry.file_name().is_some_and(|name| name.as_bytes().iter().all(u8::is_ascii_digit));
        if !is_process || entry.ends_with(std::process::id().to_string()) {
            continue;
        }
        let command = fs::read(entry.join("cmdline")).unwrap_or_default();
        let command = OsStr::from_bytes(&command).to_string_lossy().replace('\0', " ");
        let group = fs::read_to_string(entry.join("cgroup")).unwrap_or_default();
        if group.contains(cgroup) || marks.iter().any(|mark| command.contains(mark.as_str())) {
            found.push(format!("process: {} {command}", entry.display()));
        }
    }
    found
}

fn entries(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    entries.filter_map(|entry| Some(entry.ok()?.path())).collect()
}

fn lines(path: impl AsRef<Path>) -> Vec<String> {
    fs::read_to_string(path).unwrap_or_default().lines().map(ToOwned::to_owned).collect()
}
