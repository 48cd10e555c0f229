//! Builds what is released and measures it: `tests/bench` says what, `docs/bench.md` is the report.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::build::{self, Profile};
use crate::workspace::{Workspace, is_root, output, run, say};

/// The peer for API requests, as Python's package index has it.
const MOTO: &str = "moto[server]==5.2.5";

/// What `cargo xtask bench` is told.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Measure only this (idle, start, burst, describe, register, placement, logs, cold-start); may be repeated.
    #[arg(long, value_name = "MEASUREMENT")]
    only: Vec<String>,
    /// Shorter, for a first look; docs/bench.md stays as it is.
    #[arg(long)]
    quick: bool,
    /// Without the peers that have to be installed.
    #[arg(long)]
    no_peers: bool,
}

/// Builds, installs the peer, measures, writes `docs/bench.md`.
pub(crate) fn run_all(workspace: &Workspace, args: &Args) -> Result<()> {
    if !is_root()? {
        bail!("the bench runs real containers and needs root: run `sudo -E make bench`");
    }
    let built = build::build(workspace, Profile::Release)?;
    run(workspace.cargo().args(["build", "--locked", "--release", "--package=bench"]))?;
    let date = output(Command::new("date").args(["-u", "+%F"]))?;
    let mut bench = Command::new(workspace.target.join("release/bench"));
    bench
        .arg("--programs")
        .arg(&built.programs)
        .args(["--date", date.trim()])
        .arg("--report")
        .arg(workspace.root.join("docs/bench.md"));
    if !args.no_peers {
        match moto(workspace) {
            Ok(directory) => drop(bench.arg("--moto").arg(directory)),
            Err(error) => say(&format!("no peer for API requests: {error:#}")),
        }
    }
    for measurement in &args.only {
        bench.args(["--only", measurement]);
    }
    if args.quick {
        bench.arg("--quick");
    }
    run(&mut bench)
}

/// A virtual environment with moto_server.
fn moto(workspace: &Workspace) -> Result<PathBuf> {
    let directory = workspace.target.join("moto");
    // Written last: what is not finished has no such file.
    let installed = directory.join("installed.txt");
    if fs::read_to_string(&installed).is_ok_and(|text| text == MOTO) {
        return Ok(directory);
    }
    say("installing moto_server into target/moto");
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&directory))?;
    run(Command::new(directory.join("bin/pip")).args([
        "install",
        "--quiet",
        "--disable-pip-version-check",
        MOTO,
    ]))?;
    fs::write(&installed, MOTO).with_context(|| format!("cannot write {}", installed.display()))?;
    Ok(directory)
}
