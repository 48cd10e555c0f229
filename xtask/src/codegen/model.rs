//! A service model: what botocore's `service-2.json` says, without prose.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};

/// A service's model. Unknown keys, prose above all, are dropped when reading.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Model {
    pub(crate) metadata: Metadata,
    /// Every operation of the service, in scope or not, sorted.
    #[serde(default)]
    pub(crate) operation_names: Vec<String>,
    pub(crate) operations: BTreeMap<String, Operation>,
    pub(crate) shapes: BTreeMap<String, Shape>,
}

/// The service's names.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Metadata {
    pub(crate) api_version: String,
    pub(crate) endpoint_prefix: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) json_version: Option<String>,
    pub(crate) protocol: String,
    pub(crate) service_full_name: String,
    pub(crate) service_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) signing_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) target_prefix: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) xml_namespace: Option<String>,
}

/// One operation.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Operation {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) input: Option<Reference>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) output: Option<Reference>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) errors: Vec<Reference>,
}

/// A use of a shape.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Reference {
    pub(crate) shape: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) location_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) result_wrapper: Option<String>,
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) flattened: bool,
    /// Set by `models/scope.toml`, never by the model.
    #[serde(skip)]
    pub(crate) sensitive: bool,
}

/// One shape.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Shape {
    #[serde(rename = "type")]
    pub(crate) kind: Kind,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) members: BTreeMap<String, Reference>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) required: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) member: Option<Reference>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<Reference>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) value: Option<Reference>,
    #[serde(rename = "enum", default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) values: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) min: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) max: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) pattern: Option<String>,
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) sensitive: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) union: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) document: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) flattened: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) eventstream: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) exception: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) fault: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<WireError>,
}

/// How an exception looks on the wire, where the model says so.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WireError {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) code: Option<String>,
    pub(crate) http_status_code: u16,
}

/// What a shape is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    Structure,
    List,
    Map,
    String,
    Integer,
    Long,
    Float,
    Double,
    Boolean,
    Timestamp,
    Blob,
    Character,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature is serde's")]
fn is_false(value: &bool) -> bool {
    !*value
}

/// The shapes that the operations in scope use.
#[derive(Debug, Default)]
pub(crate) struct Reach {
    /// Reachable from an input.
    pub(crate) inputs: BTreeSet<String>,
    /// Reachable from an input or an output.
    pub(crate) all: BTreeSet<String>,
}

impl Model {
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text =
            fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        serde_json::from_str(&text).with_context(|| format!("{} is no model", path.display()))
    }

    pub(crate) fn shape(&self, name: &str) -> Result<&Shape> {
        self.shapes.get(name).with_context(|| format!("the model has no shape `{name}`"))
    }

    pub(crate) fn operation(&self, name: &str) -> Result<&Operation> {
        self.operations.get(name).with_context(|| format!("the model has no operation `{name}`"))
    }

    pub(crate) fn reach(&self, operations: &[String]) -> Result<Reach> {
        let mut reach = Reach::default();
        for name in operations {
            let operation = self.operation(name)?;
            if let Some(input) = &operation.input {
                self.collect(&input.shape, &mut reach.inputs, &mut Vec::new())?;
            }
            if let Some(output) = &operation.output {
                self.collect(&output.shape, &mut reach.all, &mut Vec::new())?;
            }
        }
        reach.all.extend(reach.inputs.iter().cloned());
        Ok(reach)
    }

    fn collect<'model>(
        &'model self,
        name: &'model str,
        found: &mut BTreeSet<String>,
        path: &mut Vec<&'model str>,
    ) -> Result<()> {
        if path.contains(&name) {
            bail!("the shape `{name}` contains itself, which the generator does not support yet");
        }
        if !found.insert(name.to_owned()) {
            return Ok(());
        }
        path.push(name);
        for reference in self.shape(name)?.references() {
            self.collect(&reference.shape, found, path)?;
        }
        path.pop();
        Ok(())
    }
}

impl Shape {
    /// The shapes directly inside.
    pub(crate) fn references(&self) -> impl Iterator<Item = &Reference> {
        self.members.values().chain(&self.member).chain(&self.key).chain(&self.value)
    }

    pub(crate) fn is_enum(&self) -> bool {
        self.kind == Kind::String && !self.values.is_empty()
    }

    /// Whether it becomes a Rust structure or union.
    pub(crate) fn is_structure(&self) -> bool {
        self.kind == Kind::Structure && !self.document
    }
}
