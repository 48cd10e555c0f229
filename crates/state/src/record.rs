//! Which types are records, and under which keys they are kept.

use base::Timestamp;
use domain::{
    AccountSetting, Cluster, ContainerInstance, Service, ServiceDeployment, ServiceRevision, Task,
    TaskDefinition, TaskDefinitionFamily,
};
use iam::{
    AccessKey, Account, AccountAlias, Finding, Group, InstanceProfile, JoinToken, ManagedPolicy,
    MfaDevice, NodeIdentity, OpenIdConnectProvider, Organization, OrganizationalUnit, Role,
    ServiceControlPolicy, Trail, User,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use store::Key;

use crate::StateError;

/// A type with a table of its own. Keys are `TABLE/…`; names in them are checked by the API, so
/// that none holds a slash but the last.
pub trait Record: Serialize + DeserializeOwned + Clone {
    /// The first part of every key.
    const TABLE: &'static str;

    /// What follows the table in the key.
    fn path(&self) -> String;
}

/// The key of a record.
///
/// # Errors
///
/// [`StateError::Encode`] when its name cannot be a key.
pub(crate) fn key<T: Record>(record: &T) -> Result<Key, StateError> {
    key_of(T::TABLE, &record.path())
}

pub(crate) fn key_of(table: &'static str, path: &str) -> Result<Key, StateError> {
    Key::new(format!("{table}/{path}"))
        .map_err(|error| StateError::Encode { table, reason: error.to_string() })
}

/// Serialises placements on one container instance; see [`crate::Change::fence`]. The value has
/// no meaning: its revision has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fence {
    /// The instance's id.
    pub container_instance: String,
    /// Counts placements.
    pub placements: u64,
}

/// What a request with a client token made, so that its repetition makes nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientToken {
    /// Operation, cluster and token, joined by a slash.
    pub scope: String,
    /// Digest of the request's other members: another request with the same token is an error.
    pub request_digest: String,
    /// Identifiers of what was made.
    pub results: Vec<String>,
    /// When; forgotten after 24 hours.
    pub created_at: Timestamp,
}

macro_rules! records {
    ($($type:ty, $table:literal, |$record:ident| $path:expr;)*) => {$(
        impl Record for $type {
            const TABLE: &'static str = $table;

            fn path(&self) -> String {
                let $record = self;
                $path
            }
        }
    )*};
}

records! {
    AccessKey, "access-key", |key| key.id.clone();
    Account, "account", |account| account.id.to_string();
    AccountAlias, "account-alias", |alias| alias.account.to_string();
    AccountSetting, "account-setting", |setting| format!("{}/{}", setting.name, setting.principal);
    ClientToken, "client-token", |token| token.scope.clone();
    Cluster, "cluster", |cluster| cluster.name.clone();
    ContainerInstance, "container-instance", |instance| instance.id.clone();
    Fence, "fence", |fence| fence.container_instance.clone();
    Finding, "finding", |finding| finding.id.clone();
    Group, "group", |group| iam::key(&group.account, &group.name);
    InstanceProfile, "instance-profile", |profile| iam::key(&profile.account, &profile.name);
    JoinToken, "join-token", |token| token.id.clone();
    ManagedPolicy, "managed-policy", |policy| iam::key(&policy.account, &policy.name);
    MfaDevice, "mfa-device", |device| iam::key(&device.account, &device.name);
    NodeIdentity, "node-identity", |node| node.instance_id.clone();
    OpenIdConnectProvider, "open-id-connect-provider", |provider|
        iam::key(&provider.account, &provider.issuer.replace('/', "|"));
    Organization, "organization", |organization| organization.id.clone();
    OrganizationalUnit, "organizational-unit", |unit| unit.id.clone();
    Role, "role", |role| iam::key(&role.account, &role.name);
    Service, "service", |service| format!("{}/{}", service.cluster, service.name);
    ServiceDeployment, "service-deployment", |deployment| deployment.id.clone();
    ServiceRevision, "service-revision", |revision| revision.id.clone();
    ServiceControlPolicy, "service-control-policy", |policy| policy.id.clone();
    Task, "task", |task| task.id.clone();
    TaskDefinition, "task-definition", |definition|
        format!("{}/{:010}", definition.id.family, definition.id.revision);
    TaskDefinitionFamily, "task-definition-family", |family| family.family.clone();
    Trail, "trail", |trail| iam::key(&trail.account, &trail.name);
    User, "user", |user| iam::key(&user.account, &user.name);
}
