//! What everything about identities stands on, and the key that secrets are sealed with.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base::{AccountId, Clock, IdSource};
use identity::{
    BuiltInPolicyError, Directory, Policies, RootAccessKey, Sessions, Vault, VaultError, VaultKey,
};
use state::State;
use zeroize::Zeroizing;

use crate::root_key::RootKey;
use crate::state_directory::write_private;

const FILE: &str = "identity.key";

/// Finds, makes and checks identities.
#[derive(Debug, Clone)]
pub(crate) struct Identities {
    pub(crate) vault: Arc<Vault>,
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) policies: Arc<Policies>,
    pub(crate) directory: Arc<Directory>,
    pub(crate) root_key: service_iam::RootKey,
}

/// Why identities cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The file cannot be read or written.
    #[error(
        "cannot use the file of the identity key `{}`: check its owner and the free space",
        path.display()
    )]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The file holds something else. A new key would make all access keys, MFA devices and
    /// sessions worthless, so none is made.
    #[error(
        "`{}` holds no identity key: restore it; without it the secrets in the store cannot be \
         read",
        path.display()
    )]
    Content {
        /// The file.
        path: PathBuf,
    },
    /// The cipher does not take the key.
    #[error("the identity key cannot be used")]
    Vault(#[source] VaultError),
    /// A defect of the program.
    #[error("policies cannot be read")]
    Policies(#[source] BuiltInPolicyError),
}

impl Identities {
    /// Reads the key in `path`, or makes one the first time.
    pub(crate) fn open(
        path: &Path,
        state: &Arc<State>,
        clock: &Arc<dyn Clock>,
        ids: &Arc<dyn IdSource>,
        root: (&RootKey, AccountId),
    ) -> Result<Self, IdentityError> {
        let key = keep(path, ids.as_ref())?;
        let vault = Arc::new(Vault::new(&key).map_err(IdentityError::Vault)?);
        let sessions = Sessions::new(Arc::clone(&vault), Arc::clone(clock), Arc::clone(ids));
        let sessions = Arc::new(sessions);
        let policies = Arc::new(Policies::new().map_err(IdentityError::Policies)?);
        let (root, account) = root;
        let access_key_id = root.access_key_id().to_owned();
        let root_key = service_iam::RootKey { account: account.clone(), access_key_id };
        let root = RootAccessKey {
            account,
            access_key_id: root.access_key_id().to_owned(),
            secret: root.secret().clone(),
        };
        let directory = Directory::new(
            Arc::clone(state),
            Arc::clone(&vault),
            Arc::clone(&sessions),
            Arc::clone(&policies),
            root,
        );
        Ok(Self { vault, sessions, policies, directory: Arc::new(directory), root_key })
    }
}

/// The key kept in `directory`; the first time, a new one.
fn keep(directory: &Path, ids: &dyn IdSource) -> Result<VaultKey, IdentityError> {
    let path = directory.join(FILE);
    match fs::read_to_string(&path).map(Zeroizing::new) {
        Ok(text) => VaultKey::from_hex(text.trim()).ok_or(IdentityError::Content { path }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let key = VaultKey::generate(ids);
            let written = write_private(&path, &key.to_hex());
            written.map_err(|source| IdentityError::File { path, source })?;
            Ok(key)
        }
        Err(source) => Err(IdentityError::File { path, source }),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use base::SeededIds;

    use super::*;

    #[test]
    fn the_key_is_made_once_and_a_damaged_one_is_not_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let ids = SeededIds::new(1);
        let made = keep(directory.path(), &ids).unwrap();
        assert_eq!(keep(directory.path(), &ids).unwrap().to_hex(), made.to_hex());
        let path = directory.path().join(FILE);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::write(&path, "not a key").unwrap();
        let error = keep(directory.path(), &ids).unwrap_err();
        assert!(matches!(error, IdentityError::Content { .. }), "{error}");
    }
}
