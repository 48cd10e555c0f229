//! `models/scope.toml`.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

use super::model::Model;

/// The services and operations served.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Scope {
    pub(crate) service: Vec<Service>,
}

/// One service.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Service {
    /// The model's file name, without `.json`.
    pub(crate) name: String,
    /// The crate that is generated.
    pub(crate) package: String,
    /// The model's directory below botocore's `data`; none for a service of our own, whose model is
    /// written by hand.
    pub(crate) botocore: Option<String>,
    /// The error code for broken constraints.
    pub(crate) validation_error_code: String,
    /// The operations served.
    pub(crate) operations: Vec<String>,
    /// Where the generated types differ from the model.
    #[serde(default)]
    deviation: Vec<Deviation>,
    /// Patterns that are written in another way.
    #[serde(default)]
    pattern: Vec<Pattern>,
}

/// One difference from the model.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Deviation {
    /// `Structure.member`.
    member: String,
    /// The member's value appears neither in debug output nor in messages.
    sensitive: bool,
    /// Why.
    reason: String,
}

/// A pattern that means the same as the model's, in the words of our expression engine.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pattern {
    /// The shape it is of.
    shape: String,
    /// The pattern.
    pattern: String,
    /// Why, and why it means the same.
    reason: String,
}

impl Scope {
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text =
            fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        toml::from_str(&text).with_context(|| format!("{} is no valid scope", path.display()))
    }
}

impl Service {
    /// Applies the deviations.
    pub(crate) fn apply(&self, model: &mut Model) -> Result<()> {
        for deviation in &self.deviation {
            let name = &deviation.member;
            ensure!(!deviation.reason.is_empty(), "the deviation of `{name}` needs a reason");
            let (shape, member) =
                name.split_once('.').with_context(|| format!("`{name}` is not Shape.member"))?;
            let member = model
                .shapes
                .get_mut(shape)
                .and_then(|shape| shape.members.get_mut(member))
                .with_context(|| format!("the model `{}` has no `{name}`", self.name))?;
            member.sensitive = deviation.sensitive;
        }
        for Pattern { shape: name, pattern, reason } in &self.pattern {
            ensure!(!reason.is_empty(), "the pattern of `{name}` needs a reason");
            let shape = model.shapes.get_mut(name);
            let shape =
                shape.with_context(|| format!("the model `{}` has no `{name}`", self.name))?;
            shape.pattern = Some(pattern.clone());
        }
        Ok(())
    }
}
