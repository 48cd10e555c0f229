//! Condition keys as callers give them, checked against the types that they are said to have.

use api_iam::types::{ContextEntry, ContextKeyTypeEnum};
use policy::{Keys, Policy, PolicyKind};
use serde_json::json;
use wire::ApiError;

use crate::error::invalid_input;

/// Reads the context of a simulation.
///
/// # Errors
/// `InvalidInput` for a key given twice, several values of a key that has one, and values that are
/// not of the key's type.
pub(super) fn read(entries: Vec<ContextEntry>) -> Result<Keys, ApiError> {
    let mut keys = Keys::new();
    for entry in entries {
        let name = entry.context_key_name.unwrap_or_default();
        let values = entry.context_key_values.unwrap_or_default();
        let key_type = entry.context_key_type.unwrap_or(ContextKeyTypeEnum::String);
        let (operator, is_list) = operator(&key_type);
        if !is_list && values.len() > 1 {
            return Err(invalid_input(format!(
                "The context key {name} of type {} has more than one value.",
                key_type.as_str()
            )));
        }
        if let Some(operator) = operator
            && let Some(wrong) = values.iter().find(|value| !is_of(operator, value))
        {
            return Err(invalid_input(format!(
                "The value {wrong} of the context key {name} is not of type {}.",
                key_type.as_str()
            )));
        }
        if keys.insert(name.to_ascii_lowercase(), values).is_some() {
            return Err(invalid_input(format!("The context key {name} is given twice.")));
        }
    }
    Ok(keys)
}

/// The operator that reads values of a type, when not every text is one, and whether there may be
/// several values.
const fn operator(key_type: &ContextKeyTypeEnum) -> (Option<&'static str>, bool) {
    match key_type {
        ContextKeyTypeEnum::String | ContextKeyTypeEnum::Unrecognized(_) => (None, false),
        ContextKeyTypeEnum::StringList => (None, true),
        ContextKeyTypeEnum::Numeric => (Some("NumericEquals"), false),
        ContextKeyTypeEnum::NumericList => (Some("NumericEquals"), true),
        ContextKeyTypeEnum::Boolean => (Some("Bool"), false),
        ContextKeyTypeEnum::BooleanList => (Some("Bool"), true),
        ContextKeyTypeEnum::Ip => (Some("IpAddress"), false),
        ContextKeyTypeEnum::IpList => (Some("IpAddress"), true),
        ContextKeyTypeEnum::Binary => (Some("BinaryEquals"), false),
        ContextKeyTypeEnum::BinaryList => (Some("BinaryEquals"), true),
        ContextKeyTypeEnum::Date => (Some("DateEquals"), false),
        ContextKeyTypeEnum::DateList => (Some("DateEquals"), true),
    }
}

/// Whether a policy could compare with `value` by `operator`: then it is of the operator's type.
fn is_of(operator: &str, value: &str) -> bool {
    let document = json!({
        "Statement": {
            "Effect": "Allow",
            "Action": "*",
            "Resource": "*",
            "Condition": { operator: { "a:key": value } },
        },
    });
    Policy::parse(&document.to_string(), PolicyKind::Identity).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(key_type: &str, values: &[&str], is_good: bool) {
        let entry = ContextEntry {
            context_key_name: Some("s3:Key".to_owned()),
            context_key_values: Some(values.iter().map(|value| (*value).to_owned()).collect()),
            context_key_type: Some(key_type.into()),
        };
        assert_eq!(read(vec![entry]).is_ok(), is_good, "{key_type} {values:?}");
    }

    #[test]
    fn values_are_of_the_types_they_are_said_to_have() {
        check("string", &["anything \" at all"], true);
        check("string", &["a", "b"], false);
        check("stringList", &["a", "b"], true);
        check("numeric", &["1.5"], true);
        check("numericList", &["1", "b"], false);
        check("boolean", &["true"], true);
        check("boolean", &["yes"], false);
        check("ip", &["10.0.0.1"], true);
        check("ipList", &["10.0.0.1", "10.0.0.0.1"], false);
        check("binary", &["QmluYXJ5"], true);
        check("binary", &["?"], false);
        check("date", &["2026-11-20T00:00:00Z"], true);
        check("dateList", &["2026-11-20T00:00:00Z", "soon"], false);
    }
}
