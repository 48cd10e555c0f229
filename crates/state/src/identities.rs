//! The identities in the view: tables of their own, with one mark for all of them that tells whether
//! anything changed.

use std::collections::BTreeMap;

use base::AccountId;
use iam::{
    AccessKey, Account, AccountAlias, Finding, Group, InstanceProfile, JoinToken, ManagedPolicy,
    MfaDevice, NodeIdentity, OpenIdConnectProvider, Organization, OrganizationalUnit, Role,
    ServiceControlPolicy, Trail, User,
};
use store::{Entry, Revision};

use crate::record::Record;
use crate::view::decode;
use crate::{Row, StateError};

type Table<T> = BTreeMap<String, Row<T>>;

macro_rules! identities {
    ($($field:ident: $type:ty, $one:ident, $what:literal;)*) => {
        /// All identities at one revision.
        #[derive(Debug, Default)]
        pub struct Identities {
            modified: Revision,
            $($field: Table<$type>,)*
        }

        impl Identities {
            $(
                #[doc = concat!("The ", $what, " of this key, as [`Record::path`] spells it.")]
                pub fn $one(&self, key: &str) -> Option<&Row<$type>> {
                    self.$field.get(key)
                }

                #[doc = concat!("Every ", $what, ", in the order of keys.")]
                pub fn $field(&self) -> impl DoubleEndedIterator<Item = &Row<$type>> {
                    self.$field.values()
                }
            )*

            /// Takes an entry in; false when it is of none of these tables.
            pub(crate) fn put(&mut self, table: &str, path: &str, entry: &Entry) -> Result<bool, StateError> {
                match table {
                    $(<$type>::TABLE => {
                        self.$field.insert(path.to_owned(), decode(entry)?);
                    })*
                    _ => return Ok(false),
                }
                self.modified = entry.modified;
                Ok(true)
            }

            /// Removes an entry at `revision`; false when it is of none of these tables.
            pub(crate) fn delete(&mut self, table: &str, path: &str, revision: Revision) -> bool {
                match table {
                    $(<$type>::TABLE => drop(self.$field.remove(path)),)*
                    _ => return false,
                }
                self.modified = revision;
                true
            }
        }
    };
}

identities! {
    users: User, user, "user (`ACCOUNT/name`)";
    groups: Group, group, "group (`ACCOUNT/name`)";
    roles: Role, role, "role (`ACCOUNT/name`)";
    managed_policies: ManagedPolicy, managed_policy, "managed policy (`ACCOUNT/name`)";
    instance_profiles: InstanceProfile, instance_profile, "instance profile (`ACCOUNT/name`)";
    access_keys: AccessKey, access_key, "access key (its id)";
    mfa_devices: MfaDevice, mfa_device, "MFA device (`ACCOUNT/name`)";
    open_id_connect_providers: OpenIdConnectProvider, open_id_connect_provider, "identity provider (`ACCOUNT/issuer`, slashes as `|`)";
    account_aliases: AccountAlias, account_alias, "account alias (its account)";
    organizations: Organization, organization_of_id, "organisation (its id)";
    accounts: Account, account, "account (its id)";
    organizational_units: OrganizationalUnit, organizational_unit, "organizational unit (its id)";
    service_control_policies: ServiceControlPolicy, service_control_policy, "service control policy (its id)";
    trails: Trail, trail, "trail (`ACCOUNT/name`)";
    join_tokens: JoinToken, join_token, "join token (its id)";
    node_identities: NodeIdentity, node_identity, "node identity (the instance's id)";
    findings: Finding, finding, "finding (its id)";
}

impl Identities {
    /// Notes that all was read at `revision`: something may have been deleted since the newest record.
    pub(crate) const fn read_at(&mut self, revision: Revision) {
        self.modified = revision;
    }

    /// The revision of the newest change to any of them: what was derived from them at this mark is
    /// still right.
    pub const fn modified(&self) -> Revision {
        self.modified
    }

    /// The organisation, when there is one.
    pub fn organization(&self) -> Option<&Row<Organization>> {
        self.organizations.values().next()
    }

    /// The access keys of a user, by id.
    pub fn access_keys_of<'a>(
        &'a self,
        account: &'a AccountId,
        user: &'a str,
    ) -> impl Iterator<Item = &'a Row<AccessKey>> {
        self.access_keys
            .values()
            .filter(move |key| key.account == *account && key.user.eq_ignore_ascii_case(user))
    }
}
