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
/// How far below `/sys/fs/cgroup` the hierarchies begin: version 1 has one directory each.
const CGROUP_DEPTH: usize = 1;

/// Everything that is left of the Portcullis with this state directory, which must have ended:
/// processes, mounts, namespaces, cgroups, interfaces, loop devices, files. One line each.
pub fn leaks(state_dir: &Path) -> Vec<String> {
    let state_dir = fs::canonicalize(state_dir).unwrap_or_else(|_| state_dir.to_owned());
    let instance = format!("{:08x}", crc32fast::hash(state_dir.as_os_str().as_bytes()));
    let run_dir = Path::new("/run/portcullis").join(&instance);
    let marks = [state_dir.display().to_string(), run_dir.display().to_string()];
    let mut found = processes(&marks);
    for line in lines("/proc/self/mountinfo") {
        if marks.iter().any(|mark| line.contains(mark.as_str())) {
            found.push(format!("mount: {line}"));
        }
    }
    for entry in entries(&run_dir.join("sandboxes")) {
        found.push(format!("pinned namespaces: {}", entry.display()));
    }
    cgroups(Path::new("/sys/fs/cgroup"), &format!("portcullis-{instance}"), 0, &mut found);
    let prefix = interface_prefix(&state_dir.join("network"));
    for entry in entries(Path::new("/sys/class/net")) {
        if entry.file_name().is_some_and(|name| name.as_bytes().starts_with(prefix.as_bytes())) {
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
    found
}

/// Deletes the firewall table of the Portcullis with this state directory, which must have ended
/// for good. The table stays when Portcullis ends, because tasks stay.
pub fn delete_firewall(state_dir: &Path) {
    let prefix = interface_prefix(&state_dir.join("network"));
    let table = format!("portcullis_{}", prefix.trim_start_matches("pc"));
    // It may never have been made.
    drop(Command::new("nft").args(["delete", "table", "inet", &table]).output());
}

/// How the interfaces of the instance with these records begin.
fn interface_prefix(records: &Path) -> String {
    let hash =
        records.as_os_str().as_bytes().iter().fold(0x811c_9dc5_u32, |hash, byte| {
            (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
        });
    format!("pc{:06x}", (hash >> 24 ^ hash) & 0x00ff_ffff)
}

fn processes(marks: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in entries(Path::new("/proc")) {
        let is_process =
            entry.file_name().is_some_and(|name| name.as_bytes().iter().all(u8::is_ascii_digit));
        if !is_process || entry.ends_with(std::process::id().to_string()) {
            continue;
        }
        let command = fs::read(entry.join("cmdline")).unwrap_or_default();
        let command = OsStr::from_bytes(&command).to_string_lossy().replace('\0', " ");
        if marks.iter().any(|mark| command.contains(mark.as_str())) {
            found.push(format!("process: {} {command}", entry.display()));
        }
    }
    found
}

fn cgroups(directory: &Path, name: &str, depth: usize, found: &mut Vec<String>) {
    for entry in entries(directory) {
        if !entry.is_dir() {
            continue;
        }
        if entry.file_name() == Some(OsStr::new(name)) {
            // The instance's own groups stay; a task's do not.
            for task in entries(&entry).into_iter().filter(|path| path.is_dir()) {
                let own = task.file_name() == Some(OsStr::new("shims"));
                let busy = !lines(task.join("cgroup.procs")).is_empty();
                if !own || busy {
                    found.push(format!("cgroup: {}", task.display()));
                }
            }
        } else if depth < CGROUP_DEPTH && !entry.is_symlink() {
            cgroups(&entry, name, depth + 1, found);
        }
    }
}

fn entries(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    entries.filter_map(|entry| Some(entry.ok()?.path())).collect()
}

fn lines(path: impl AsRef<Path>) -> Vec<String> {
    fs::read_to_string(path).unwrap_or_default().lines().map(ToOwned::to_owned).collect()
}
