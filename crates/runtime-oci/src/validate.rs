//! Refuses what a container must not ask for, before anything is made. Values that came from
//! a user end up in paths, mount options and kernel files: each is checked here.

use shim_proto::{ContainerSpec, Failure, FileSystemMount};

use crate::ContainerId;

/// Overlayfs's options fill one page, and images have at most 127 layers.
const LAYERS_LIMIT: usize = 127;
/// The kernel takes 128 KiB per argument and a quarter of the stack for all; programs expect
/// 2 MiB at most.
const ARGUMENTS_LIMIT_BYTES: usize = 1 << 20;
/// ext4 cannot be smaller than its own tables.
const WRITABLE_LAYER_MINIMUM_MIB: u32 = 16;

const TMPFS_OPTIONS: [&str; 16] = [
    "defaults",
    "ro",
    "rw",
    "nosuid",
    "nodev",
    "exec",
    "noexec",
    "sync",
    "async",
    "dirsync",
    "atime",
    "noatime",
    "diratime",
    "nodiratime",
    "relatime",
    "strictatime",
];
const TMPFS_VALUES: [&str; 5] = ["mode", "uid", "gid", "nr_inodes", "nr_blocks"];

/// Kernel parameters that belong to a namespace of the container's own.
const SYSCTL_PREFIXES: [&str; 3] = ["net.", "fs.mqueue.", "kernel.msg"];
const SYSCTLS: [&str; 6] = [
    "kernel.sem",
    "kernel.shmall",
    "kernel.shmmax",
    "kernel.shmmni",
    "kernel.shm_rmid_forced",
    "kernel.domainname",
];

/// Whether `text` is safe as a name of a directory and a cgroup.
pub(crate) fn is_name(text: &str, longest: usize) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    !text.is_empty() && text.len() <= longest && text.bytes().all(allowed)
}

/// Whether `text` is safe as a task's id.
pub(crate) fn is_task_id(text: &str) -> bool {
    is_name(text, 64)
}

/// Whether both parts are safe.
pub(crate) fn is_container_id(id: &ContainerId) -> bool {
    is_task_id(&id.task_id) && is_name(&id.name, 255)
}

/// All checks of a container.
pub(crate) fn container(spec: &ContainerSpec) -> Result<(), Failure> {
    program(spec)?;
    let layers = spec.layers.len();
    if layers == 0 || layers > LAYERS_LIMIT || spec.layers.iter().any(|layer| !layer.is_absolute())
    {
        return refuse(format!(
            "an image needs 1 to {LAYERS_LIMIT} layers with absolute paths, this has {layers}"
        ));
    }
    for volume in &spec.volumes {
        mount_point(&volume.container_path)?;
        if !volume.source.is_absolute() {
            return refuse(format!("volume `{}`: not an absolute path", volume.source.display()));
        }
    }
    for tmpfs in &spec.tmpfs {
        self::tmpfs(tmpfs)?;
    }
    for file in &spec.text_files.further {
        mount_point(&file.container_path)?;
    }
    for (name, value) in &spec.sysctls {
        sysctl(name, value)?;
    }
    let hostname_byte = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
    if spec.hostname.len() > 63 || !spec.hostname.bytes().all(hostname_byte) {
        return refuse(format!("`{}` is not a host name", spec.hostname));
    }
    if spec.writable_layer_mib < WRITABLE_LAYER_MINIMUM_MIB {
        return refuse(format!(
            "a writable layer of {} MiB is too small: {WRITABLE_LAYER_MINIMUM_MIB} is the least",
            spec.writable_layer_mib
        ));
    }
    if spec.shm_size_mib == 0 {
        return refuse("`/dev/shm` needs at least 1 MiB".to_owned());
    }
    // Smaller limits cannot even hold the processes that set a container up.
    if spec.limits.memory_mib.is_some_and(|mib| mib < 4) {
        return refuse("a memory limit below 4 MiB cannot hold a process".to_owned());
    }
    if spec.limits.pids == Some(0) {
        return refuse("a container needs at least one process".to_owned());
    }
    Ok(())
}

fn refuse(message: String) -> Result<(), Failure> {
    Err(Failure::specification(message))
}

fn program(spec: &ContainerSpec) -> Result<(), Failure> {
    if spec.argv.first().is_none_or(String::is_empty) {
        return refuse(
            "no command specified: neither the image nor the container definition has an entry \
             point or a command"
                .to_owned(),
        );
    }
    let environment = spec.environment.iter();
    let environment_bytes: usize =
        environment.map(|(name, value)| name.len() + value.len() + 2).sum();
    let bytes = spec.argv.iter().map(|text| text.len() + 1).sum::<usize>() + environment_bytes;
    if bytes > ARGUMENTS_LIMIT_BYTES {
        return refuse(format!(
            "command and environment have {bytes} bytes together, more than the \
             {ARGUMENTS_LIMIT_BYTES} a program can be given"
        ));
    }
    if spec.argv.iter().any(|text| text.contains('\0')) {
        return refuse("the command contains a NUL character".to_owned());
    }
    for (name, value) in &spec.environment {
        if name.is_empty() || name.contains(['=', '\0']) || value.contains('\0') {
            return refuse(format!(
                "environment variable `{name}`: a name must not be empty or contain `=`, and \
                 nothing may contain NUL"
            ));
        }
    }
    if !spec.working_directory.is_empty() {
        container_path(&spec.working_directory)?;
    }
    Ok(())
}

