//! Who depends on whom: layers, pure crates, one version of each package, no second crypto provider.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

use super::rules::Rules;

/// A package of the workspace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) name: String,
    /// Relative to the workspace.
    pub(crate) directory: PathBuf,
    /// Packages it is built from, ours and others'; not those of its tests.
    pub(crate) dependencies: BTreeSet<String>,
    pub(crate) has_program: bool,
}

/// The workspace's packages out of what `cargo metadata` says.
pub(crate) fn members(metadata: &Value, root: &Path) -> Result<Vec<Member>> {
    let list = |value: &Value, name: &str| -> Vec<Value> {
        value.get(name).and_then(Value::as_array).cloned().unwrap_or_default()
    };
    let text = |value: &Value, name: &str| -> Result<String> {
        let text = value.get(name).and_then(Value::as_str);
        Ok(text.with_context(|| format!("cargo metadata lacks `{name}`"))?.to_owned())
    };
    let ids = list(metadata, "workspace_members");
    let mut members = Vec::new();
    for package in list(metadata, "packages") {
        if !package.get("id").is_some_and(|id| ids.contains(id)) {
            continue;
        }
        let manifest = PathBuf::from(text(&package, "manifest_path")?);
        let directory = manifest.parent().context("a manifest is in a directory")?;
        let mut member = Member {
            name: text(&package, "name")?,
            directory: directory.strip_prefix(root).unwrap_or(directory).to_owned(),
            ..Member::default()
        };
        for dependency in list(&package, "dependencies") {
            if dependency.get("kind").and_then(Value::as_str) != Some("dev") {
                member.dependencies.insert(text(&dependency, "name")?);
            }
        }
        member.has_program = list(&package, "targets")
            .iter()
            .any(|target| list(target, "kind").iter().any(|kind| kind == "bin"));
        members.push(member);
    }
    Ok(members)
}

/// What is wrong with the edges between crates.
pub(crate) fn edges(rules: &Rules, members: &[Member]) -> Vec<String> {
    let names: BTreeSet<&str> = members.iter().map(|member| member.name.as_str()).collect();
    let mut findings = Vec::new();
    let mut used = BTreeSet::new();
    let mut within = BTreeSet::new();
    for member in members {
        let from = member.name.as_str();
        let Some((layer, layer_name)) = rules.layer(from) else {
            findings.push(format!("`{from}` has no layer: give it one in xtask/tidy.toml"));
            continue;
        };
        for to in &member.dependencies {
            if !names.contains(to.as_str()) {
                if rules.is_pure(from) && !rules.pure.dependencies.contains(to) {
                    findings.push(format!(
                        "`{from}` is of the layer `{layer_name}`, which does no I/O, and depends on `{to}`, which is not in the list `pure.dependencies`"
                    ));
                }
                continue;
            }
            used.insert(to.as_str());
            if rules.is_tool(from) {
                continue;
            }
            let edge = format!("{from} -> {to}");
            match rules.layer(to) {
                Some((other, other_name)) if other > layer => findings.push(format!(
                    "`{from}` of the layer `{layer_name}` depends on `{to}` of the higher layer `{other_name}`"
                )),
                Some((other, _)) if other == layer => {
                    if rules.edges.within.contains(&edge) {
                        within.insert(edge);
                    } else {
                        findings.push(format!(
                            "`{from}` depends on `{to}` of its own layer `{layer_name}`: add `{edge}` to `edges.within` if it must be, and to ARCHITECTURE.md"
                        ));
                    }
                }
                Some(_) | None => {}
            }
            if let Some(only) = rules.edges.only.get(to)
                && !only.contains(from)
            {
                findings.push(format!(
                    "`{from}` depends on `{to}`, which only these may: {}",
                    only.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
                ));
            }
        }
    }
    for edge in rules.edges.within.iter().filter(|edge| !within.contains(*edge)) {
        findings.push(format!("`edges.within` lists `{edge}`, which no crate needs: remove it"));
    }
    for name in rules.crates().filter(|name| !names.contains(name)) {
        findings.push(format!("xtask/tidy.toml gives a layer to `{name}`, which is not there"));
    }
    for member in members {
        let name = member.name.as_str();
        if !member.has_program && !rules.is_tool(name) && !used.contains(name) {
            findings.push(format!("no crate depends on `{name}`: use it or remove it"));
        }
    }
    findings
}

