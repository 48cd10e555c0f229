//! What a rule is, and what it finds.

use std::fmt;

use crate::TaskDefinitionView;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth knowing.
    Low,
    /// Weakens a defence.
    Medium,
    /// Removes a defence.
    High,
    /// Gives the host away.
    Critical,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        })
    }
}

/// What happens to a request that breaks a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disposition {
    /// An error in enforce mode, a finding in audit mode.
    Refused,
    /// A finding in both modes.
    Noted,
}

impl fmt::Display for Disposition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Refused => "refused",
            Self::Noted => "noted",
        })
    }
}

/// One rule: its texts and its check.
#[derive(Debug)]
pub struct Rule {
    /// The stable id: `TSK-004`.
    pub id: &'static str,
    /// What must hold, in a few words.
    pub title: &'static str,
    /// How bad it is to break the rule.
    pub severity: Severity,
    /// What happens to a request that breaks it.
    pub disposition: Disposition,
    /// What an attacker gains when it is broken.
    pub why: &'static str,
    /// What to write instead.
    pub fix: &'static str,
    /// The relevant part of a task definition that passes, as JSON.
    pub passes: &'static str,
    /// The relevant part of a task definition that breaks the rule, as JSON.
    pub fails: &'static str,
    /// Published checks with the same or the nearest meaning.
    pub maps: &'static [&'static str],
    /// Every place that breaks the rule.
    pub(crate) check: fn(&TaskDefinitionView) -> Vec<Violation>,
}

/// One place that breaks a rule.
#[derive(Debug)]
pub(crate) struct Violation {
    pub(crate) path: String,
    pub(crate) message: String,
}

/// One place that breaks a rule, with all that a client needs to act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The rule's id.
    pub rule_id: &'static str,
    /// The rule's severity.
    pub severity: Severity,
    /// The rule's disposition.
    pub disposition: Disposition,
    /// Where: a path such as `containerDefinitions[0].privileged`.
    pub path: String,
    /// What is asked there and why it is not allowed; one line.
    pub message: String,
    /// What to write instead.
    pub fix: &'static str,
}

impl Rule {
    /// All places of the view that break this rule.
    pub fn check(&self, view: &TaskDefinitionView) -> Vec<Finding> {
        let findings = (self.check)(view).into_iter().map(|Violation { path, message }| Finding {
            rule_id: self.id,
            severity: self.severity,
            disposition: self.disposition,
            path,
            message,
            fix: self.fix,
        });
        findings.collect()
    }
}
