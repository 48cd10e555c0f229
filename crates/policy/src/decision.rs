//! The answer to one access, and how it reads.

use std::fmt;
use std::sync::Arc;

/// The kinds of policies, as denials name them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PolicyType {
    /// Of the principal, inline or managed.
    Identity,
    /// Of the resource.
    Resource,
    /// Permissions boundary.
    Boundary,
    /// Passed when the session was made.
    Session,
    /// Of the organisation.
    ServiceControl,
}

/// The statement that decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatementRef {
    /// The kind of policy it is in.
    pub policy_type: PolicyType,
    /// The policy's ARN or name.
    pub policy: Arc<str>,
    /// Its place in the document, from 0.
    pub index: usize,
    /// Its `Sid`, when it has one.
    pub sid: Option<Arc<str>>,
}

/// Whether one access is allowed, and by what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Allowed; `None` for what needs no statement: the account's root.
    Allowed(Option<StatementRef>),
    /// A statement denies it.
    ExplicitlyDenied(StatementRef),
    /// No policy of this kind allows it.
    NotAllowed(PolicyType),
}

impl Decision {
    /// Whether the access may happen.
    pub const fn is_allowed(&self) -> bool {
        matches!(self, Self::Allowed(_))
    }
}

/// A call that is not allowed, in AWS's words. The deciding statement is for the record, not for the
/// message: the caller may not be allowed to know it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "User: {principal} is not authorized to perform: {action} on resource: {resource} {}",
    Because { action, decision }
)]
pub struct Denied {
    /// The ARN of who was calling.
    pub principal: String,
    /// The action: `ecs:RunTask`.
    pub action: String,
    /// The first resource that the principal may not use.
    pub resource: String,
    /// What decided.
    pub decision: Box<Decision>,
}

struct Because<'a> {
    action: &'a str,
    decision: &'a Decision,
}

impl fmt::Display for Because<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let action = self.action;
        match self.decision {
            Decision::Allowed(_) => Ok(()),
            Decision::ExplicitlyDenied(statement) => {
                let article = statement.policy_type.article();
                write!(f, "with an explicit deny in {article}")
            }
            Decision::NotAllowed(policy_type) => {
                let name = policy_type.name();
                write!(f, "because no {name} allows the {action} action")
            }
        }
    }
}

impl PolicyType {
    /// The name in messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity-based policy",
            Self::Resource => "resource-based policy",
            Self::Boundary => "permissions boundary",
            Self::Session => "session policy",
            Self::ServiceControl => "service control policy",
        }
    }

    const fn article(self) -> &'static str {
        match self {
            Self::Identity => "an identity-based policy",
            Self::Resource => "a resource-based policy",
            Self::Boundary => "a permissions boundary",
            Self::Session => "a session policy",
            Self::ServiceControl => "a service control policy",
        }
    }
}
