//! Creates a container, reports, and stays with it.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use libcontainer::container::Container;
use libcontainer::container::builder::ContainerBuilder;
use libcontainer::syscall::syscall::SyscallType;
use nix::fcntl::OFlag;
use nix::unistd::{dup2_stderr, dup2_stdin, dup2_stdout, pipe2, setgroups, setsid};
use shim_proto::{CreateReply, CreateRequest, Failure, RUNTIME_ID, file};

use crate::cgroup::{self, Membership};
use crate::executor::ProgramExecutor;
use crate::output::Output;
use crate::root_file_system::{self, Stage};
use crate::supervisor::{Created, Supervisor};
use crate::{bundle, syscalls, users};

/// Writes a line to the shim's own log.
pub(crate) fn note(message: &str) {
    let _ = writeln!(io::stderr(), "{} {message}", syscalls::now_ms());
}

/// The whole life of a container.
///
/// # Errors
/// When it cannot be created. What comes later is told over the control socket.
pub(crate) fn run(request: CreateRequest) -> Result<(), Failure> {
    detach(&request)?;
    let listener = crate::control::listen(&request.directory)?;
    let membership = Membership::open(&request.cgroups)?;
    let stage = root_file_system::stage(&request)?;
    crash_point::crash_point!("shim.stage.mounted");
    cgroup::hide()?;
    let created = create(&request, stage, membership)?;
    crash_point::crash_point!("shim.container.created");
    let pid = created.pid;
    let supervisor = Supervisor::new(request, created, listener)?;
    report(&CreateReply::Created { pid: pid.cast_unsigned() })?;
    crash_point::crash_point!("shim.container.told");
    syscalls::trim_memory();
    supervisor.run();
    Ok(())
}

/// Becomes independent of the agent: own session, own log, none of its groups.
fn detach(request: &CreateRequest) -> Result<(), Failure> {
    let failed =
        |what: &str, error: io::Error| Failure::machine(format!("shim cannot {what}: {error}"));
    // Already a leader when started by hand.
    let _ = setsid();
    // libcontainer changes groups only when the container has some of its own.
    setgroups(&[]).map_err(|errno| failed("leave its groups", errno.into()))?;
    let log = OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(request.directory.join(file::SHIM_LOG))
        .map_err(|error| failed("open its log", error))?;
    dup2_stderr(&log).map_err(|errno| failed("redirect its log", errno.into()))?;
    std::env::set_current_dir("/").map_err(|error| failed("change directory", error))?;
    Ok(())
}

/// Answers the agent, then lets go of the pipes to it.
fn report(reply: &CreateReply) -> Result<(), Failure> {
    let failed = |error: io::Error| Failure::machine(format!("shim cannot answer: {error}"));
    let mut line = serde_json::to_vec(reply).map_err(|error| failed(error.into()))?;
    line.push(b'\n');
    io::stdout().write_all(&line).map_err(failed)?;
    let (end, _) = pipe2(OFlag::O_CLOEXEC).map_err(|errno| failed(errno.into()))?;
    dup2_stdin(&end).map_err(|errno| failed(errno.into()))?;
    dup2_stdout(&end).map_err(|errno| failed(errno.into()))
}

/// Everything up to the program itself.
fn create(
    request: &CreateRequest,
    stage: Stage,
    membership: Membership,
) -> Result<Created, Failure> {
    let root = fs::File::open(stage.root())
        .map_err(|error| Failure::machine(format!("cannot open the root file system: {error}")))?;
    let user = users::resolve(&root, &request.spec.user)?;
    drop(root);
    let spec = bundle::specification(request, &stage, &user)?;
    let bundle = request.directory.join(file::BUNDLE);
    let runtime_state = request.directory.join(file::RUNTIME_STATE);
    for directory in [&bundle, &runtime_state] {
        fs::create_dir(directory).map_err(|error| {
            Failure::machine(format!("cannot make `{}`: {error}", directory.display()))
        })?;
    }
    spec.save(bundle.join("config.json"))
        .map_err(|error| Failure::machine(format!("cannot write config.json: {error}")))?;
    let pipe = |purpose: &str| {
        pipe2(OFlag::O_CLOEXEC)
            .map_err(|errno| Failure::machine(format!("cannot make a pipe for {purpose}: {errno}")))
    };
    let (stdin, _) = pipe("standard input")?;
    let (stdout, stdout_end) = pipe("standard output")?;
    let (stderr, stderr_end) = pipe("standard error")?;
    let (status, status_end) = pipe("the start")?;
    let executor =
        ProgramExecutor { status: status_end.as_raw_fd(), init_process: request.spec.init_process };
    membership.enter()?;
    let container = build(&bundle, &runtime_state, executor, stdin, stdout_end, stderr_end)?;
    membership.leave()?;
    drop(status_end);
    let pid = container
        .pid()
        .ok_or_else(|| Failure::machine("libcontainer created no process".to_owned()))?
        .as_raw();
    let pidfd = syscalls::pidfd_open(pid).map_err(|error| {
        Failure::machine(format!("cannot watch the container's process {pid}: {error}"))
    })?;
    for end in [stdout.as_fd(), stderr.as_fd()] {
        nix::fcntl::fcntl(end, nix::fcntl::FcntlArg::F_SETFL(OFlag::O_NONBLOCK))
            .map_err(|errno| Failure::machine(format!("cannot set up a pipe: {errno}")))?;
    }
    let output = Output::new(&request.directory, request.spool, stdout, stderr)?;
    Ok(Created { container, stage, membership, pid, pidfd, status, output })
}

fn build(
    bundle: &Path,
    runtime_state: &Path,
    executor: ProgramExecutor,
    stdin: std::os::fd::OwnedFd,
    stdout: std::os::fd::OwnedFd,
    stderr: std::os::fd::OwnedFd,
) -> Result<Container, Failure> {
    let failed = |error: libcontainer::error::LibcontainerError| {
        Failure::machine(format!("cannot create the container: {}", chain(&error)))
    };
    ContainerBuilder::new(RUNTIME_ID.to_owned(), SyscallType::default())
        .with_root_path(runtime_state)
        .map_err(failed)?
        .with_executor(executor)
        .with_stdin(stdin)
        .with_stdout(stdout)
        .with_stderr(stderr)
        .as_init(bundle)
        .with_systemd(false)
        .with_detach(true)
        .build()
        .map_err(failed)
}

/// An error and what it says it is due to, in one line, each thing once.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}