fn container_path(path: &str) -> Result<(), Failure> {
    let plain = path.starts_with('/')
        && path.len() <= 4095
        && !path.contains('\0')
        && !path.split('/').any(|part| part == "..");
    if plain { Ok(()) } else { refuse(format!("`{path}` is not an absolute path without `..`")) }
}

/// Places the runtime itself mounts over are not to be covered.
fn mount_point(path: &str) -> Result<(), Failure> {
    container_path(path)?;
    let mut parts = path.split('/').filter(|part| !part.is_empty() && *part != ".");
    match (parts.next(), parts.next()) {
        (None, _) => refuse("a volume cannot be mounted at `/`".to_owned()),
        (Some("proc" | "sys"), _) | (Some("dev"), None) => {
            refuse(format!("a volume cannot be mounted at `{path}`, which the kernel provides"))
        }
        _ => Ok(()),
    }
}

fn tmpfs(tmpfs: &FileSystemMount) -> Result<(), Failure> {
    mount_point(&tmpfs.container_path)?;
    if tmpfs.size_mib == 0 {
        return refuse(format!("tmpfs `{}`: its size must be positive", tmpfs.container_path));
    }
    for option in &tmpfs.options {
        let known = match option.split_once('=') {
            None => TMPFS_OPTIONS.contains(&option.as_str()),
            Some((name, value)) => {
                TMPFS_VALUES.contains(&name)
                    && !value.is_empty()
                    && value.bytes().all(|byte| byte.is_ascii_digit())
            }
        };
        if !known {
            return refuse(format!(
                "tmpfs `{}`: option `{option}` is not supported; remove it (set-user-id programs, \
                 devices and mount propagation are never allowed)",
                tmpfs.container_path
            ));
        }
    }
    Ok(())
}

fn sysctl(name: &str, value: &str) -> Result<(), Failure> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let known =
        SYSCTLS.contains(&name) || SYSCTL_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
    if !known || !name.bytes().all(allowed) || name.contains("..") {
        return refuse(format!(
            "kernel parameter `{name}` is not one of the container's own: net.*, fs.mqueue.*, \
             kernel.msg*, kernel.shm* and kernel.sem are"
        ));
    }
    if value.len() > 1024 || value.chars().any(char::is_control) {
        return refuse(format!("kernel parameter `{name}`: the value is not a short line of text"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use shim_proto::{Limits, TextFiles, UserSpec, Volume};

    use super::*;

    fn sound() -> ContainerSpec {
        ContainerSpec {
            task_id: "t".to_owned(),
            name: "c".to_owned(),
            layers: vec![PathBuf::from("/l")],
            argv: vec!["sh".to_owned()],
            environment: Vec::new(),
            working_directory: "/".to_owned(),
            user: UserSpec::root(),
            hostname: String::new(),
            read_only_root: false,
            volumes: Vec::new(),
            tmpfs: Vec::new(),
            text_files: TextFiles::default(),
            capabilities: Vec::new(),
            limits: Limits::default(),
            ulimits: Vec::new(),
            sysctls: std::collections::BTreeMap::new(),
            init_process: false,
            shm_size_mib: 64,
            writable_layer_mib: 64,
        }
    }

    fn check(change: impl FnOnce(&mut ContainerSpec), expected: &str) {
        let mut spec = sound();
        change(&mut spec);
        let failure = container(&spec).unwrap_err();
        assert!(failure.message.contains(expected), "{failure}, expected `{expected}`");
    }

    #[test]
    fn a_sound_container_is_accepted() {
        assert_eq!(container(&sound()), Ok(()));
    }

    #[test]
    fn hostile_values_are_refused_with_the_reason() {
        let volume = |path: &str| Volume {
            source: PathBuf::from("/v"),
            container_path: path.to_owned(),
            read_only: false,
        };
        let tmpfs = |option: &str| FileSystemMount {
            container_path: "/tmp".to_owned(),
            size_mib: 1,
            options: vec![option.to_owned()],
        };
        check(|spec| spec.argv.clear(), "no command specified");
        check(|spec| spec.argv = vec!["a\0b".to_owned()], "NUL");
        check(|spec| spec.layers.clear(), "1 to 127 layers");
        check(|spec| spec.environment.push(("A=B".to_owned(), String::new())), "`A=B`");
        check(|spec| spec.working_directory = "../up".to_owned(), "not an absolute path");
        check(|spec| spec.volumes.push(volume("/a/../../etc")), "not an absolute path");
        check(|spec| spec.volumes.push(volume("/./")), "cannot be mounted at `/`");
        check(|spec| spec.volumes.push(volume("/proc/sys")), "which the kernel provides");
        check(|spec| spec.tmpfs.push(tmpfs("suid")), "option `suid`");
        check(|spec| spec.tmpfs.push(tmpfs("mode=1777,dev")), "option `mode=1777,dev`");
        check(|spec| spec.hostname = "a b".to_owned(), "not a host name");
        check(
            |spec| {
                spec.sysctls.insert("kernel.core_pattern".to_owned(), "|/x".to_owned());
            },
            "`kernel.core_pattern`",
        );
        check(
            |spec| {
                spec.sysctls.insert("net./../kernel.x".to_owned(), "1".to_owned());
            },
            "kernel parameter",
        );
    }

    #[test]
    fn names_that_could_leave_their_directory_are_no_names() {
        for name in ["", ".", "..", "a/b", "a\0", "a.b", "ä"] {
            assert!(!is_name(name, 255), "{name:?}");
        }
        assert!(is_name("web-1_a", 255));
    }
}
