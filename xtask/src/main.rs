//! Development tasks: code generation, tidiness, builds, benchmarks.

mod codegen;
mod example_image;

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
    /// Make the example service's image, an OCI layout in a tar file.
    ExampleImage(example_image::Args),
}

fn main() -> anyhow::Result<()> {
    match Options::parse().task {
        Task::Codegen(args) => codegen::run(&args),
        Task::ExampleImage(args) => example_image::run(&args),
    }
}
