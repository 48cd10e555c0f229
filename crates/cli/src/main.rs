//! The portcullis command.

mod access;
mod arguments;
mod audit;
mod client;
mod environment;
mod failure;
mod findings;
mod image;
mod join_token;
mod node;
mod nodes;
mod output;
mod status;
mod up;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};

use crate::arguments::{Arguments, Command};
use crate::failure::Failure;

/// What a usage error ends with; other failures end with 1.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are asked for and go to standard output.
            let _printed = error.print();
            return if error.use_stderr() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS };
        }
    };
    let outcome = match arguments.command {
        // Before any thread is started: the process gives up its privileges.
        Command::UnpackLayer { specification } => {
            return images::unpack::child_main(&specification);
        }
        Command::Up(arguments) => up::up(*arguments),
        Command::Server(arguments) => up::server(*arguments),
        Command::Node(arguments) => node::node(*arguments),
        Command::JoinToken { command } => join_token::join_token(command),
        Command::Nodes(arguments) => nodes::nodes(arguments),
        Command::Findings(arguments) => findings::findings(arguments),
        Command::Status(arguments) => status::status(arguments),
        Command::Image { command } => image::image(command),
        Command::Access { command } => access::access(command),
        Command::Audit { command } => audit::audit(command),
        Command::Explain { rule_id } => explain(&rule_id),
        Command::Completion { shell } => completion(shell),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.print();
            ExitCode::FAILURE
        }
    }
}

fn explain(rule_id: &str) -> Result<(), Failure> {
    match guard::explain(rule_id) {
        Some(text) => output::print(&text),
        None => {
            let known: Vec<&str> = guard::rules().iter().map(|rule| rule.id).collect();
            Err(Failure::new(format!("there is no rule `{rule_id}`"))
                .advice(format!("use one of {}", known.join(", "))))
        }
    }
}

fn completion(shell: clap_complete::Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    let mut command = Arguments::command();
    clap_complete::generate(shell, &mut command, "portcullis", &mut script);
    output::print(&String::from_utf8_lossy(&script))
}
