//! How much of everything there may be; the numbers are those of `GetAccountSummary`.

/// Users of an account.
pub(crate) const USERS: usize = 5000;
/// Groups of an account.
pub(crate) const GROUPS: usize = 300;
/// Roles of an account.
pub(crate) const ROLES: usize = 1000;
/// Managed policies of an account.
pub(crate) const POLICIES: usize = 1500;
/// Versions of all managed policies of an account.
pub(crate) const POLICY_VERSIONS_IN_USE: usize = 10_000;
/// Versions of one managed policy.
pub(crate) const VERSIONS_PER_POLICY: usize = 5;
/// Instance profiles of an account.
pub(crate) const INSTANCE_PROFILES: usize = 1000;
/// Groups that one user is in.
pub(crate) const GROUPS_PER_USER: usize = 10;
/// Access keys of one user.
pub(crate) const ACCESS_KEYS_PER_USER: usize = 2;
/// Second factors of one user.
pub(crate) const MFA_DEVICES_PER_USER: usize = 8;
/// Second factors of an account, whether they are enabled for a user or not; as many as users.
pub(crate) const MFA_DEVICES: usize = USERS;
/// Managed policies attached to one user, group or role.
pub(crate) const ATTACHED_POLICIES: usize = 10;
/// Characters of a managed policy, whitespace not counted.
pub(crate) const POLICY_SIZE: usize = 6144;
/// Characters of a user's inline policies together, whitespace not counted.
pub(crate) const USER_POLICY_SIZE: usize = 2048;
/// Characters of a group's inline policies together, whitespace not counted.
pub(crate) const GROUP_POLICY_SIZE: usize = 5120;
/// Characters of a role's inline policies together, whitespace not counted.
pub(crate) const ROLE_POLICY_SIZE: usize = 10_240;
/// Characters of a role's trust policy, whitespace not counted.
pub(crate) const TRUST_POLICY_SIZE: usize = 2048;
/// Tags of one identity.
pub(crate) const TAGS: usize = 50;
