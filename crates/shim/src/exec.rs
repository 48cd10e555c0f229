//! A program in a running container, beside its main one: health checks.
//!
//! libcontainer 0.7's own builder for this enters every namespace but the user namespace, so
//! that the program would run as the host's root, and drops the filter. Here the same process
//! set-up is called with the container's whole specification and all of its namespaces.

use std::fs::{self, File};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::rc::Rc;

use libcgroups::common::CgroupConfig;
use libcontainer::container::{Container, ContainerStatus};
use libcontainer::notify_socket::{NotifyListener, NotifySocket};
use libcontainer::process::args::{ContainerArgs, ContainerType};
use libcontainer::process::container_main_process::container_main_process;
use libcontainer::syscall::syscall::SyscallType;
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::mount::{MsFlags, mount};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{Signal, kill, killpg};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{Pid, pipe2, setgroups, setsid};
use oci_spec::runtime::{LinuxNamespace, LinuxNamespaceBuilder, LinuxNamespaceType, Spec};
use shim_proto::{ExecReply, ExecRequest, Failure, RUNTIME_ID, file};

use crate::cgroup::{self, Membership};
use crate::executor::ProgramExecutor;
use crate::run::chain;
use crate::syscalls;

/// How long output is read on after the program has ended: something it left behind may hold
/// the pipe.
const DRAIN_MS: i64 = 200;

/// Every namespace of the container.
const NAMESPACES: [(&str, LinuxNamespaceType); 7] = [
    ("user", LinuxNamespaceType::User),
    ("pid", LinuxNamespaceType::Pid),
    ("uts", LinuxNamespaceType::Uts),
    ("ipc", LinuxNamespaceType::Ipc),
    ("net", LinuxNamespaceType::Network),
    ("cgroup", LinuxNamespaceType::Cgroup),
    ("mnt", LinuxNamespaceType::Mount),
];

fn machine(what: &str, error: &dyn std::fmt::Display) -> Failure {
    Failure::machine(format!("cannot run a program in the container: {what}: {error}"))
}

/// Runs a program as the container's own runs: same user, groups, capabilities, limits,
/// filter, namespaces and cgroup.
pub(crate) fn exec(request: &ExecRequest) -> Result<ExecReply, Failure> {
    let _ = setsid();
    setgroups(&[]).map_err(|errno| machine("leave groups", &errno))?;
    // As the container's own: the agent may be protected.
    fs::write("/proc/self/oom_score_adj", "0").map_err(|error| machine("oom score", &error))?;
    // On the way in, nobody inside may look into this process.
    syscalls::set_dumpable(false).map_err(|error| machine("hide", &error))?;
    let state = request.directory.join(file::RUNTIME_STATE).join(RUNTIME_ID);
    let container =
        Container::load(state.clone()).map_err(|error| machine("read its state", &error))?;
    let Some(pid) = container.pid().filter(|_| container.status() == ContainerStatus::Running)
    else {
        return Err(Failure::state("the container does not run".to_owned()));
    };
    let (held, namespaces) = namespaces_of(pid.as_raw(), &request.user_namespace)?;
    let membership = Membership::open(&request.cgroups)?;
    own_mounts()?;
    let (ends, output, status) = Ends::open().map_err(|errno| machine("a pipe", &errno))?;
    let notify_path = state.join(format!("exec-{}.sock", std::process::id()));
    let args = process_arguments(request, container, namespaces, &notify_path, &ends);
    let pid = args.and_then(|args| {
        membership.enter()?;
        let pid =
            container_main_process(&args).map_err(|error| machine("enter it", &chain(&error)))?;
        membership.leave()?;
        NotifySocket::new(&notify_path)
            .notify_container_start()
            .map_err(|error| machine("start it", &chain(&error)))?;
        Ok(Pid::from_raw(pid.as_raw()))
    });
    let _ = fs::remove_file(&notify_path);
    let pid = pid?;
    drop((ends, held));
    let mut number = [0; 4];
    if nix::unistd::read(&status, &mut number) == Ok(number.len()) {
        let _ = waitpid(pid, None);
        let program = request.argv.first().map_or("", String::as_str);
        let errno = Errno::from_raw(i32::from_le_bytes(number));
        return Err(Failure::specification(format!("exec: `{program}`: {}", errno.desc())));
    }
    watch(request, pid, &output)
}

