//! Development tasks: code generation, tidiness, builds, benchmarks.

mod codegen;

use clap::{Parser, Subcommand};

/// Development tasks.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", version)]
struct Options {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Generate the `api-*` crates from `models/`.
    Codegen(codegen::Args),
}

fn main() -> anyhow::Result<()> {
    match Options::parse().task {
        Task::Codegen(args) => codegen::run(&args),
    }
}
