//! The system call filter every container runs under.
//!
//! What is not listed fails with EPERM. The list holds what programs use; what reaches into the
//! kernel or other containers is only there for those who have the capability that the call
//! needs anyway.

use oci_spec::OciSpecError;
use oci_spec::runtime::{
    LinuxSeccomp, LinuxSeccompAction, LinuxSeccompArg, LinuxSeccompArgBuilder, LinuxSeccompBuilder,
    LinuxSeccompOperator, LinuxSyscall, LinuxSyscallBuilder,
};

#[rustfmt::skip]
const ALLOWED: &[&str] = &[
    // Files and directories.
    "access", "chdir", "chmod", "chown", "chown32", "close", "close_range", "copy_file_range",
    "creat", "dup", "dup2", "dup3", "faccessat", "faccessat2", "fadvise64", "fadvise64_64",
    "fallocate", "fchdir", "fchmod", "fchmodat", "fchmodat2", "fchown", "fchown32", "fchownat",
    "fcntl", "fcntl64", "fdatasync", "fgetxattr", "flistxattr", "flock", "fremovexattr",
    "fsetxattr", "fstat", "fstat64", "fstatat64", "fstatfs", "fstatfs64", "fsync", "ftruncate",
    "ftruncate64", "futimesat", "getcwd", "getdents", "getdents64", "getxattr", "getxattrat",
    "ioctl", "lchown", "lchown32", "lgetxattr", "link", "linkat", "listxattr", "listxattrat",
    "llistxattr", "_llseek", "lremovexattr", "lseek", "lsetxattr", "lstat", "lstat64", "mkdir",
    "mkdirat", "mknod", "mknodat", "name_to_handle_at", "newfstatat", "_newselect", "open",
    "openat", "openat2", "pread64", "preadv", "preadv2", "pwrite64", "pwritev", "pwritev2",
    "read", "readahead", "readlink", "readlinkat", "readv", "removexattr", "removexattrat",
    "rename", "renameat", "renameat2", "rmdir", "sendfile", "sendfile64", "setxattr",
    "setxattrat", "splice", "stat", "stat64", "statfs", "statfs64", "statx", "symlink",
    "symlinkat", "sync", "sync_file_range", "syncfs", "tee", "truncate", "truncate64", "umask",
    "unlink", "unlinkat", "utime", "utimensat", "utimensat_time64", "utimes", "vmsplice",
    "write", "writev", "cachestat", "statmount", "listmount",
    // Waiting for files.
    "epoll_create", "epoll_create1", "epoll_ctl", "epoll_ctl_old", "epoll_pwait", "epoll_pwait2",
    "epoll_wait", "epoll_wait_old", "eventfd", "eventfd2", "inotify_add_watch", "inotify_init",
    "inotify_init1", "inotify_rm_watch", "io_cancel", "io_destroy", "io_getevents",
    "io_pgetevents", "io_pgetevents_time64", "io_setup", "io_submit", "pipe", "pipe2", "poll",
    "ppoll", "ppoll_time64", "pselect6", "pselect6_time64", "select", "signalfd", "signalfd4",
    // Memory.
    "brk", "madvise", "map_shadow_stack", "memfd_create", "memfd_secret",
    "mincore", "mlock", "mlock2", "mlockall", "mmap", "mmap2", "mprotect", "mremap", "mseal",
    "msync", "munlock", "munlockall", "munmap", "pkey_alloc", "pkey_free", "pkey_mprotect",
    "process_mrelease", "remap_file_pages", "shmat", "shmctl", "shmdt", "shmget",
    // Processes and threads.
    "alarm", "arch_prctl", "capget", "capset", "execve", "execveat", "exit", "exit_group",
    "fork", "futex", "futex_requeue", "futex_time64", "futex_wait", "futex_waitv", "futex_wake",
    "get_robust_list", "get_thread_area", "getcpu", "getegid", "getegid32", "geteuid",
    "geteuid32", "getgid", "getgid32", "getgroups", "getgroups32", "getitimer", "getpgid",
    "getpgrp", "getpid", "getppid", "getpriority", "getresgid", "getresgid32", "getresuid",
    "getresuid32", "getrlimit", "getrusage", "getsid", "gettid", "getuid", "getuid32",
    "ioprio_get", "ioprio_set", "kill", "landlock_add_rule", "landlock_create_ruleset",
    "landlock_restrict_self", "membarrier", "pause", "pidfd_open", "pidfd_send_signal", "prctl",
    "prlimit64", "process_madvise", "ptrace", "restart_syscall", "rseq", "rt_sigaction",
    "rt_sigpending", "rt_sigprocmask", "rt_sigqueueinfo", "rt_sigreturn", "rt_sigsuspend",
    "rt_sigtimedwait", "rt_sigtimedwait_time64", "rt_tgsigqueueinfo", "sched_get_priority_max",
    "sched_get_priority_min", "sched_getaffinity", "sched_getattr", "sched_getparam",
    "sched_getscheduler", "sched_rr_get_interval", "sched_rr_get_interval_time64",
    "sched_setaffinity", "sched_setattr", "sched_setparam", "sched_setscheduler", "sched_yield",
    "seccomp", "set_robust_list", "set_thread_area", "set_tid_address", "setfsgid", "setfsgid32",
    "setfsuid", "setfsuid32", "setgid", "setgid32", "setgroups", "setgroups32", "setitimer",
    "setpgid", "setpriority", "setregid", "setregid32", "setresgid", "setresgid32", "setresuid",
    "setresuid32", "setreuid", "setreuid32", "setrlimit", "setsid", "setuid", "setuid32",
    "sigaltstack", "sigprocmask", "sigreturn", "sysinfo", "tgkill", "time", "times", "tkill",
    "ugetrlimit", "uname", "vfork", "wait4", "waitid", "waitpid",
    // Clocks and timers.
    "clock_adjtime", "clock_adjtime64", "adjtimex", "clock_getres", "clock_getres_time64",
    "clock_gettime", "clock_gettime64", "clock_nanosleep", "clock_nanosleep_time64",
    "gettimeofday", "nanosleep", "timer_create", "timer_delete", "timer_getoverrun",
    "timer_gettime", "timer_gettime64", "timer_settime", "timer_settime64", "timerfd_create",
    "timerfd_gettime", "timerfd_gettime64", "timerfd_settime", "timerfd_settime64",
    // Sockets and messages.
    "accept", "accept4", "bind", "connect", "getpeername", "getrandom", "getsockname",
    "getsockopt", "ipc", "listen", "mq_getsetattr", "mq_notify", "mq_open", "mq_timedreceive",
    "mq_timedreceive_time64", "mq_timedsend", "mq_timedsend_time64", "mq_unlink", "msgctl",
    "msgget", "msgrcv", "msgsnd", "recv", "recvfrom", "recvmmsg", "recvmmsg_time64", "recvmsg",
    "semctl", "semget", "semop", "semtimedop", "semtimedop_time64", "send", "sendmmsg",
    "sendmsg", "sendto", "setsockopt", "shutdown", "socketcall", "socketpair",
];

