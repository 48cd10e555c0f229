//! Process 1 of a container that asked for an init: reaps orphans, forwards signals.
//!
//! It is a fork of the shim, not a program in the container: it needs nothing from the image. It
//! runs with the container's user, capabilities, filter and namespaces, and holds no descriptor.

use std::os::fd::OwnedFd;

use nix::errno::Errno;
use nix::sys::signal::{SigSet, SigmaskHow, Signal, kill, sigprocmask};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, setpgid};

use crate::executor::{Program, start};
use crate::syscalls;

/// Starts the program as a child and stays until it has ended, then ends with its code. Comes
/// back only when the program could not be started.
pub(crate) fn run(program: &Program, status: OwnedFd) -> Errno {
    syscalls::reset_signals();
    let all = SigSet::all();
    if let Err(errno) = sigprocmask(SigmaskHow::SIG_SETMASK, Some(&all), None) {
        return errno;
    }
    let child = match syscalls::fork() {
        Err(errno) => {
            let _ = nix::unistd::write(&status, &(errno as i32).to_le_bytes());
            return errno;
        }
        Ok(ForkResult::Child) => {
            let _ = setpgid(Pid::from_raw(0), Pid::from_raw(0));
            start(program, status);
            syscalls::exit_now(127)
        }
        Ok(ForkResult::Parent { child }) => child,
    };
    drop(status);
    let _ = syscalls::close_from(0);
    let _ = syscalls::set_name(c"init");
    // `exec` enters the namespaces through this process, as the container's root.
    let _ = syscalls::set_dumpable(true);
    loop {
        match all.wait() {
            Ok(Signal::SIGCHLD) => {
                if let Some(code) = reap(child) {
                    syscalls::exit_now(code)
                }
            }
            Ok(signal) => {
                let _ = kill(child, signal);
            }
            // A real-time signal, which has no name here, or an interruption.
            Err(_) => {}
        }
    }
}

/// Reaps whatever has ended; the exit code once `child` has.
fn reap(child: Pid) -> Option<i32> {
    let mut code = None;
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(pid, status)) if pid == child => code = Some(status),
            Ok(WaitStatus::Signaled(pid, signal, _)) if pid == child => {
                code = Some(128 + signal as i32);
            }
            Ok(WaitStatus::StillAlive) => return code,
            Err(Errno::EINTR) | Ok(_) => {}
            Err(_) => return code,
        }
    }
}
