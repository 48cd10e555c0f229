//! `cargo xtask tidy`: the rules that no compiler knows. `xtask/tidy.toml` is their table.

mod dependencies;
mod manifests;
mod rules;
mod sources;

use std::fs;

use anyhow::{Context, Result, bail};

use crate::workspace::{Workspace, output, say};

use rules::Rules;

/// Checks everything; all findings at once.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let path = workspace.root.join("xtask/tidy.toml");
    let text =
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let rules: Rules = toml::from_str(&text).context("xtask/tidy.toml is not as expected")?;
    let metadata = output(workspace.cargo().args(["metadata", "--format-version=1", "--locked"]))?;
    let metadata = serde_json::from_str(&metadata).context("cargo metadata is not as expected")?;
    let members = dependencies::members(&metadata, &workspace.root)?;
    // Only what is built on Linux, and only the features that are on: the lock file lists more.
    let tree = output(workspace.cargo().args([
        "tree",
        "--locked",
        "--workspace",
        "--edges=normal,build",
        "--prefix=none",
        "--format={p}",
    ]))?;
    let mut findings = dependencies::edges(&rules, &members);
    findings.extend(dependencies::versions(&rules, &tree));
    findings.extend(manifests::check(&workspace.root, &members)?);
    findings.extend(sources::check(&rules, &workspace.root, &members)?);
    findings.sort();
    findings.dedup();
    for finding in &findings {
        say(finding);
    }
    match findings.len() {
        0 => Ok(()),
        count => bail!("{count} findings"),
    }
}
