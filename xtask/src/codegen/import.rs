//! Takes what is needed out of botocore's models.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use flate2::read::GzDecoder;

use super::model::Model;
use super::scope::Service;

/// Reads the model in the directory `own` below `botocore/data`, drops prose and everything that is
/// not in the service's scope, and writes it to `target`.
pub(crate) fn import(botocore: &Path, own: &str, service: &Service, target: &Path) -> Result<()> {
    let path = botocore.join("data").join(own).join("service-2.json.gz");
    let file = File::open(&path).with_context(|| format!("cannot open {}", path.display()))?;
    let mut text = String::new();
    GzDecoder::new(file).read_to_string(&mut text)?;
    let mut model: Model =
        serde_json::from_str(&text).with_context(|| format!("{} is no model", path.display()))?;
    model.operation_names = model.operations.keys().cloned().collect();
    model.operations.retain(|name, _| service.operations.contains(name));
    let mut needed = model.reach(&service.operations)?.all;
    let errors: BTreeSet<String> = model
        .operations
        .values()
        .flat_map(|operation| &operation.errors)
        .map(|error| error.shape.clone())
        .collect();
    for error in errors {
        for member in model.shape(&error)?.references() {
            needed.insert(member.shape.clone());
        }
        needed.insert(error);
    }
    model.shapes.retain(|name, _| needed.contains(name));
    let mut text = serde_json::to_string_pretty(&model)?;
    text.push('\n');
    fs::write(target, text).with_context(|| format!("cannot write {}", target.display()))
}
