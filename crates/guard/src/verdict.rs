//! All rules on one task definition.

use std::str::FromStr;

use crate::{Disposition, Finding, TaskDefinitionView, rules};

/// Findings that an error text spells out at most; the rest are counted.
pub const MAX_LISTED_FINDINGS: usize = 20;

/// What findings lead to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Findings of refused disposition refuse the request.
    Enforce,
    /// The request is accepted and its findings noted.
    Audit,
}

/// Not a mode.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a guard mode: use `enforce` or `audit`")]
pub struct ParseModeError(String);

impl FromStr for Mode {
    type Err = ParseModeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "enforce" => Ok(Self::Enforce),
            "audit" => Ok(Self::Audit),
            _ => Err(ParseModeError(text.to_owned())),
        }
    }
}

/// What the rules say about one task definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Whether the request must be refused. Never in audit mode.
    pub refused: bool,
    /// All findings, by rule in registry order, then by place.
    pub findings: Vec<Finding>,
}

/// Applies every rule; all findings at once.
pub fn evaluate(view: &TaskDefinitionView, mode: Mode) -> Verdict {
    let findings: Vec<Finding> = rules().iter().flat_map(|rule| rule.check(view)).collect();
    let refused = match mode {
        Mode::Enforce => findings.iter().any(|one| one.disposition == Disposition::Refused),
        Mode::Audit => false,
    };
    Verdict { refused, findings }
}

impl Verdict {
    /// One line with everything a client needs to act: for each finding that refuses, its rule,
    /// place, reason and fix. At most [`MAX_LISTED_FINDINGS`] are spelled out. `None` when the
    /// request is not refused.
    pub fn error_text(&self) -> Option<String> {
        if !self.refused {
            return None;
        }
        let refusing = self.findings.iter().filter(|one| one.disposition == Disposition::Refused);
        let count = refusing.clone().count();
        let mut text = match count {
            1 => "1 guard rule finding: ".to_owned(),
            _ => format!("{count} guard rule findings: "),
        };
        let listed: Vec<String> = refusing
            .take(MAX_LISTED_FINDINGS)
            .map(|Finding { rule_id, path, message, fix, .. }| {
                format!("{rule_id} at {path}: {message}; fix: {fix}")
            })
            .collect();
        text += &listed.join(" | ");
        if count > MAX_LISTED_FINDINGS {
            text += &format!(" | and {} more", count - MAX_LISTED_FINDINGS);
        }
        Some(text)
    }
}
