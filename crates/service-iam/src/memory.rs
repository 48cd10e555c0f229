//! What is kept in memory only: answers to questions that are asked in two calls. All of it is
//! bounded and gone when the server restarts.

use crate::last_accessed::Reports;
use crate::linked::Deletions;

/// Reports and deletions that callers come back for; `Memory::default()` has none.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    /// Reports of what was last accessed.
    pub(crate) reports: Reports,
    /// Deletions of service-linked roles.
    pub(crate) deletions: Deletions,
}