/// What a capability opens: the calls that check it.
#[rustfmt::skip]
const ALLOWED_WITH: &[(&str, &[&str])] = &[
    ("DAC_READ_SEARCH", &["open_by_handle_at"]),
    ("SYS_ADMIN", &[
        "bpf", "clone", "clone3", "fanotify_init", "fanotify_mark", "fsconfig", "fsmount",
        "fsopen", "fspick", "lookup_dcookie", "mount", "mount_setattr", "move_mount", "open_tree",
        "perf_event_open", "pivot_root", "quotactl", "quotactl_fd", "setdomainname",
        "sethostname", "setns", "syslog", "umount", "umount2", "unshare",
    ]),
    ("SYS_BOOT", &["reboot"]),
    ("SYS_CHROOT", &["chroot"]),
    ("SYS_MODULE", &["delete_module", "finit_module", "init_module"]),
    ("SYS_PACCT", &["acct"]),
    ("SYS_PTRACE", &["kcmp", "pidfd_getfd", "process_vm_readv", "process_vm_writev"]),
    ("SYS_RAWIO", &["ioperm", "iopl"]),
    ("SYS_TIME", &["clock_settime", "clock_settime64", "settimeofday", "stime"]),
    ("SYS_TTY_CONFIG", &["vhangup"]),
    ("SYS_NICE", &["get_mempolicy", "mbind", "set_mempolicy", "set_mempolicy_home_node"]),
    ("SYSLOG", &["syslog"]),
    ("BPF", &["bpf"]),
    ("PERFMON", &["perf_event_open"]),
];

