//! Those who act: users, groups, roles.

use std::collections::{BTreeMap, BTreeSet};

use base::{AccountId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{Tags, arn};

/// A person or program with a name of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// The account it belongs to.
    pub account: AccountId,
    /// Its name, as given.
    pub name: String,
    /// Its path, `/` or `/…/`.
    pub path: String,
    /// `AIDA…`: never used again, even when a user of the same name is made later.
    pub id: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// Inline policies, by name.
    pub inline_policies: BTreeMap<String, String>,
    /// ARNs of managed policies.
    pub attached_policies: BTreeSet<String>,
    /// ARN of the managed policy that bounds it.
    pub permissions_boundary: Option<String>,
    /// Names of the groups it is in, as the groups spell them.
    pub groups: BTreeSet<String>,
    /// Its tags.
    pub tags: Tags,
}

/// Users that share policies. Who is in it is kept with the users.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// The account it belongs to.
    pub account: AccountId,
    /// Its name, as given.
    pub name: String,
    /// Its path.
    pub path: String,
    /// `AGPA…`.
    pub id: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// Inline policies, by name.
    pub inline_policies: BTreeMap<String, String>,
    /// ARNs of managed policies.
    pub attached_policies: BTreeSet<String>,
}

/// What others may become for a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Role {
    /// The account it belongs to.
    pub account: AccountId,
    /// Its name, as given.
    pub name: String,
    /// Its path.
    pub path: String,
    /// `AROA…`.
    pub id: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// What it is for.
    pub description: Option<String>,
    /// How long a session may last, in seconds, 3,600 to 43,200.
    pub max_session_duration_s: u32,
    /// Who may assume it.
    pub trust_policy: String,
    /// Inline policies, by name.
    pub inline_policies: BTreeMap<String, String>,
    /// ARNs of managed policies.
    pub attached_policies: BTreeSet<String>,
    /// ARN of the managed policy that bounds it.
    pub permissions_boundary: Option<String>,
    /// Its tags.
    pub tags: Tags,
    /// For a service-linked role, the service (`ecs.amazonaws.com`): only it may change the role.
    pub linked_service: Option<String>,
}

/// A role as a container instance is given it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceProfile {
    /// The account it belongs to.
    pub account: AccountId,
    /// Its name, as given.
    pub name: String,
    /// Its path.
    pub path: String,
    /// `AIPA…`.
    pub id: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// The name of its role.
    pub role: Option<String>,
    /// Its tags.
    pub tags: Tags,
}

/// Another name of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountAlias {
    /// The account.
    pub account: AccountId,
    /// The alias.
    pub alias: String,
}

macro_rules! arns {
    ($($record:ty, $kind:literal;)*) => {$(
        impl $record {
            /// Its ARN.
            pub fn arn(&self) -> String {
                arn(&self.account, $kind, &self.path, &self.name)
            }
        }
    )*};
}

arns! {
    User, "user";
    Group, "group";
    Role, "role";
    InstanceProfile, "instance-profile";
}
