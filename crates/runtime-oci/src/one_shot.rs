//! Starting `portcullis-shim`.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use shim_proto::{Failure, REQUEST_LIMIT_BYTES};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};

/// What the shim answers and the process itself.
pub(crate) struct Answered<Reply> {
    pub(crate) reply: Reply,
    pub(crate) child: Child,
}

/// Starts the shim with `subcommand`, hands it `request` and reads its reply. The process is
/// killed when that fails, takes longer than `timeout`, or the future is dropped before.
pub(crate) async fn ask<Reply: DeserializeOwned>(
    program: &Path,
    subcommand: &str,
    label: &str,
    request: &impl Serialize,
    timeout: Duration,
) -> Result<Answered<Reply>, Failure> {
    let failed = |what: &str, error: &dyn std::fmt::Display| {
        Failure::machine(format!("cannot {what} `{}`: {error}", program.display()))
    };
    let text = serde_json::to_vec(request).map_err(|error| failed("write to", &error))?;
    if text.len() as u64 >= REQUEST_LIMIT_BYTES {
        return Err(Failure::specification(format!(
            "the container's description has {} bytes, more than {REQUEST_LIMIT_BYTES}",
            text.len()
        )));
    }
    let mut command = Command::new(program);
    command.env_clear();
    crash_point::inherit(command.as_std_mut());
    let child = command
        .arg(subcommand)
        .arg(label)
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| failed("start", &error))?;
    let mut killed_on_drop = KilledOnDrop { child: Some(child) };
    let exchange = killed_on_drop.exchange(&text);
    let line = match tokio::time::timeout(timeout, exchange).await {
        Ok(Ok(line)) => line,
        Ok(Err(error)) => return Err(failed("talk to", &error)),
        Err(_) => {
            return Err(Failure::machine(format!(
                "`{} {subcommand}` took more than {timeout:?}: this machine is overloaded, or a \
                 file system does not answer",
                program.display()
            )));
        }
    };
    let reply = serde_json::from_str(&line).map_err(|error| {
        if line.is_empty() {
            failed("get an answer from", &"it ended; see its log")
        } else {
            failed("understand", &error)
        }
    })?;
    match killed_on_drop.child.take() {
        Some(child) => Ok(Answered { reply, child }),
        None => Err(failed("keep", &"it is gone")),
    }
}

/// The runtime's own `kill_on_drop` could not be taken back for a shim that is to stay.
struct KilledOnDrop {
    child: Option<Child>,
}

impl KilledOnDrop {
    async fn exchange(&mut self, text: &[u8]) -> std::io::Result<String> {
        let Some(child) = self.child.as_mut() else { return Ok(String::new()) };
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(text).await?;
        }
        let mut line = String::new();
        if let Some(stdout) = child.stdout.take() {
            let limited = stdout.take(REQUEST_LIMIT_BYTES);
            BufReader::new(limited).read_line(&mut line).await?;
        }
        Ok(line)
    }
}

impl Drop for KilledOnDrop {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // Already gone when it ended by itself.
            let _ = child.start_kill();
        }
    }
}
