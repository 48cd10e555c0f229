//! Attributes of container instances as requests give them.

use api_ecs::types::{self, TargetType};
use wire::ApiError;

use crate::error::invalid_parameter;

/// The most attributes of one call, and custom ones of one instance.
pub(crate) const MAX_ATTRIBUTES: usize = 10;

/// Whether an attribute of this name is the agent's: it cannot be put or deleted.
pub(crate) fn is_built_in(name: &str) -> bool {
    ["ecs.", "com.amazonaws."].iter().any(|prefix| name.starts_with(prefix))
}

/// An attribute of one instance.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TargetedAttribute {
    /// Its name.
    pub(crate) name: String,
    /// Its value, if it has one.
    pub(crate) value: Option<String>,
    /// The instance's id or ARN.
    pub(crate) target: String,
}

/// The attributes of a call, checked.
pub(crate) fn read(given: Option<&[types::Attribute]>) -> Result<Vec<TargetedAttribute>, ApiError> {
    let given = given.unwrap_or_default();
    if given.is_empty() || given.len() > MAX_ATTRIBUTES {
        return Err(invalid_parameter(format!(
            "attributes must have 1 to {MAX_ATTRIBUTES} entries, not {}.",
            given.len()
        )));
    }
    given.iter().map(one).collect()
}

fn one(given: &types::Attribute) -> Result<TargetedAttribute, ApiError> {
    let name = given.name.clone().unwrap_or_default();
    let name_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"-_/\\.".contains(&byte);
    if !(1..=128).contains(&name.len()) || !name.bytes().all(name_byte) {
        return Err(invalid_parameter(format!(
            "The attribute name `{name}` is not valid: use 1 to 128 letters, digits, hyphens, underscores, slashes and periods."
        )));
    }
    if is_built_in(&name) {
        return Err(invalid_parameter(format!(
            "The attribute `{name}` is set by the container agent and cannot be changed."
        )));
    }
    let value = given.value.clone().filter(|value| !value.is_empty());
    let value_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.@/\\: ".contains(&byte);
    if let Some(value) = &value
        && (value.len() > 128 || !value.bytes().all(value_byte) || value.trim() != value)
    {
        return Err(invalid_parameter(format!(
            "The value `{value}` of attribute `{name}` is not valid: use 1 to 128 letters, digits, hyphens, underscores, periods, at signs, slashes, colons and spaces inside."
        )));
    }
    match &given.target_type {
        Some(TargetType::ContainerInstance) | None => {}
        Some(TargetType::Unrecognized(other)) => {
            return Err(invalid_parameter(format!(
                "The target type `{other}` is unknown: use container-instance."
            )));
        }
    }
    match given.target_id.clone().filter(|target| !target.is_empty()) {
        Some(target) => Ok(TargetedAttribute { name, value, target }),
        None => Err(invalid_parameter(format!("The attribute `{name}` needs a targetId."))),
    }
}
