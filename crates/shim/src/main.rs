//! Owns one container and outlives the agent.
//!
//! A single-threaded program, one process per container: libcontainer changes the working
//! directory and forks, which a program with threads must not do. Every subcommand reads one JSON
//! request from its standard input and writes one JSON reply to its standard output.
//!
//! - `sandbox`: makes and pins the namespaces that a task's containers share, and ends.
//! - `run`: creates a container, then stays, writes its output to the spool, answers on the
//!   control socket, records how it ended, and ends when it is told to let go.
//! - `exec`: runs a program in a running container and ends with it.

mod bundle;
mod cgroup;
mod control;
mod exec;
mod executor;
mod idmap;
mod init;
mod output;
mod root_file_system;
mod rooted;
mod run;
mod sandbox;
mod seccomp;
mod supervisor;
mod syscalls;
mod users;
mod writable_layer;

use std::io::{Read, Write};
use std::process::ExitCode;

use serde::Serialize;
use serde::de::DeserializeOwned;
use shim_proto::{CreateReply, ExecReply, Failure, REQUEST_LIMIT_BYTES, SandboxReply};

fn main() -> ExitCode {
    let subcommand = std::env::args().nth(1).unwrap_or_default();
    match subcommand.as_str() {
        "sandbox" => {
            let made = read_request().and_then(|request| sandbox::create(&request));
            reply(&match made {
                Ok(()) => SandboxReply::Ready,
                Err(failure) => SandboxReply::Failed(failure),
            })
        }
        "run" => match read_request().and_then(run::run) {
            Ok(()) => ExitCode::SUCCESS,
            Err(failure) => reply(&CreateReply::Failed(failure)),
        },
        "exec" => {
            let ended = read_request().and_then(|request| exec::exec(&request));
            reply(&ended.unwrap_or_else(ExecReply::Failed))
        }
        _ => {
            // The one line a person who runs this by hand gets to see.
            let _ = writeln!(
                std::io::stderr(),
                "portcullis-shim is started by `portcullis`; it has the subcommands `sandbox`, \
                 `run` and `exec`, each reading one JSON request from standard input"
            );
            ExitCode::from(2)
        }
    }
}

fn read_request<Request: DeserializeOwned>() -> Result<Request, Failure> {
    let mut text = Vec::new();
    std::io::stdin()
        .lock()
        .take(REQUEST_LIMIT_BYTES)
        .read_to_end(&mut text)
        .map_err(|error| Failure::machine(format!("cannot read the shim's request: {error}")))?;
    serde_json::from_slice(&text).map_err(|error| {
        Failure::machine(format!(
            "cannot parse the shim's request: {error}: are `portcullis` and `portcullis-shim` of \
             the same version?"
        ))
    })
}

fn reply(reply: &impl Serialize) -> ExitCode {
    let Ok(mut line) = serde_json::to_vec(reply) else { return ExitCode::FAILURE };
    line.push(b'\n');
    match std::io::stdout().write_all(&line) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
