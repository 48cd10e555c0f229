//! The state directory and the lock on it.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// A state directory that this program uses alone, for as long as this value lives.
#[derive(Debug)]
pub struct StateDirectory {
    path: PathBuf,
    _lock: File,
}

/// Why a state directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateDirectoryError {
    /// The system refused something.
    #[error("cannot {action} `{}`: check its owner, its file system and the free space", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which path.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Another program uses it.
    #[error(
        "the state directory `{}` is in use by {holder}: stop that one, or choose another with --state-dir",
        path.display()
    )]
    InUse {
        /// The directory.
        path: PathBuf,
        /// Who uses it.
        holder: String,
    },
}

impl StateDirectory {
    /// Makes the directory when it is missing (mode 0700) and locks it.
    ///
    /// # Errors
    /// [`StateDirectoryError::InUse`] when another program has it.
    pub fn open(path: &Path) -> Result<Self, StateDirectoryError> {
        let failed = |action, path: &Path| {
            let path = path.to_owned();
            move |source| StateDirectoryError::Io { action, path, source }
        };
        let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
        made.map_err(failed("make the state directory", path))?;
        // Clients get paths of files in it, whatever their working directory.
        let path = fs::canonicalize(path).map_err(failed("find the state directory", path))?;
        let lock_path = path.join("lock");
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let mut lock = options.open(&lock_path).map_err(failed("open", &lock_path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut process = String::new();
                let read = lock.take(32).read_to_string(&mut process);
                let holder = match (read, process.trim()) {
                    (Ok(_), id) if !id.is_empty() => format!("process {id}"),
                    _ => "another process".to_owned(),
                };
                return Err(StateDirectoryError::InUse { path, holder });
            }
            Err(TryLockError::Error(source)) => return Err(failed("lock", &lock_path)(source)),
        }
        let id = format!("{}\n", std::process::id());
        lock.set_len(0)
            .and_then(|()| lock.rewind())
            .and_then(|()| lock.write_all(id.as_bytes()))
            .map_err(failed("write", &lock_path))?;
        Ok(Self { path, _lock: lock })
    }

    /// Where it is: absolute, without symbolic links.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Eight hexadecimal digits that tell it from other state directories of this machine.
    pub fn instance(&self) -> String {
        format!("{:08x}", crc32fast::hash(self.path.as_os_str().as_encoded_bytes()))
    }
}

/// Writes a file of mode 0600 in one step, on disk before it has its name.
pub(crate) fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let temporary = path.with_extension("tmp");
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    path.parent().map_or(Ok(()), |directory| File::open(directory)?.sync_all())
}
