//! The policies that apply to a principal.

use std::sync::Arc;

use crate::Policy;

/// A policy and what it is called where decisions are explained.
#[derive(Debug, Clone)]
pub struct NamedPolicy {
    /// ARN of a managed policy, or the name of an inline one.
    pub name: Arc<str>,
    /// What it says.
    pub policy: Arc<Policy>,
}

/// All policies that apply to one principal. The default has none: only root may act.
#[derive(Debug, Clone, Default)]
pub struct Permissions {
    /// Identity policies: inline, attached, and those of its groups.
    pub identity: Vec<NamedPolicy>,
    /// The permissions boundary, when there is one.
    pub boundary: Option<NamedPolicy>,
    /// The session policies, when the session was made with any.
    pub session: Option<Vec<NamedPolicy>>,
    /// Service control policies: one list for each level, from the organisation's root down to the
    /// account. Empty where none apply: no organisation, its management account, or SCPs are off.
    pub service_control: Vec<Vec<NamedPolicy>>,
    /// The organisation, for `aws:PrincipalOrgID` and `aws:PrincipalOrgPaths`.
    pub organization: Option<Arc<Membership>>,
}

/// Where an account stands in an organisation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// `o-…`.
    pub organization_id: String,
    /// `o-…/r-…/ou-…/`: root, units, ending with a slash.
    pub path: String,
}
