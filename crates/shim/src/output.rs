//! From the container's pipes to the spool.

use std::fs::{self, DirBuilder};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use log_spool::{Limits, SpoolWriter, Stream};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use shim_proto::{Failure, SpoolLimits, file};

use crate::run::note;
use crate::syscalls;

/// What is read at once: a pipe holds as much.
const CHUNK_BYTES: usize = 64 * 1024;
/// How long the pipes are read on after the container has ended. Its processes are gone by
/// then; only a descriptor that was passed out of the container could hold a pipe open.
const DRAIN_MS: i64 = 2000;

/// The container's output.
pub(crate) struct Output {
    stdout: Option<OwnedFd>,
    stderr: Option<OwnedFd>,
    spool: SpoolWriter,
    buffer: Box<[u8]>,
    /// Bytes of `buffer` that the file system refused, to be tried again.
    refused: Option<(Stream, usize)>,
}

impl Output {
    pub(crate) fn new(
        container_directory: &Path,
        limits: SpoolLimits,
        stdout: OwnedFd,
        stderr: OwnedFd,
    ) -> Result<Self, Failure> {
        let directory = container_directory.join(file::SPOOL);
        let failed = |error: &dyn std::fmt::Display| {
            Failure::machine(format!("cannot make the output spool: {error}"))
        };
        match DirBuilder::new().mode(0o700).create(&directory) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
                return Err(failed(&error));
            }
            Ok(()) | Err(_) => {}
        }
        let limits =
            Limits { segment_bytes: limits.segment_bytes, total_bytes: limits.total_bytes };
        let spool = SpoolWriter::create(&directory, limits).map_err(|error| failed(&error))?;
        let buffer = vec![0; CHUNK_BYTES].into_boxed_slice();
        Ok(Self { stdout: Some(stdout), stderr: Some(stderr), spool, buffer, refused: None })
    }

    /// The pipes to wait for; none while the spool takes no more.
    pub(crate) fn pipes(&mut self) -> [Option<BorrowedFd<'_>>; 2] {
        if self.is_blocked() {
            return [None, None];
        }
        [self.stdout.as_ref().map(AsFd::as_fd), self.stderr.as_ref().map(AsFd::as_fd)]
    }

    /// Whether the container has to wait: the reader is behind, or the disk is full.
    pub(crate) fn is_blocked(&mut self) -> bool {
        if let Some((stream, bytes)) = self.refused {
            self.keep(stream, bytes);
        }
        self.refused.is_some() || !self.spool.has_room()
    }

    /// Reads what is there on one pipe and spools it.
    pub(crate) fn read(&mut self, stream: Stream) {
        let pipe = match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        };
        let Some(end) = pipe else { return };
        match nix::unistd::read(end, &mut self.buffer) {
            Ok(0) => *pipe = None,
            Ok(bytes) => self.keep(stream, bytes),
            Err(Errno::EAGAIN | Errno::EINTR) => {}
            Err(errno) => {
                note(&format!("cannot read the container's output: {errno}"));
                *pipe = None;
            }
        }
    }

    fn keep(&mut self, stream: Stream, bytes: usize) {
        let chunk = self.buffer.get(..bytes).unwrap_or_default();
        match self.spool.write(stream, syscalls::now_ms(), chunk) {
            Ok(()) => self.refused = None,
            Err(error) => {
                if self.refused.is_none() {
                    note(&error.to_string());
                }
                self.refused = Some((stream, bytes));
            }
        }
    }

    /// Reads what is left after the container has ended and closes the spool. Says what could
    /// not be kept.
    pub(crate) fn finish(&mut self) -> Option<String> {
        let deadline = syscalls::monotonic_ms() + DRAIN_MS;
        while (self.stdout.is_some() || self.stderr.is_some() || self.refused.is_some())
            && syscalls::monotonic_ms() < deadline
        {
            if let Some((stream, bytes)) = self.refused {
                self.keep(stream, bytes);
                if self.refused.is_some() {
                    let _ = poll(&mut [], PollTimeout::from(50_u8));
                }
                continue;
            }
            // The spool's limit does not count now: a pipe holds no more than 64 KiB.
            let mut waiting: Vec<PollFd<'_>> = [&self.stdout, &self.stderr]
                .into_iter()
                .flatten()
                .map(|pipe| PollFd::new(pipe.as_fd(), PollFlags::POLLIN))
                .collect();
            let _ = poll(&mut waiting, PollTimeout::from(100_u8));
            drop(waiting);
            self.read(Stream::Stdout);
            if self.refused.is_none() {
                self.read(Stream::Stderr);
            }
        }
        self.stdout = None;
        self.stderr = None;
        let finished = self.spool.finish(syscalls::now_ms());
        self.buffer = Box::default();
        match (self.refused, finished) {
            (None, Ok(())) => None,
            (Some(_), _) => Some("the disk is full: its last output is lost".to_owned()),
            (None, Err(error)) => Some(format!("its last line is lost: {error}")),
        }
    }
}

/// Writes a file so that it is there whole or not at all.
pub(crate) fn write_whole(path: &Path, text: &[u8]) -> std::io::Result<()> {
    let temporary = path.with_extension("new");
    fs::write(&temporary, text)?;
    fs::rename(&temporary, path)
}
