//! The table in `xtask/tidy.toml`.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

/// All of it.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Rules {
    layer: Vec<Layer>,
    pub(crate) edges: Edges,
    pub(crate) pure: Pure,
    pub(crate) unsafe_code: Crates,
    pub(crate) machine: Crates,
    pub(crate) files: Files,
    /// Package to reason.
    pub(crate) duplicates: BTreeMap<String, String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Layer {
    name: String,
    crates: BTreeSet<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Edges {
    /// `a -> b`.
    pub(crate) within: BTreeSet<String>,
    /// Crate to those that may depend on it.
    pub(crate) only: BTreeMap<String, BTreeSet<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Pure {
    layers: BTreeSet<String>,
    pub(crate) dependencies: BTreeSet<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Crates {
    pub(crate) crates: BTreeSet<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Files {
    pub(crate) lines: usize,
}

/// Layers whose crates are not the product: they may use anything.
const TOOLS: &str = "tools";

impl Rules {
    /// The position and name of a crate's layer.
    pub(crate) fn layer(&self, name: &str) -> Option<(usize, &str)> {
        let found = self.layer.iter().enumerate().find(|(_, layer)| layer.crates.contains(name));
        found.map(|(position, layer)| (position, layer.name.as_str()))
    }

    /// All crates that have a layer.
    pub(crate) fn crates(&self) -> impl Iterator<Item = &str> {
        self.layer.iter().flat_map(|layer| &layer.crates).map(String::as_str)
    }

    pub(crate) fn is_pure(&self, name: &str) -> bool {
        self.layer(name).is_some_and(|(_, layer)| self.pure.layers.contains(layer))
    }

    pub(crate) fn is_tool(&self, name: &str) -> bool {
        self.layer(name).is_some_and(|(_, layer)| layer == TOOLS)
    }
}
