//! The namespaces that the containers of a task share.

use std::fs::{self, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, Pid};
use shim_proto::{Failure, ID_RANGE, SandboxRequest};

use crate::syscalls;

/// Lets the unprivileged bind low ports and ping: inside a network namespace of its own neither
/// takes anything from anybody.
const NETWORK_SYSCTLS: [(&str, &str); 2] = [
    ("/proc/sys/net/ipv4/ip_unprivileged_port_start", "0"),
    ("/proc/sys/net/ipv4/ping_group_range", "0 65535"),
];

/// Makes a user namespace and a network namespace owned by it and pins both.
pub(crate) fn create(request: &SandboxRequest) -> Result<(), Failure> {
    let failed = |what: &str, error: std::io::Error| {
        Failure::machine(format!("cannot make the task's namespaces: {what}: {error}"))
    };
    let (mut from_child, to_parent) = std::io::pipe().map_err(|error| failed("a pipe", error))?;
    let (from_parent, mut to_child) = std::io::pipe().map_err(|error| failed("a pipe", error))?;
    let child = match syscalls::fork().map_err(|errno| failed("fork", errno.into()))? {
        ForkResult::Child => {
            drop(to_child);
            let code = namespace_holder(to_parent, from_parent);
            syscalls::exit_now(code)
        }
        ForkResult::Parent { child } => child,
    };
    drop((to_parent, from_parent));
    let mut step = |what: &str| -> Result<(), Failure> {
        let mut byte = [0];
        from_child.read_exact(&mut byte).map_err(|error| failed(what, error))?;
        match byte {
            [0] => Ok(()),
            [errno] => Err(failed(what, std::io::Error::from_raw_os_error(i32::from(errno)))),
        }
    };
    crash_point::crash_point!("shim.sandbox.forked");
    let made = step("unshare the user namespace")
        .and_then(|()| {
            for map in ["uid_map", "gid_map"] {
                fs::write(
                    format!("/proc/{child}/{map}"),
                    format!("0 {} {ID_RANGE}", request.uid_base),
                )
                .map_err(|error| failed(map, error))?;
            }
            to_child.write_all(&[0]).map_err(|error| failed("continue", error))
        })
        .and_then(|()| step("unshare the network namespace"))
        .and_then(|()| pin(&request.directory, child));
    crash_point::crash_point!("shim.sandbox.pinned");
    let _ = kill(child, Signal::SIGKILL);
    let _ = waitpid(child, None);
    if made.is_err() {
        unpin(&request.directory);
    }
    made
}

/// The child: enters the namespaces and stays until it is killed.
fn namespace_holder(mut to_parent: impl Write, mut from_parent: impl Read) -> i32 {
    let mut tell = |result: nix::Result<()>| -> bool {
        let code = result.err().map_or(0, |errno| u8::try_from(errno as i32).unwrap_or(u8::MAX));
        to_parent.write_all(&[code]).is_ok() && code == 0
    };
    if syscalls::die_with_parent().is_err() || !tell(unshare(CloneFlags::CLONE_NEWUSER)) {
        return 1;
    }
    let mut byte = [0];
    if from_parent.read_exact(&mut byte).is_err() {
        return 1;
    }
    let unshared = unshare(CloneFlags::CLONE_NEWNET);
    for (path, value) in NETWORK_SYSCTLS {
        // Older kernels lack some; programs then need the capability.
        let _ = fs::write(path, value);
    }
    if !tell(unshared) {
        return 1;
    }
    // Ends with the pipe, or when killed.
    let _ = from_parent.read_exact(&mut byte);
    0
}

fn pin(directory: &Path, child: Pid) -> Result<(), Failure> {
    for (namespace, name) in [("user", "user"), ("net", "network")] {
        let target = directory.join(name);
        let failed = |error: std::io::Error| {
            Failure::machine(format!(
                "cannot pin the task's {name} namespace at `{}`: {error}",
                target.display()
            ))
        };
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&target)
            .map_err(failed)?;
        let source = format!("/proc/{child}/ns/{namespace}");
        mount(Some(source.as_str()), &target, None::<&str>, MsFlags::MS_BIND, None::<&str>)
            .map_err(|errno| failed(errno.into()))?;
    }
    Ok(())
}

fn unpin(directory: &Path) {
    for name in ["user", "network"] {
        let target = directory.join(name);
        let _ = umount2(&target, MntFlags::MNT_DETACH);
        let _ = fs::remove_file(&target);
    }
}
