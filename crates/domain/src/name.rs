//! Names that more than one resource uses.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A revision of a task definition: `family:revision`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TaskDefinitionId {
    /// The family: 1–255 letters, digits, underscores and hyphens.
    pub family: String,
    /// Counts from 1; never used twice in a family.
    pub revision: u32,
}

impl fmt::Display for TaskDefinitionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.family, self.revision)
    }
}

impl FromStr for TaskDefinitionId {
    type Err = ();

    /// Reads `family:revision`; nothing else.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (family, revision) = text.split_once(':').ok_or(())?;
        // The parser would also take a sign and leading zeros.
        let plain = revision.starts_with(|first: char| matches!(first, '1'..='9'));
        if family.is_empty() || !plain {
            return Err(());
        }
        let revision = revision.parse().map_err(|_| ())?;
        Ok(Self { family: family.to_owned(), revision })
    }
}

/// The task group of a standalone task that names none: `family:FAMILY`.
pub fn group_of_family(family: &str) -> String {
    format!("family:{family}")
}

/// The task group of a service's tasks: `service:NAME`.
pub fn group_of_service(service: &str) -> String {
    format!("service:{service}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revision_is_read_as_it_is_written() {
        let check = |text: &str, valid: bool| {
            let read = text.parse::<TaskDefinitionId>().map(|id| id.to_string());
            assert_eq!(read, if valid { Ok(text.to_owned()) } else { Err(()) }, "{text}");
        };
        check("web:1", true);
        check("web:4294967295", true);
        for text in ["web", "web:", ":1", "web:0", "web:01", "web:+1", "web:1:2", "web:4294967296"]
        {
            check(text, false);
        }
    }
}
