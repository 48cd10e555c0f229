//! Where findings go.

use std::fmt;

use iam::Finding;

/// Takes what somebody should look at.
pub trait Findings: Send + Sync + fmt::Debug {
    /// Raises a finding, or renews it when it is there. Returns at once; a finding that cannot be
    /// kept is logged.
    fn raise(&self, finding: Finding);
}
