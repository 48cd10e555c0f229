//! The access key of the account's root.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use base::{AccountId, IdSource};
use identity::{KeyKind, new_access_key};
use serde::{Deserialize, Serialize};
use sigv4::SecretKey;

use crate::state_directory::write_private;

const FILE: &str = "root-key.json";
/// Lengths that AWS allows for an access key id; the secret gets the same.
const LENGTHS: std::ops::RangeInclusive<usize> = 16..=128;

/// The access key of the account's root. Printing it shows no secret.
#[derive(Debug, Clone)]
pub struct RootKey {
    access_key_id: String,
    secret: SecretKey,
}

/// Why there is no root key.
#[derive(Debug, thiserror::Error)]
pub enum RootKeyError {
    /// One half was given without the other.
    #[error("`{given}` is set and `{missing}` is not: set both, or neither to have a key made")]
    Half {
        /// The variable that is set.
        given: &'static str,
        /// The variable that is not.
        missing: &'static str,
    },
    /// Not an access key id.
    #[error("the root's access key id must be 16 to 128 letters, digits and `_`")]
    AccessKeyId,
    /// Not a secret.
    #[error(
        "the root's secret access key must be 16 to 128 letters, digits and characters of `+/=_-.`"
    )]
    Secret,
    /// The file cannot be read or written.
    #[error("cannot use the file of the root key `{}`: check its owner and the free space", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The file holds something else.
    #[error("`{}` holds no root key: restore it, or remove it to have a new key made", path.display())]
    Content {
        /// The file.
        path: PathBuf,
    },
}

/// The file. Its text is a secret: errors of the decoder, which may quote it, are not passed on.
#[derive(Serialize, Deserialize)]
struct Stored {
    access_key_id: String,
    secret_access_key: String,
}

impl RootKey {
    /// The variable with the access key id.
    pub const ID_VARIABLE: &'static str = "PORTCULLIS_ROOT_ACCESS_KEY_ID";
    /// The variable with the secret.
    pub const SECRET_VARIABLE: &'static str = "PORTCULLIS_ROOT_SECRET_ACCESS_KEY";

    /// Checks a key that somebody chose.
    ///
    /// # Errors
    /// [`RootKeyError::AccessKeyId`], [`RootKeyError::Secret`].
    pub fn new(access_key_id: String, secret: String) -> Result<Self, RootKeyError> {
        let secret = SecretKey::new(secret);
        let id_byte = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        if !LENGTHS.contains(&access_key_id.len()) || !access_key_id.bytes().all(id_byte) {
            return Err(RootKeyError::AccessKeyId);
        }
        let secret_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=_-.".contains(&byte);
        let text = secret.expose();
        if !LENGTHS.contains(&text.len()) || !text.bytes().all(secret_byte) {
            return Err(RootKeyError::Secret);
        }
        Ok(Self { access_key_id, secret })
    }

    /// The key in the values of the two variables; `None` when both are missing.
    ///
    /// # Errors
    /// [`RootKeyError::Half`] when one is missing, and as [`RootKey::new`].
    pub fn from_variables(
        access_key_id: Option<String>,
        secret: Option<String>,
    ) -> Result<Option<Self>, RootKeyError> {
        match (access_key_id, secret) {
            (None, None) => Ok(None),
            (Some(access_key_id), Some(secret)) => Self::new(access_key_id, secret).map(Some),
            (Some(_), None) => {
                Err(RootKeyError::Half { given: Self::ID_VARIABLE, missing: Self::SECRET_VARIABLE })
            }
            (None, Some(_)) => {
                Err(RootKeyError::Half { given: Self::SECRET_VARIABLE, missing: Self::ID_VARIABLE })
            }
        }
    }

    /// The key kept in `directory`; the first time, a new one of `account`.
    ///
    /// # Errors
    /// When the file cannot be read or written, or holds no key.
    pub fn keep(
        directory: &Path,
        account: &AccountId,
        ids: &dyn IdSource,
    ) -> Result<Self, RootKeyError> {
        let path = directory.join(FILE);
        let failed = |source| RootKeyError::File { path: path.clone(), source };
        match fs::read(&path) {
            Ok(bytes) => {
                let content = || RootKeyError::Content { path: path.clone() };
                let stored: Stored = serde_json::from_slice(&bytes).map_err(|_| content())?;
                Self::new(stored.access_key_id, stored.secret_access_key).map_err(|_| content())
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let (access_key_id, secret) = new_access_key(ids, KeyKind::LongTerm, account);
                let key = Self { access_key_id, secret };
                let stored = Stored {
                    access_key_id: key.access_key_id.clone(),
                    secret_access_key: key.secret.expose().to_owned(),
                };
                let text = serde_json::to_string(&stored).map_err(|error| failed(error.into()))?;
                write_private(&path, &text).map_err(failed)?;
                tracing::info!(access_key_id = key.access_key_id, "made the root's access key");
                Ok(key)
            }
            Err(source) => Err(failed(source)),
        }
    }

    /// The access key id.
    pub fn access_key_id(&self) -> &str {
        &self.access_key_id
    }

    /// The secret.
    pub const fn secret(&self) -> &SecretKey {
        &self.secret
    }
}
