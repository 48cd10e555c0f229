//! Everything that must be green: `cargo xtask lint` and `cargo xtask test`.

use anyhow::{Result, bail};

use crate::build::{self, Profile};
use crate::workspace::{Workspace, answers, is_root, run, say};
use crate::{codegen, setup, tidy};

/// What `cargo xtask test` is told.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only the tests; neither formatting nor lints.
    #[arg(long)]
    only_tests: bool,
    /// Only the tests of this package; may be repeated.
    #[arg(long, short, value_name = "PACKAGE")]
    package: Vec<String>,
}

/// Formatting, tidiness, generated files, clippy.
pub(crate) fn lint(workspace: &Workspace) -> Result<()> {
    setup::run_all(workspace)?;
    say("==> formatting");
    run(workspace.cargo().args(["fmt", "--all", "--check"]))?;
    say("==> tidy");
    tidy::run(workspace)?;
    say("==> generated files");
    codegen::check()?;
    say("==> clippy");
    run(workspace
        .cargo()
        .args(["clippy", "--locked", "--workspace", "--all-targets"])
        .args(["--", "--deny", "warnings"]))
}

/// Lints, then every test. The runner's summary comes last.
pub(crate) fn test(workspace: &Workspace, args: &Args) -> Result<()> {
    if !is_root()? {
        bail!("the tests run real containers and need root: run `sudo -E make test`");
    }
    if args.only_tests || !args.package.is_empty() {
        setup::run_all(workspace)?;
    } else {
        lint(workspace)?;
    }
    say("==> programs and images for the end-to-end tests");
    build::build(workspace, Profile::Dev)?;
    say("==> tests");
    let nextest = answers(workspace.cargo().args(["nextest", "--version"]));
    let mut cargo = workspace.cargo();
    if nextest {
        cargo.args(["nextest", "run", "--locked"]);
    } else {
        say("cargo-nextest is not installed: `cargo test` does as well, with less to read");
        // The end-to-end tests take turns by themselves; see tests/e2e.
        cargo.args(["test", "--locked", "--no-fail-fast", "--tests"]);
    }
    if args.package.is_empty() {
        cargo.arg("--workspace");
    }
    for package in &args.package {
        cargo.args(["--package", package]);
    }
    run(&mut cargo)
}
