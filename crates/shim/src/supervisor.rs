//! The loop of a shim: output, requests and the end of the container.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixListener;

use libcontainer::container::Container;
use log_spool::Stream;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;
use shim_proto::{CreateRequest, ExitRecord, Failure, Reply, Request, file};

use crate::cgroup::Membership;
use crate::control::{CONNECTION_LIMIT, Connection};
use crate::output::{Output, write_whole};
use crate::root_file_system::Stage;
use crate::run::{chain, note};
use crate::syscalls;

/// How often a full spool is looked at again. Nothing else here wakes by time.
const BLOCKED_POLL_MS: u8 = 20;
/// How long the program may take from the start to being executed: one system call.
const START_MS: u16 = 10_000;
/// How long a killed container may take to end.
const KILL_MS: u16 = 10_000;

/// A container that has been created.
pub(crate) struct Created {
    pub(crate) container: Container,
    pub(crate) stage: Stage,
    pub(crate) membership: Membership,
    pub(crate) pid: i32,
    pub(crate) pidfd: OwnedFd,
    /// Ends when the program is executed; carries an error number when it cannot be.
    pub(crate) status: OwnedFd,
    pub(crate) output: Output,
}

pub(crate) struct Supervisor {
    request: CreateRequest,
    container: Container,
    stage: Stage,
    membership: Membership,
    pid: i32,
    pidfd: OwnedFd,
    status: Option<OwnedFd>,
    output: Output,
    listener: UnixListener,
    connections: Vec<Connection>,
    started_at_ms: Option<i64>,
    exit: Option<ExitRecord>,
    /// Told to let go.
    deleted: bool,
}

impl Supervisor {
    pub(crate) fn new(
        request: CreateRequest,
        created: Created,
        listener: UnixListener,
    ) -> Result<Self, Failure> {
        let Created { container, stage, membership, pid, pidfd, status, output } = created;
        Ok(Self {
            request,
            container,
            stage,
            membership,
            pid,
            pidfd,
            status: Some(status),
            output,
            listener,
            connections: Vec::new(),
            started_at_ms: None,
            exit: None,
            deleted: false,
        })
    }

    /// Runs until it is told to let go.
    pub(crate) fn run(mut self) {
        while !self.deleted {
            let ready = match self.wait() {
                Ok(ready) => ready,
                Err(Errno::EINTR) => continue,
                Err(errno) => {
                    note(&format!("cannot poll: {errno}"));
                    return;
                }
            };
            if ready.stdout {
                self.output.read(Stream::Stdout);
            }
            if ready.stderr && !self.output.is_blocked() {
                self.output.read(Stream::Stderr);
            }
            if ready.exited {
                self.reap();
            }
            self.serve(&ready.connections);
            if ready.listener && self.connections.len() < CONNECTION_LIMIT {
                self.connections.extend(Connection::accept(&self.listener));
            }
        }
        crash_point::crash_point!("shim.container.deleted");
        // After the reply: writing back what nobody will read takes its time.
        self.stage.dismantle();
    }

    fn wait(&mut self) -> nix::Result<Ready> {
        let running = self.exit.is_none();
        let blocked = running && self.output.is_blocked();
        let pipes = if running { self.output.pipes() } else { [None, None] };
        let mut fds: Vec<BorrowedFd<'_>> = vec![self.listener.as_fd()];
        if running {
            fds.push(self.pidfd.as_fd());
        }
        let [stdout, stderr] = pipes;
        fds.extend(stdout);
        fds.extend(stderr);
        fds.extend(self.connections.iter().map(Connection::fd));
        let mut polled: Vec<PollFd<'_>> =
            fds.into_iter().map(|fd| PollFd::new(fd, PollFlags::POLLIN)).collect();
        let timeout = if blocked { PollTimeout::from(BLOCKED_POLL_MS) } else { PollTimeout::NONE };
        poll(&mut polled, timeout)?;
        let mut events =
            polled.iter().map(|fd| fd.revents().is_some_and(|events| !events.is_empty()));
        let mut next = || events.next().unwrap_or(false);
        Ok(Ready {
            listener: next(),
            exited: running && next(),
            stdout: stdout.is_some() && next(),
            stderr: stderr.is_some() && next(),
            connections: std::iter::from_fn(|| events.next()).collect(),
        })
    }

    fn serve(&mut self, ready: &[bool]) {
        let mut connections = std::mem::take(&mut self.connections);
        let mut ready = ready.iter();
        connections.retain_mut(|connection| {
            if ready.next() != Some(&true) {
                return true;
            }
            let Some(requests) = connection.requests() else { return false };
            requests.iter().all(|request| match self.answer(request) {
                Some(reply) => connection.send(&reply),
                None => {
                    connection.waits = true;
                    true
                }
            })
        });
        self.connections.append(&mut connections);
    }

    /// The reply, or `None` when it comes with the exit.
    fn answer(&mut self, request: &Request) -> Option<Reply> {
        Some(match *request {
            Request::Status => self.status(),
            Request::Start => match self.start() {
                Ok(()) => self.status(),
                Err(failure) => Reply::Failed(failure),
            },
            Request::Signal { signal } => match self.signal(signal) {
                Ok(()) => Reply::Done,
                Err(failure) => Reply::Failed(failure),
            },
            Request::Wait => Reply::Exited(self.exit.clone()?),
            Request::Delete => match self.delete() {
                Ok(()) => Reply::Done,
                Err(failure) => Reply::Failed(failure),
            },
        })
    }

