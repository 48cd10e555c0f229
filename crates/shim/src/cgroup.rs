//! Membership in control groups.
//!
//! The driver makes a container's groups; the shim enters them, lets libcontainer fork the
//! container's process there, and leaves. Moving another process costs a grace period of the
//! kernel, 5 to 12 ms; a process that moves its only thread (version 1, `tasks`) pays nothing.
//! libcontainer itself is kept from cgroups: it would move each process once per controller.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use shim_proto::{CgroupFiles, Failure};

/// Where every system mounts its control groups, and libcontainer looks for them.
const CGROUP_ROOT: &str = "/sys/fs/cgroup";

/// Open files of the groups: they stay usable after the file systems are hidden.
#[derive(Debug)]
pub(crate) struct Membership {
    enter: Vec<(PathBuf, File)>,
    leave: Vec<(PathBuf, File)>,
    limits: Vec<(PathBuf, File, String)>,
    oom: Option<File>,
}

fn open(path: &Path, write: bool) -> Result<File, Failure> {
    OpenOptions::new().read(!write).write(write).open(path).map_err(|error| {
        Failure::machine(format!("cannot open cgroup file `{}`: {error}", path.display()))
    })
}

fn write(path: &Path, file: &File, value: &str) -> Result<(), Failure> {
    let mut file = file;
    file.write_all(value.as_bytes()).map_err(|error| {
        Failure::machine(format!("cannot write `{value}` to `{}`: {error}", path.display()))
    })
}

impl Membership {
    pub(crate) fn open(files: &CgroupFiles) -> Result<Self, Failure> {
        let open_all = |paths: &[PathBuf]| -> Result<Vec<(PathBuf, File)>, Failure> {
            paths.iter().map(|path| Ok((path.clone(), open(path, true)?))).collect()
        };
        let limits = files.limits_after_entry.iter();
        Ok(Self {
            enter: open_all(&files.enter)?,
            leave: open_all(&files.leave)?,
            limits: limits
                .map(|(path, value)| Ok((path.clone(), open(path, true)?, value.clone())))
                .collect::<Result<_, Failure>>()?,
            oom: files.oom.as_deref().map(|path| open(path, false)).transpose()?,
        })
    }

    /// Into the container's groups.
    pub(crate) fn enter(&self) -> Result<(), Failure> {
        self.enter.iter().try_for_each(|(path, file)| write(path, file, "0"))
    }

    /// Back into the shims' own groups, whose memory and processes do not count as the
    /// container's. Limits too tight for the visit are set now.
    pub(crate) fn leave(&self) -> Result<(), Failure> {
        self.leave.iter().try_for_each(|(path, file)| write(path, file, "0"))?;
        self.limits.iter().try_for_each(|(path, file, value)| write(path, file, value))
    }

    /// How many processes of the container the kernel has killed for want of memory.
    pub(crate) fn oom_kills(&self) -> u64 {
        let Some(mut file) = self.oom.as_ref() else { return 0 };
        let mut text = String::new();
        if file.rewind().is_err() || file.read_to_string(&mut text).is_err() {
            return 0;
        }
        let count = text.lines().find_map(|line| line.strip_prefix("oom_kill "));
        count.and_then(|count| count.trim().parse().ok()).unwrap_or(0)
    }
}

/// Replaces the cgroup file systems by nothing in this process's own mount namespace.
pub(crate) fn hide() -> Result<(), Failure> {
    match umount2(CGROUP_ROOT, MntFlags::MNT_DETACH) {
        // EINVAL: nothing is mounted there.
        Ok(()) | Err(Errno::EINVAL) => {}
        Err(errno) => {
            return Err(Failure::machine(format!("cannot unmount `{CGROUP_ROOT}`: {errno}")));
        }
    }
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC | MsFlags::MS_RDONLY;
    mount(Some("portcullis"), CGROUP_ROOT, Some("tmpfs"), flags, Some("mode=0555,size=4k"))
        .map_err(|errno| Failure::machine(format!("cannot cover `{CGROUP_ROOT}`: {errno}")))
}
