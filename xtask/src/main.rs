//! Development tasks: set-up, builds, checks, the demo, code generation.

mod bench;
mod build;
mod check;
mod codegen;
mod demo;
mod example_image;
mod setup;
mod soak;
mod tidy;
mod workspace;

use std::io::Write as _;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use workspace::Workspace;

/// Development tasks.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", version)]
struct Options {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Install what building, testing and the demo need.
    Setup,
    /// Build the programs and the example's image.
    Build(build::Args),
    /// Measure speed and size next to peers, and write docs/bench.md.
    Bench(bench::Args),
    /// Random worlds, crashes and inputs for a given time.
    Soak(soak::Args),
    /// Deploy the example on a Portcullis of its own, with the AWS CLI.
    Demo,
    /// Formatting, lints, and every test.
    Test(check::Args),
    /// Formatting, tidiness, generated files and clippy.
    Lint,
    /// Check the rules that no compiler knows.
    Tidy,
    /// Generate the `api-*` crates from `models/`.
    Codegen(codegen::Args),
    /// Make the example service's image, an OCI layout in a tar file.
    ExampleImage(example_image::Args),
}

fn main() -> ExitCode {
    match run(Options::parse().task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing is left to try when standard error is gone too.
            drop(writeln!(std::io::stderr(), "error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> anyhow::Result<()> {
    let workspace = Workspace::find()?;
    match task {
        Task::Setup => setup::run_all(&workspace),
        Task::Build(args) => build::run_all(&workspace, &args),
        Task::Bench(args) => bench::run_all(&workspace, &args),
        Task::Soak(args) => soak::run_all(&workspace, &args),
        Task::Demo => demo::run(&workspace),
        Task::Test(args) => check::test(&workspace, &args),
        Task::Lint => check::lint(&workspace),
        Task::Tidy => tidy::run(&workspace),
        Task::Codegen(args) => codegen::run(&args),
        Task::ExampleImage(args) => example_image::run(&workspace, &args),
    }
}