    fn status(&self) -> Reply {
        let pid = self.pid.cast_unsigned();
        match (&self.exit, self.started_at_ms) {
            (Some(exit), _) => Reply::Exited(exit.clone()),
            (None, Some(started_at_ms)) => Reply::Running { pid, started_at_ms },
            (None, None) => Reply::Created { pid },
        }
    }

    fn start(&mut self) -> Result<(), Failure> {
        if self.exit.is_some() || self.started_at_ms.is_some() {
            return Err(Failure::state("the container has been started before".to_owned()));
        }
        let Some(status) = self.status.take() else {
            return Err(Failure::state("the container has failed to start before".to_owned()));
        };
        let started_at_ms = syscalls::now_ms();
        std::fs::write(self.request.directory.join(file::STARTED), []).map_err(|error| {
            Failure::machine(format!("cannot note that the container is started: {error}"))
        })?;
        self.container.start().map_err(|error| {
            Failure::machine(format!("cannot start the container: {}", chain(&error)))
        })?;
        match read_start_status(&status) {
            Ok(None) => {
                crash_point::crash_point!("shim.program.started");
                self.started_at_ms = Some(started_at_ms);
                Ok(())
            }
            Ok(Some(errno)) => Err(self.not_executed(errno)),
            Err(errno) => {
                Err(Failure::machine(format!("the program was not started in time: {errno}")))
            }
        }
    }

    fn not_executed(&self, errno: Errno) -> Failure {
        let program = self.request.spec.argv.first().map_or("", String::as_str);
        let hint = if errno == Errno::ENOENT {
            "not found: check the entry point and command, and that a script's interpreter or a \
             program's loader is in the image"
        } else if errno == Errno::EACCES {
            "permission denied: the user may not execute it, or it is no file"
        } else if errno == Errno::ENOEXEC {
            "not a program for this machine's processor, or a script without `#!`"
        } else {
            errno.desc()
        };
        let message = format!("exec: `{program}`: {hint}");
        if matches!(errno, Errno::ENOENT | Errno::EACCES | Errno::ENOEXEC | Errno::ENOTDIR) {
            Failure::specification(message)
        } else {
            Failure::machine(message)
        }
    }

    fn signal(&self, signal: i32) -> Result<(), Failure> {
        if self.exit.is_some() {
            return Err(Failure::state("the container has ended".to_owned()));
        }
        if !(1..=64).contains(&signal) {
            return Err(Failure::specification(format!("{signal} is not a signal: 1 to 64 are")));
        }
        syscalls::pidfd_send_signal(self.pidfd.as_fd(), signal)
            .map_err(|error| Failure::machine(format!("cannot send signal {signal}: {error}")))
    }

    /// Records how the container ended, then tells whoever waits.
    fn reap(&mut self) {
        let finished_at_ms = syscalls::now_ms();
        let (exit_code, signal) = match waitpid(Pid::from_raw(self.pid), None) {
            Ok(WaitStatus::Exited(_, code)) => (code, None),
            Ok(WaitStatus::Signaled(_, signal, _)) => (128 + signal as i32, Some(signal as i32)),
            Ok(_) | Err(Errno::EINTR) => return,
            Err(errno) => {
                note(&format!("cannot reap process {}: {errno}", self.pid));
                (255, None)
            }
        };
        crash_point::crash_point!("shim.exit.seen");
        let record = ExitRecord {
            exit_code,
            signal,
            oom_killed: self.membership.oom_kills() > 0,
            finished_at_ms,
            started_at_ms: self.started_at_ms,
            reason: self.output.finish(),
        };
        let path = self.request.directory.join(file::EXIT);
        let written = serde_json::to_vec(&record)
            .map_err(Into::into)
            .and_then(|text| write_whole(&path, &text));
        if let Err(error) = written {
            note(&format!("cannot write `{}`: {error}", path.display()));
        }
        crash_point::crash_point!("shim.exit.recorded");
        let reply = Reply::Exited(record.clone());
        self.exit = Some(record);
        self.connections.retain_mut(|connection| {
            if !connection.waits {
                return true;
            }
            connection.waits = false;
            connection.send(&reply)
        });
        syscalls::trim_memory();
    }

    fn delete(&mut self) -> Result<(), Failure> {
        if self.exit.is_none() {
            let _ = syscalls::pidfd_send_signal(self.pidfd.as_fd(), libc::SIGKILL);
            let mut ended = [PollFd::new(self.pidfd.as_fd(), PollFlags::POLLIN)];
            if poll(&mut ended, PollTimeout::from(KILL_MS)) != Ok(1) {
                return Err(Failure::machine(format!(
                    "process {} does not end though it was killed: it hangs in the kernel; look \
                     for a file system that does not answer",
                    self.pid
                )));
            }
            self.reap();
        }
        self.deleted = true;
        Ok(())
    }
}

struct Ready {
    listener: bool,
    exited: bool,
    stdout: bool,
    stderr: bool,
    connections: Vec<bool>,
}

/// `None` when the program runs, else why it does not.
fn read_start_status(status: &OwnedFd) -> nix::Result<Option<Errno>> {
    let mut readable = [PollFd::new(status.as_fd(), PollFlags::POLLIN)];
    if poll(&mut readable, PollTimeout::from(START_MS))? == 0 {
        return Err(Errno::ETIMEDOUT);
    }
    let mut number = [0; 4];
    match nix::unistd::read(status, &mut number)? {
        0 => Ok(None),
        _ => Ok(Some(Errno::from_raw(i32::from_le_bytes(number)))),
    }
}
