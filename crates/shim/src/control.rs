//! The socket the agent speaks to.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use serde::Serialize;
use shim_proto::{Failure, LINE_LIMIT_BYTES, Reply, Request, file};

/// Agents connected at once; each needs one for waiting and one for everything else.
pub(crate) const CONNECTION_LIMIT: usize = 16;

/// Listens in the container's directory, which only root may enter.
pub(crate) fn listen(container_directory: &Path) -> Result<UnixListener, Failure> {
    let bind = || -> io::Result<UnixListener> {
        // A socket's path may have 108 bytes only, a state directory any number.
        let directory = std::fs::File::open(container_directory)?;
        let path = format!("/proc/self/fd/{}/{}", directory.as_raw_fd(), file::CONTROL_SOCKET);
        let listener = UnixListener::bind(path)?;
        listener.set_nonblocking(true)?;
        Ok(listener)
    };
    bind().map_err(|error| {
        Failure::machine(format!("cannot listen in `{}`: {error}", container_directory.display()))
    })
}

/// One connected agent.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: UnixStream,
    received: Vec<u8>,
    /// Whether the agent waits for the exit.
    pub(crate) waits: bool,
}

impl Connection {
    pub(crate) fn accept(listener: &UnixListener) -> io::Result<Self> {
        let (stream, _) = listener.accept()?;
        stream.set_nonblocking(true)?;
        Ok(Self { stream, received: Vec::new(), waits: false })
    }

    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }

    /// The requests that have arrived; `None` when the connection is over.
    pub(crate) fn requests(&mut self) -> Option<Vec<Request>> {
        let mut chunk = [0; 1024];
        match self.stream.read(&mut chunk) {
            Ok(0) => return None,
            Ok(bytes) => self.received.extend_from_slice(chunk.get(..bytes).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => return None,
        }
        let mut requests = Vec::new();
        while let Some(end) = self.received.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.received.drain(..=end).collect();
            requests.push(serde_json::from_slice(&line).ok()?);
        }
        if self.received.len() > LINE_LIMIT_BYTES { None } else { Some(requests) }
    }

    /// Sends a reply. Whether it went; an agent that does not read is none.
    pub(crate) fn send(&mut self, reply: &Reply) -> bool {
        send_line(&mut self.stream, reply).is_ok()
    }
}

fn send_line(stream: &mut UnixStream, reply: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(reply)?;
    line.push(b'\n');
    stream.write_all(&line)
}
