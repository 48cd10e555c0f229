//! `Cargo.toml` files: versions in one place, lints everywhere, nothing unused in the shared table.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use toml::{Table, Value};

use super::dependencies::Member;

/// Reads and checks all manifests.
pub(crate) fn check(root: &Path, members: &[Member]) -> Result<Vec<String>> {
    let read = |path: &Path| -> Result<Table> {
        let text = fs::read_to_string(root.join(path))
            .with_context(|| format!("cannot read {}", path.display()))?;
        text.parse().with_context(|| format!("{} is not TOML", path.display()))
    };
    let mut findings = Vec::new();
    let mut used = BTreeSet::new();
    for member in members {
        let path = member.directory.join("Cargo.toml");
        findings.extend(manifest(&path.display().to_string(), &read(&path)?, &mut used));
    }
    findings.extend(unused(&read(Path::new("Cargo.toml"))?, &used));
    Ok(findings)
}

/// What is wrong with one manifest; notes what it takes from the shared table.
fn manifest(path: &str, manifest: &Table, used: &mut BTreeSet<String>) -> Vec<String> {
    let mut findings = Vec::new();
    for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
        for (name, dependency) in
            manifest.get(section).and_then(Value::as_table).into_iter().flatten()
        {
            let shared = dependency.get("workspace").and_then(Value::as_bool) == Some(true);
            // A crate may take itself with other features in its tests.
            if shared {
                used.insert(name.clone());
            } else if dependency.get("path").and_then(Value::as_str) != Some(".") {
                findings.push(format!(
                    "{path}: `{name}` has a version of its own: write `{name}.workspace = true`"
                ));
            }
        }
    }
    let lints = manifest.get("lints");
    let inherits = lints.and_then(|lints| lints.get("workspace")).and_then(Value::as_bool);
    let generated = path.starts_with("crates/api-");
    if inherits != Some(true) && !generated {
        findings.push(format!("{path}: the lints are missing: add `[lints] workspace = true`"));
    }
    if generated && lints.is_none() {
        findings.push(format!("{path}: a generated crate has a `[lints]` table of its own"));
    }
    findings
}

fn unused(workspace: &Table, used: &BTreeSet<String>) -> Vec<String> {
    let table = workspace
        .get("workspace")
        .and_then(|workspace| workspace.get("dependencies"))
        .and_then(Value::as_table);
    table
        .into_iter()
        .flat_map(Table::keys)
        .filter(|name| !used.contains(*name))
        .map(|name| format!("Cargo.toml: no crate takes `{name}` from the shared table: remove it"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[&str]) {
        let findings =
            manifest("crates/x/Cargo.toml", &text.parse().unwrap(), &mut BTreeSet::new());
        assert_eq!(findings, expected);
    }

    #[test]
    fn versions_and_lints_come_from_the_workspace() {
        check("[dependencies]\nserde.workspace = true\n[lints]\nworkspace = true", &[]);
        check(
            "[dev-dependencies]\nx = { path = \".\", features = [\"suite\"] }\n[lints]\nworkspace = true",
            &[],
        );
        check(
            "[dependencies]\nserde = \"1\"",
            &[
                "crates/x/Cargo.toml: `serde` has a version of its own: write `serde.workspace = true`",
                "crates/x/Cargo.toml: the lints are missing: add `[lints] workspace = true`",
            ],
        );
    }

    #[test]
    fn the_shared_table_holds_only_what_is_used() {
        let workspace = "[workspace.dependencies]\na = \"1\"\nb = \"1\"".parse().unwrap();
        assert_eq!(
            unused(&workspace, &BTreeSet::from(["a".to_owned()])),
            ["Cargo.toml: no crate takes `b` from the shared table: remove it"]
        );
    }
}
