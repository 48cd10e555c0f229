//! Reports on access: who can do what, what was granted and never used, and the smallest policy that
//! covers what was used.
//!
//! What was used comes from the audit trail, as [`ActionUse`]s; what is granted from the policies.

mod smallest;
mod unused;
mod who_can;

use base::Timestamp;

pub use smallest::{SmallestPolicy, smallest_policy};
pub use unused::{Grant, grants};
pub use who_can::{Ability, who_can};

/// An action that a principal was allowed and performed, on one resource.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ActionUse {
    /// `ecs:ListTasks`.
    pub action: String,
    /// The ARN, or `*`.
    pub resource: String,
    /// When it was last used.
    pub last_used_at: Timestamp,
    /// How often, as far back as the audit trail reaches.
    pub count: u64,
}

#[cfg(test)]
mod tests;