/// What is wrong with others' packages, given the lines of `cargo tree`: `name vVERSION …`.
pub(crate) fn versions(rules: &Rules, tree: &str) -> Vec<String> {
    let mut versions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for line in tree.lines() {
        let mut words = line.split_whitespace();
        if let (Some(name), Some(version)) = (words.next(), words.next()) {
            versions.entry(name).or_default().insert(version);
        }
    }
    let mut findings = Vec::new();
    for (name, versions) in &versions {
        if *name == "ring" {
            findings.push("`ring` is in the tree: aws-lc-rs is the only crypto provider; see `cargo tree -i ring`".to_owned());
        }
        let listed = rules.duplicates.contains_key(*name);
        let several = versions.len() > 1;
        let list = versions.iter().copied().collect::<Vec<_>>().join(", ");
        if several && !listed {
            findings.push(format!(
                "`{name}` is in the tree as {list}: unite the versions, or list it in `duplicates` with the reason"
            ));
        }
        if listed && !several {
            findings.push(format!("`duplicates` lists `{name}`, which is there once: remove it"));
        }
    }
    for name in rules.duplicates.keys().filter(|name| !versions.contains_key(name.as_str())) {
        findings.push(format!("`duplicates` lists `{name}`, which is not in the tree: remove it"));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: &str = r#"
        [[layer]]
        name = "pure"
        crates = ["domain", "reconcile", "wire"]
        [[layer]]
        name = "services"
        crates = ["service-ecs", "service-logs", "api-ecs"]
        [[layer]]
        name = "programs"
        crates = ["portcullis"]
        [edges]
        within = ["reconcile -> domain", "service-ecs -> api-ecs"]
        only = { api-ecs = ["service-ecs"] }
        [pure]
        layers = ["pure"]
        dependencies = ["serde"]
        [duplicates]
        nix = "libcontainer is behind"
    "#;

    fn workspace() -> Vec<Member> {
        let member = |name: &str, dependencies: &[&str]| Member {
            name: name.to_owned(),
            dependencies: dependencies.iter().map(ToString::to_string).collect(),
            has_program: name == "portcullis",
            ..Member::default()
        };
        vec![
            member("domain", &["serde"]),
            member("wire", &[]),
            member("reconcile", &["domain"]),
            member("api-ecs", &["wire"]),
            member("service-ecs", &["api-ecs", "tokio"]),
            member("service-logs", &[]),
            member("portcullis", &["service-ecs", "service-logs", "reconcile"]),
        ]
    }

    /// Adds a dependency to an orderly workspace and compares what is found.
    fn check(from: &str, to: &str, expected: &[&str]) {
        let rules: Rules = toml::from_str(RULES).unwrap();
        let mut members = workspace();
        if let Some(member) = members.iter_mut().find(|member| member.name == from) {
            member.dependencies.insert(to.to_owned());
        }
        let findings = edges(&rules, &members);
        assert_eq!(findings.len(), expected.len(), "{findings:#?}");
        for (finding, expected) in findings.iter().zip(expected) {
            assert!(finding.contains(expected), "{finding}\ndoes not contain\n{expected}");
        }
    }

    #[test]
    fn an_orderly_workspace_has_no_findings() {
        check("portcullis", "tokio", &[]);
    }

    #[test]
    fn a_higher_layer_is_out_of_reach() {
        check("domain", "service-logs", &["higher layer `services`"]);
    }

    #[test]
    fn a_neighbour_is_out_of_reach_unless_listed() {
        check("service-ecs", "service-logs", &["add `service-ecs -> service-logs`"]);
        check("wire", "domain", &["of its own layer `pure`"]);
    }

    #[test]
    fn a_pure_crate_takes_nothing_that_does_io() {
        check("domain", "tokio", &["does no I/O, and depends on `tokio`"]);
    }

    #[test]
    fn wire_types_stay_in_their_service() {
        check("portcullis", "api-ecs", &["which only these may: service-ecs"]);
    }

    #[test]
    fn a_crate_without_layer_or_user_is_found() {
        let rules: Rules = toml::from_str(RULES).unwrap();
        let mut members = workspace();
        members.push(Member { name: "extra".to_owned(), ..Member::default() });
        let findings = edges(&rules, &members);
        assert!(findings.contains(&"no crate depends on `extra`: use it or remove it".to_owned()));
        assert!(findings.iter().any(|finding| finding.starts_with("`extra` has no layer")));
    }

    #[test]
    fn versions_and_crypto_providers_are_single() {
        let rules: Rules = toml::from_str(RULES).unwrap();
        let tree = "nix v0.29.0\nnix v0.31.1\nserde v1.0.0 (*)\nserde v1.0.0\n";
        assert_eq!(versions(&rules, tree), Vec::<String>::new());
        let tree = "nix v0.31.1\nring v0.17.0\nbase64 v0.21.0\nbase64 v0.22.0\n";
        let findings = versions(&rules, tree);
        let starts = [
            "`base64` is in the tree as v0.21.0, v0.22.0",
            "`duplicates` lists `nix`",
            "`ring` is",
        ];
        assert_eq!(findings.len(), starts.len(), "{findings:#?}");
        for (finding, start) in findings.iter().zip(starts) {
            assert!(finding.starts_with(start), "{finding}");
        }
    }
}
