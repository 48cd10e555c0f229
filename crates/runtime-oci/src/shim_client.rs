//! Talking to a running shim.

use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::time::Duration;

use shim_proto::{Failure, LINE_LIMIT_BYTES, Reply, Request, file};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;

/// How long a shim may take for anything but waiting. Ending a container is the longest: it
/// gives that 10 s itself.
const REPLY_TIMEOUT: Duration = Duration::from_secs(20);

/// A connection to a shim.
#[derive(Debug)]
pub(crate) struct ShimClient {
    stream: BufReader<UnixStream>,
}

impl ShimClient {
    /// Connects to the shim of the container in `directory`.
    ///
    /// # Errors
    /// `NotFound` or `ConnectionRefused` when there is no shim (any more).
    pub(crate) async fn connect(directory: &Path) -> io::Result<Self> {
        // A socket's path may have 108 bytes only, a state directory any number.
        let directory = std::fs::File::open(directory)?;
        let path = format!("/proc/self/fd/{}/{}", directory.as_raw_fd(), file::CONTROL_SOCKET);
        let stream = UnixStream::connect(path).await?;
        Ok(Self { stream: BufReader::new(stream) })
    }

    /// Asks and gets the answer.
    pub(crate) async fn ask(&mut self, request: &Request) -> Result<Reply, Failure> {
        match tokio::time::timeout(REPLY_TIMEOUT, self.exchange(request)).await {
            Ok(Ok(reply)) => Ok(reply),
            Ok(Err(error)) => Err(Failure::machine(format!("its shim does not answer: {error}"))),
            Err(_) => {
                Err(Failure::machine(format!("its shim did not answer within {REPLY_TIMEOUT:?}")))
            }
        }
    }

    /// Waits for the container's end, however long.
    pub(crate) async fn wait(&mut self) -> io::Result<Reply> {
        self.exchange(&Request::Wait).await
    }

    async fn exchange(&mut self, request: &Request) -> io::Result<Reply> {
        let mut line = serde_json::to_vec(request)?;
        line.push(b'\n');
        self.stream.get_mut().write_all(&line).await?;
        let mut answer = String::new();
        let read =
            (&mut self.stream).take(LINE_LIMIT_BYTES as u64 * 4).read_line(&mut answer).await?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(serde_json::from_str(&answer)?)
    }
}
