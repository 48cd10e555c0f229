//! When what was last used, as the audit trail tells.

use std::fmt;

use access_report::ActionUse;
use base::{AccountId, Timestamp};

/// The last use of something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastUse {
    /// When.
    pub at: Timestamp,
    /// The region that the call was for.
    pub region: String,
    /// The service's signing name: `ecs`.
    pub service: String,
}

/// What the audit trail knows of uses. Answers may lag behind by the calls under way.
pub trait Usage: Send + Sync + fmt::Debug {
    /// The last call that was signed with this access key.
    fn access_key(&self, access_key_id: &str) -> Option<LastUse>;

    /// The last call of a session of this role, of this user, or of this account's root, by ARN of the
    /// role, the user or the root.
    fn principal(&self, arn: &str) -> Option<LastUse>;

    /// Every action that the role, user or root with this ARN was allowed and performed, by action and
    /// resource; at most 10,000.
    fn actions(&self, arn: &str) -> Vec<ActionUse>;

    /// The ARNs of roles, users and roots of this account that were seen.
    fn principals(&self, account: &AccountId) -> Vec<String>;
}
