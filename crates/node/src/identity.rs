//! Who this node is: made once, kept in a file.

use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use base::IdSource;
use serde::{Deserialize, Serialize};

/// The node's identifiers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Identity {
    /// 32 hexadecimal digits.
    pub(crate) instance_id: String,
    /// `i-` and 17 hexadecimal digits.
    pub(crate) ec2_instance_id: String,
}

/// Why the identity cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The file cannot be read or written.
    #[error("cannot use the node's identity file `{}`", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The file holds something else.
    #[error(
        "the node's identity file `{}` cannot be read: remove it to join as a new instance",
        path.display()
    )]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
}

/// The id of the container instance that the node with this directory is; made, with the directory,
/// when there is none: 32 hexadecimal digits.
///
/// # Errors
/// [`IdentityError`].
pub fn instance_id(directory: &Path, ids: &dyn IdSource) -> Result<String, IdentityError> {
    let failed = |source| IdentityError::File { path: directory.to_owned(), source };
    std::fs::create_dir_all(directory).map_err(failed)?;
    identity(directory, ids).map(|identity| identity.instance_id)
}

/// Reads the identity in `directory`, or makes one.
pub(crate) fn identity(directory: &Path, ids: &dyn IdSource) -> Result<Identity, IdentityError> {
    let path = directory.join("identity.json");
    let file_error = |source| IdentityError::File { path: path.clone(), source };
    match std::fs::read(&path) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map_err(|source| IdentityError::Content { path: path.clone(), source }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let digits = ids.hex32();
            let identity = Identity {
                instance_id: ids.hex32(),
                ec2_instance_id: format!("i-{}", digits.get(..17).unwrap_or(&digits)),
            };
            write_atomically(&path, &identity, true).map_err(file_error)?;
            Ok(identity)
        }
        Err(error) => Err(file_error(error)),
    }
}

/// How the names of files end that are being written.
pub(crate) const STAGED: &str = "new";

/// Replaces a file as a whole: readers see the old content or the new one. `durable` waits for the
/// disk, so that it survives the machine's death; without, the process's.
pub(crate) fn write_atomically<T: Serialize>(
    path: &Path,
    value: &T,
    durable: bool,
) -> io::Result<()> {
    let temporary = path.with_extension(STAGED);
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&temporary)?;
    file.write_all(&serde_json::to_vec(value)?)?;
    if durable {
        file.sync_all()?;
    }
    crash_point::crash_point!("node.file.staged");
    std::fs::rename(&temporary, path)?;
    match path.parent() {
        Some(directory) if durable => std::fs::File::open(directory)?.sync_all(),
        Some(_) | None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use base::SeededIds;

    use super::*;

    #[test]
    fn an_identity_is_made_once() {
        let directory = tempfile::tempdir().unwrap();
        let first = identity(directory.path(), &SeededIds::new(1)).unwrap();
        assert_eq!(identity(directory.path(), &SeededIds::new(2)).unwrap(), first);
        assert_eq!(first.ec2_instance_id.len(), 19);
    }

    #[test]
    fn a_damaged_identity_is_not_replaced() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("identity.json"), "{").unwrap();
        assert!(matches!(
            identity(directory.path(), &SeededIds::new(1)),
            Err(IdentityError::Content { .. })
        ));
    }
}