/// A mount namespace of our own, in which libcontainer finds no control groups.
fn own_mounts() -> Result<(), Failure> {
    let slave = MsFlags::MS_REC | MsFlags::MS_SLAVE;
    unshare(CloneFlags::CLONE_NEWNS)
        .and_then(|()| mount(None::<&str>, "/", None::<&str>, slave, None::<&str>))
        .map_err(|errno| machine("make a mount namespace", &errno))?;
    cgroup::hide()
}

/// The program's ends of its pipes.
struct Ends {
    stdin: OwnedFd,
    stdout: OwnedFd,
    stderr: OwnedFd,
    /// See [`ProgramExecutor::status`].
    status: OwnedFd,
    /// Where libcontainer repeats what it tells otherwise, and the end that nobody reads.
    failure: (OwnedFd, OwnedFd),
}

impl Ends {
    /// The ends, where its output arrives and where its status does.
    fn open() -> nix::Result<(Self, OwnedFd, OwnedFd)> {
        let pipe = || pipe2(OFlag::O_CLOEXEC);
        let (stdin, _) = pipe()?;
        let (output, stdout) = pipe()?;
        let stderr = stdout.try_clone().map_err(|_| Errno::EMFILE)?;
        let (status_read, status) = pipe()?;
        let ends = Self { stdin, stdout, stderr, status, failure: pipe()? };
        Ok((ends, output, status_read))
    }
}

/// The namespaces of process `pid` as open files, and how libcontainer finds them. Opened
/// here because the container's root may not.
fn namespaces_of(
    pid: i32,
    user_namespace: &Path,
) -> Result<(Vec<File>, Vec<LinuxNamespace>), Failure> {
    let (mut held, mut found) = (Vec::new(), Vec::new());
    for (name, kind) in NAMESPACES {
        let path = format!("/proc/{pid}/ns/{name}");
        let file = File::open(&path).map_err(|error| machine(&path, &error))?;
        let namespace = LinuxNamespaceBuilder::default()
            .typ(kind)
            .path(format!("/proc/self/fd/{}", file.as_raw_fd()))
            .build();
        found.push(namespace.map_err(|error| machine(&path, &error))?);
        held.push(file);
    }
    let inode = |metadata: std::io::Result<fs::Metadata>| metadata.map(|found| found.ino()).ok();
    let of_process = held.first().and_then(|user| inode(user.metadata()));
    if of_process.is_none() || of_process != inode(fs::metadata(user_namespace)) {
        return Err(Failure::state("the container does not run any more".to_owned()));
    }
    Ok((held, found))
}

/// What libcontainer needs to set a process up as the container's own was.
fn process_arguments(
    request: &ExecRequest,
    container: Container,
    namespaces: Vec<LinuxNamespace>,
    notify_path: &Path,
    ends: &Ends,
) -> Result<ContainerArgs, Failure> {
    let config = request.directory.join(file::BUNDLE).join("config.json");
    let mut spec = Spec::load(&config).map_err(|error| machine("read config.json", &error))?;
    let (Some(mut process), Some(mut linux)) = (spec.process().clone(), spec.linux().clone())
    else {
        return Err(machine("read config.json", &"it has no process"));
    };
    process.set_args(Some(request.argv.clone()));
    linux.set_namespaces(Some(namespaces));
    spec.set_process(Some(process)).set_linux(Some(linux));
    let notify_listener =
        NotifyListener::new(notify_path).map_err(|error| machine("a socket", &chain(&error)))?;
    Ok(ContainerArgs {
        container_type: ContainerType::TenantContainer {
            exec_notify_fd: ends.failure.1.as_raw_fd(),
        },
        syscall: SyscallType::default(),
        spec: Rc::new(spec),
        rootfs: "/".into(),
        console_socket: None,
        notify_listener,
        preserve_fds: 0,
        container: Some(container),
        user_ns_config: None,
        cgroup_config: CgroupConfig {
            cgroup_path: RUNTIME_ID.into(),
            systemd_cgroup: false,
            container_name: RUNTIME_ID.to_owned(),
        },
        detached: true,
        executor: Box::new(ProgramExecutor {
            status: ends.status.as_raw_fd(),
            init_process: false,
        }),
        no_pivot: false,
        stdin: Some(ends.stdin.as_raw_fd()),
        stdout: Some(ends.stdout.as_raw_fd()),
        stderr: Some(ends.stderr.as_raw_fd()),
        as_sibling: false,
        pid_file: None,
    })
}

