//! Installs what building, testing and the demo need. Quick when everything is there.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result};

use crate::workspace::{Workspace, answers, run, say};

/// Debian packages, parts of the Rust toolchain, then the AWS clients.
pub(crate) fn run_all(workspace: &Workspace) -> Result<()> {
    run(Command::new("sh").arg(workspace.root.join("xtask/packages.sh")))?;
    toolchain(workspace)?;
    clients(workspace)
}

/// rustfmt and clippy, which a minimal toolchain lacks.
fn toolchain(workspace: &Workspace) -> Result<()> {
    for component in ["fmt", "clippy"] {
        if answers(workspace.cargo().args([component, "--version"])) {
            continue;
        }
        let name = if component == "fmt" { "rustfmt" } else { component };
        run(Command::new("rustup").args(["component", "add", name]))
            .with_context(|| format!("`cargo {component}` is missing: install {name}"))?;
    }
    Ok(())
}

/// A virtual environment with the AWS CLI and boto3, as `xtask/clients.txt` says.
fn clients(workspace: &Workspace) -> Result<()> {
    let directory = workspace.clients();
    let wanted = workspace.root.join("xtask/clients.txt");
    // Written last: what is not finished has no such file.
    let installed = directory.join("installed.txt");
    let text = fs::read(&wanted).with_context(|| format!("cannot read {}", wanted.display()))?;
    if fs::read(&installed).is_ok_and(|installed| installed == text) {
        return Ok(());
    }
    say("installing the AWS CLI and boto3 into target/clients");
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&directory))?;
    run(Command::new(directory.join("bin/pip"))
        .args(["install", "--quiet", "--disable-pip-version-check", "--requirement"])
        .arg(&wanted))?;
    fs::write(&installed, text).with_context(|| format!("cannot write {}", installed.display()))
}
