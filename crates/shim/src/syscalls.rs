//! System calls that `nix` does not wrap.

#![expect(unsafe_code, reason = "system calls without a safe wrapper")]

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::errno::Errno;

fn path_text(path: &Path) -> io::Result<CString> {
    CString::new(path.as_os_str().as_bytes()).map_err(|_| io::ErrorKind::InvalidInput.into())
}

fn owned_fd(result: libc::c_long) -> io::Result<OwnedFd> {
    let fd = RawFd::try_from(result).map_err(|_| io::Error::from(io::ErrorKind::Other))?;
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel just gave us this descriptor; nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn done(result: libc::c_long) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// A detached copy of the mount at `path`, without what is mounted below it.
pub(crate) fn open_tree_clone(path: &Path) -> io::Result<OwnedFd> {
    let path = path_text(path)?;
    let flags = libc::OPEN_TREE_CLONE | libc::OPEN_TREE_CLOEXEC;
    // SAFETY: `path` is a valid C string for the duration of the call.
    owned_fd(unsafe { libc::syscall(libc::SYS_open_tree, libc::AT_FDCWD, path.as_ptr(), flags) })
}

/// Sets attributes of a detached mount; with `user_namespace`, maps its owners through it.
pub(crate) fn mount_setattr(
    mount: BorrowedFd<'_>,
    attributes: u64,
    user_namespace: Option<BorrowedFd<'_>>,
) -> io::Result<()> {
    let idmap = if user_namespace.is_some() { libc::MOUNT_ATTR_IDMAP } else { 0 };
    let userns_fd = match user_namespace {
        Some(fd) => u64::try_from(fd.as_raw_fd()).unwrap_or_default(),
        None => 0,
    };
    let attr = libc::mount_attr {
        attr_set: attributes | idmap,
        attr_clr: 0,
        propagation: libc::MS_PRIVATE,
        userns_fd,
    };
    // SAFETY: both pointers are valid for the duration of the call and the size is the struct's.
    done(unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH,
            &raw const attr,
            size_of::<libc::mount_attr>(),
        )
    })
}

/// Attaches a detached mount at `target`.
pub(crate) fn move_mount(mount: BorrowedFd<'_>, target: &Path) -> io::Result<()> {
    let target = path_text(target)?;
    // SAFETY: both strings are valid for the duration of the call.
    done(unsafe {
        libc::syscall(
            libc::SYS_move_mount,
            mount.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_FDCWD,
            target.as_ptr(),
            libc::MOVE_MOUNT_F_EMPTY_PATH,
        )
    })
}

/// A descriptor of a process, readable once it has ended.
pub(crate) fn pidfd_open(pid: i32) -> io::Result<OwnedFd> {
    // SAFETY: no pointers.
    owned_fd(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) })
}

/// Sends `signal` to the process `pidfd` stands for.
pub(crate) fn pidfd_send_signal(pidfd: BorrowedFd<'_>, signal: i32) -> io::Result<()> {
    // SAFETY: a null siginfo is allowed.
    done(unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            pidfd.as_raw_fd(),
            signal,
            std::ptr::null::<libc::siginfo_t>(),
            0,
        )
    })
}

/// Asks the kernel to kill this process when its parent ends.
pub(crate) fn die_with_parent() -> io::Result<()> {
    // SAFETY: no pointers.
    done(unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) }.into())
}

/// Whether others with our credentials may look into this process.
pub(crate) fn set_dumpable(dumpable: bool) -> io::Result<()> {
    // SAFETY: no pointers.
    done(unsafe { libc::prctl(libc::PR_SET_DUMPABLE, libc::c_ulong::from(dumpable)) }.into())
}

/// Names this process, as `ps` shows it.
pub(crate) fn set_name(name: &CStr) -> io::Result<()> {
    // SAFETY: `name` is a valid C string.
    done(unsafe { libc::prctl(libc::PR_SET_NAME, name.as_ptr()) }.into())
}

/// Closes every descriptor from `first` on.
pub(crate) fn close_from(first: u32) -> io::Result<()> {
    // SAFETY: the caller is about to wait for children and nothing else, and uses none of them.
    done(unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, 0) })
}

/// Gives memory that is not needed any more back to the system: what is free inside the
/// process, and the pages of code that creating a container has touched.
pub(crate) fn trim_memory() {
    // SAFETY: no pointers; the allocator is glibc's.
    unsafe {
        libc::malloc_trim(0);
    }
    // Of each mapping: its first line, then its figures.
    let mut range = None;
    for line in std::fs::read_to_string("/proc/self/smaps").unwrap_or_default().lines() {
        if let Some((addresses, rest)) = line.split_once(' ').filter(|(word, _)| word.contains('-'))
        {
            let unwritable = rest.starts_with("r-xp") || rest.starts_with("r--p");
            range = (unwritable && rest.contains('/')).then(|| parse_range(addresses)).flatten();
        } else if line.starts_with("Anonymous:") && !line.ends_with(" 0 kB") {
            range = None;
        } else if line.starts_with("Swap:") && line.ends_with(" 0 kB") {
            let Some((begin, end)) = range.take() else { continue };
            // SAFETY: the mapping is the file's content, never changed here and not writable;
            // the kernel reads it again when it is used.
            unsafe {
                libc::madvise(begin as *mut libc::c_void, end - begin, libc::MADV_DONTNEED);
            }
        }
    }
}

fn parse_range(addresses: &str) -> Option<(usize, usize)> {
    let (begin, end) = addresses.split_once('-')?;
    let parse = |text| usize::from_str_radix(text, 16).ok();
    Some((parse(begin)?, parse(end)?)).filter(|(begin, end)| begin < end)
}

/// Replaces this process by `program`, found by path alone.
pub(crate) fn execve(program: &CStr, argv: &[CString], environment: &[CString]) -> Errno {
    match nix::unistd::execve(program, argv, environment) {
        Err(errno) => errno,
        Ok(never) => match never {},
    }
}

/// Back to how a process begins: every signal at its default, none blocked.
pub(crate) fn reset_signals() {
    for signal in 1..=64 {
        // SAFETY: setting the default action installs no handler. What cannot be set (KILL,
        // STOP, the threading library's own) has nothing to reset.
        unsafe {
            libc::signal(signal, libc::SIG_DFL);
        }
    }
    let none = nix::sys::signal::SigSet::empty();
    let _ = none.thread_set_mask();
}

/// Forks. The program has one thread, so that the child may do anything.
pub(crate) fn fork() -> nix::Result<nix::unistd::ForkResult> {
    // SAFETY: single-threaded.
    unsafe { nix::unistd::fork() }
}

/// Ends the process without running anything of it any more.
pub(crate) fn exit_now(code: i32) -> ! {
    // SAFETY: ends the process.
    unsafe { libc::_exit(code) }
}

/// Takes over the descriptor `fd`, which the caller has been handed by number.
pub(crate) fn adopt(fd: RawFd) -> OwnedFd {
    // SAFETY: the callers pass descriptors made for them alone, before a fork.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

/// Milliseconds since the Unix epoch.
pub(crate) fn now_ms() -> i64 {
    let Ok(now) = nix::time::clock_gettime(nix::time::ClockId::CLOCK_REALTIME) else { return 0 };
    now.tv_sec().saturating_mul(1000).saturating_add(now.tv_nsec() / 1_000_000)
}

/// Milliseconds of a clock that never steps, for time-outs.
pub(crate) fn monotonic_ms() -> i64 {
    let Ok(now) = nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC) else { return 0 };
    now.tv_sec().saturating_mul(1000).saturating_add(now.tv_nsec() / 1_000_000)
}