/// Collects output until the program ends or its time is over.
fn watch(request: &ExecRequest, pid: Pid, output: &OwnedFd) -> Result<ExecReply, Failure> {
    let failed = |what: &str, error: &dyn std::fmt::Display| {
        Failure::machine(format!("cannot watch a program in the container: {what}: {error}"))
    };
    let pidfd =
        syscalls::pidfd_open(pid.as_raw()).map_err(|error| failed("its process", &error))?;
    let timeout_ms = i64::try_from(request.timeout_ms).unwrap_or(i64::MAX);
    let mut deadline = syscalls::monotonic_ms().saturating_add(timeout_ms);
    let (mut kept, mut timed_out, mut ended, mut open) = (Vec::new(), false, false, true);
    while !ended || open {
        let left = deadline.saturating_sub(syscalls::monotonic_ms());
        if left <= 0 {
            if ended {
                break;
            }
            timed_out = true;
            // libcontainer gave it a session of its own.
            let _ = killpg(pid, Signal::SIGKILL);
            let _ = kill(pid, Signal::SIGKILL);
            deadline = i64::MAX;
            continue;
        }
        let mut fds = Vec::with_capacity(2);
        if open {
            fds.push(PollFd::new(output.as_fd(), PollFlags::POLLIN));
        }
        if !ended {
            fds.push(PollFd::new(pidfd.as_fd(), PollFlags::POLLIN));
        }
        let timeout = PollTimeout::try_from(left.min(60_000)).unwrap_or(PollTimeout::MAX);
        match poll(&mut fds, timeout) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(failed("poll", &errno)),
        }
        let ready = |fd: Option<&PollFd<'_>>| {
            fd.and_then(PollFd::revents).is_some_and(|events| !events.is_empty())
        };
        let readable = open && ready(fds.first());
        let exited = !ended && ready(fds.last());
        if readable {
            open = read_some(output, &mut kept, request.output_limit_bytes);
        }
        if exited {
            ended = true;
            deadline = syscalls::monotonic_ms() + DRAIN_MS;
        }
    }
    let exit_code = match waitpid(pid, None) {
        Ok(WaitStatus::Exited(_, code)) => code,
        Ok(WaitStatus::Signaled(_, signal, _)) => 128 + signal as i32,
        Ok(_) => 255,
        Err(errno) => return Err(failed("its exit", &errno)),
    };
    let output = String::from_utf8_lossy(&kept).into_owned();
    Ok(ExecReply::Ended { exit_code, timed_out, output })
}

/// Whether more may come.
fn read_some(output: &OwnedFd, kept: &mut Vec<u8>, limit: usize) -> bool {
    let mut chunk = [0; 4096];
    match nix::unistd::read(output, &mut chunk) {
        Ok(0) => false,
        Ok(bytes) => {
            let room = limit.saturating_sub(kept.len());
            kept.extend(chunk.iter().take(bytes.min(room)));
            true
        }
        Err(Errno::EINTR) => true,
        Err(_) => false,
    }
}
