//! The smallest policy for what was used.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::ActionUse;

/// Different resources of one collection that are written out; more become one pattern.
const MAX_LISTED: usize = 5;

/// A policy that allows what was used, and where it allows more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SmallestPolicy {
    /// The document, ready to be pasted.
    pub document: String,
    /// The resource patterns in it that stand for more than was used: generated names, which never
    /// come back, and long lists.
    pub widened: Vec<String>,
}

/// The smallest policy that covers `uses`: every action by name, the resources as they were used,
/// actions with the same resources in one statement. `None` when nothing was used.
///
/// A resource whose last part is a generated name (a task's id) becomes a pattern for all of its
/// collection, and so do more than five resources of one collection for one action.
pub fn smallest_policy(uses: &[ActionUse]) -> Option<SmallestPolicy> {
    let mut widened = BTreeSet::new();
    let mut by_action: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for one in uses {
        let resource = match collection(&one.resource) {
            Some((prefix, name)) if is_generated(name) => {
                let pattern = format!("{prefix}*");
                widened.insert(pattern.clone());
                pattern
            }
            Some(_) | None => one.resource.clone(),
        };
        by_action.entry(&one.action).or_default().insert(resource);
    }
    let mut statements: BTreeMap<BTreeSet<String>, BTreeSet<&str>> = BTreeMap::new();
    for (action, resources) in by_action {
        statements.entry(shortened(&resources, &mut widened)).or_default().insert(action);
    }
    if statements.is_empty() {
        return None;
    }
    let statements: Vec<Value> = statements
        .into_iter()
        .map(|(resources, actions)| {
            json!({"Effect": "Allow", "Action": actions, "Resource": resources})
        })
        .collect();
    let document = json!({"Version": "2012-10-17", "Statement": statements});
    Some(SmallestPolicy {
        document: format!("{document:#}"),
        widened: widened.into_iter().collect(),
    })
}

/// What comes before the last part of an ARN's resource, with its separator, and the last part.
fn collection(resource: &str) -> Option<(&str, &str)> {
    let after_account = resource.splitn(6, ':').nth(5)?;
    let separator = after_account.rfind(['/', ':'])?;
    let start = resource.len().checked_sub(after_account.len())?;
    resource.split_at_checked(start.checked_add(separator)?.checked_add(1)?)
}

/// Whether a name was made by a machine: 32 hexadecimal digits, or a UUID.
fn is_generated(name: &str) -> bool {
    let digits = name.chars().filter(|one| *one != '-');
    name.chars().all(|one| one.is_ascii_hexdigit() || one == '-') && digits.count() == 32
}

/// One pattern for each collection of which there are too many.
fn shortened(resources: &BTreeSet<String>, widened: &mut BTreeSet<String>) -> BTreeSet<String> {
    let mut members: BTreeMap<&str, usize> = BTreeMap::new();
    for (prefix, _) in resources.iter().filter_map(|resource| collection(resource)) {
        let count = members.entry(prefix).or_default();
        *count = count.saturating_add(1);
    }
    let pattern = |resource: &String| {
        let (prefix, _) = collection(resource)?;
        members.get(prefix).is_some_and(|count| *count > MAX_LISTED).then(|| format!("{prefix}*"))
    };
    let mut short = BTreeSet::new();
    for resource in resources {
        match pattern(resource) {
            Some(pattern) => {
                widened.insert(pattern.clone());
                short.insert(pattern);
            }
            None => {
                short.insert(resource.clone());
            }
        }
    }
    let covered = |resource: &String| {
        collection(resource)
            .is_some_and(|(prefix, name)| name != "*" && short.contains(&format!("{prefix}*")))
    };
    short.iter().filter(|resource| !covered(resource)).cloned().collect()
}
