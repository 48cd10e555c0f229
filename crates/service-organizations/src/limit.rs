//! How much of everything there may be: AWS's default quotas.

/// Accounts of an organisation.
pub(crate) const ACCOUNTS: usize = 1000;
/// Units of an organisation.
pub(crate) const UNITS: usize = 2000;
/// Units above one another.
pub(crate) const DEPTH: usize = 5;
/// Service control policies.
pub(crate) const POLICIES: usize = 1000;
/// Service control policies on one target.
pub(crate) const POLICIES_PER_TARGET: usize = 5;
/// The length of a service control policy, in characters without insignificant white space.
pub(crate) const POLICY_SIZE: usize = 5120;
/// Tags of one resource.
pub(crate) const TAGS: usize = 50;
