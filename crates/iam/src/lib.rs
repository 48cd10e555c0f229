//! The records of identities: users, groups, roles, policies, keys, second factors, organisations.
//!
//! All of it is desired state, written by the operations of IAM and Organizations. Names are unique
//! without regard to case within an account, as in IAM; records are kept under the name in lower case
//! (see [`key`]). When something was last used is not here: that is read from the audit trail.

mod access_key;
mod federation;
mod mfa;
mod node;
mod organization;
mod policies;
mod principals;
mod trail;

use std::collections::BTreeMap;

pub use access_key::{AccessKey, AccessKeyStatus, Sealed};
pub use federation::OpenIdConnectProvider;
pub use mfa::MfaDevice;
pub use node::{JoinToken, NodeIdentity};
pub use organization::{
    Account, AccountStatus, FULL_AWS_ACCESS, Organization, OrganizationalUnit, ServiceControlPolicy,
};
pub use policies::{ManagedPolicy, PolicyVersion};
pub use principals::{AccountAlias, Group, InstanceProfile, Role, User};
pub use trail::{Finding, Trail, TrailOptions};

/// Tags of an identity, by key.
pub type Tags = BTreeMap<String, String>;

/// The key of a record of `account` that is called `name`: the account, a slash, and the name in
/// lower case.
pub fn key(account: &base::AccountId, name: &str) -> String {
    format!("{account}/{}", name.to_ascii_lowercase())
}

/// The ARN of something of IAM: `arn:aws:iam::ACCOUNT:KIND/path/name`. `path` begins and ends with a
/// slash.
pub fn arn(account: &base::AccountId, kind: &str, path: &str, name: &str) -> String {
    format!("arn:aws:iam::{account}:{kind}{path}{name}")
}
