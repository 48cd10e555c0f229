//! The instance has every attribute (capability) the task needs.

use super::{Filter, listed};
use crate::{Instance, Request};

#[derive(Debug)]
pub(super) struct RequiredAttributes;

fn has(instance: &Instance, name: &str, value: Option<&str>) -> bool {
    match value {
        None => instance.attributes.contains_key(name),
        Some(value) => instance.attribute(name) == Some(value),
    }
}

impl Filter for RequiredAttributes {
    fn name(&self) -> &'static str {
        "attribute"
    }

    fn passes(&self, instance: &Instance, request: &Request) -> bool {
        request
            .required_attributes
            .iter()
            .all(|(name, value)| has(instance, name, value.as_deref()))
    }

    fn reason(&self, _request: &Request) -> String {
        "ATTRIBUTE".to_owned()
    }

    fn detail(&self, instance: &Instance, request: &Request) -> String {
        let missing = request
            .required_attributes
            .iter()
            .filter(|(name, value)| !has(instance, name, value.as_deref()))
            .map(|(name, value)| match value {
                None => format!("`{name}`"),
                Some(value) => format!("`{name}={value}`"),
            });
        format!("the container instance lacks the required attributes {}", listed(missing))
    }

    fn event_clause(&self, _request: &Request) -> String {
        "is missing an attribute required by your task".to_owned()
    }

    fn shortfall_permille(&self, instance: &Instance, request: &Request) -> u64 {
        let missing = request
            .required_attributes
            .iter()
            .filter(|(name, value)| !has(instance, name, value.as_deref()))
            .count();
        let (missing, asked) = (missing, request.required_attributes.len().max(1));
        u64::try_from(missing * 1000 / asked).unwrap_or(u64::MAX)
    }
}