/// Flags of `clone` that make namespaces: CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID
/// and NEWNET.
const CLONE_NAMESPACES: u64 = 0x7e02_0000;
/// `personality` values that change nothing dangerous: Linux, 32-bit Linux, the same with the
/// release spoofed, and "what is it?".
const PERSONALITIES: [u64; 5] = [0x0, 0x8, 0x2_0000, 0x2_0008, 0xffff_ffff];
/// `socket` families to which the kernel has been too open: AF_VSOCK reaches the hypervisor.
const AF_VSOCK: u64 = 40;

fn bare(capability: &str) -> &str {
    capability.strip_prefix("CAP_").unwrap_or(capability)
}

/// The filter for a container with these capabilities.
pub(crate) fn profile(capabilities: &[String]) -> Result<LinuxSeccomp, OciSpecError> {
    let has = |name: &str| capabilities.iter().any(|capability| bare(capability) == name);
    let mut names: Vec<&str> = ALLOWED.to_vec();
    for (capability, calls) in ALLOWED_WITH {
        if has(capability) {
            names.extend(*calls);
        }
    }
    let mut syscalls = vec![allow(&names, None)?];
    for personality in PERSONALITIES {
        let equal = argument(LinuxSeccompOperator::ScmpCmpEq, personality, None)?;
        syscalls.push(allow(&["personality"], Some(equal))?);
    }
    let other_family = argument(LinuxSeccompOperator::ScmpCmpNe, AF_VSOCK, None)?;
    syscalls.push(allow(&["socket"], Some(other_family))?);
    if !has("SYS_ADMIN") {
        // libcontainer takes the mask from valueTwo and compares with value, unlike runc.
        let no_namespace =
            argument(LinuxSeccompOperator::ScmpCmpMaskedEq, 0, Some(CLONE_NAMESPACES))?;
        syscalls.push(allow(&["clone"], Some(no_namespace))?);
        // Its flags lie in memory, where a filter cannot look; libraries fall back to clone.
        let errno = u32::try_from(libc::ENOSYS).unwrap_or(1);
        syscalls.push(
            LinuxSyscallBuilder::default()
                .names(vec!["clone3".to_owned()])
                .action(LinuxSeccompAction::ScmpActErrno)
                .errno_ret(errno)
                .build()?,
        );
    }
    LinuxSeccompBuilder::default()
        .default_action(LinuxSeccompAction::ScmpActErrno)
        .default_errno_ret(u32::try_from(libc::EPERM).unwrap_or(1))
        .syscalls(syscalls)
        .build()
}

/// A condition on the call's first argument.
fn argument(
    operator: LinuxSeccompOperator,
    value: u64,
    value_two: Option<u64>,
) -> Result<LinuxSeccompArg, OciSpecError> {
    let mut argument = LinuxSeccompArgBuilder::default().index(0_usize).value(value).op(operator);
    if let Some(value_two) = value_two {
        argument = argument.value_two(value_two);
    }
    argument.build()
}

fn allow(names: &[&str], argument: Option<LinuxSeccompArg>) -> Result<LinuxSyscall, OciSpecError> {
    let mut rule = LinuxSyscallBuilder::default()
        .names(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())
        .action(LinuxSeccompAction::ScmpActAllow);
    if let Some(argument) = argument {
        rule = rule.args(vec![argument]);
    }
    rule.build()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(capabilities: &[&str], call: &str) -> bool {
        let capabilities: Vec<String> = capabilities.iter().map(ToString::to_string).collect();
        profile(&capabilities).unwrap().syscalls().iter().flatten().any(|rule| {
            rule.action() == LinuxSeccompAction::ScmpActAllow
                && rule.args().is_none()
                && rule.names().iter().any(|name| name == call)
        })
    }

    #[test]
    fn dangerous_calls_need_their_capability() {
        for (capability, call) in
            [("CAP_SYS_ADMIN", "mount"), ("SYS_CHROOT", "chroot"), ("CAP_BPF", "bpf")]
        {
            assert!(!allows(&[], call), "{call} without {capability}");
            assert!(allows(&[capability], call), "{call} with {capability}");
        }
        for call in ["keyctl", "add_key", "userfaultfd", "io_uring_setup", "kexec_load"] {
            assert!(!allows(&["CAP_SYS_ADMIN"], call), "{call}");
        }
    }
}
