//! Why a store could not be opened.

use std::io;
use std::path::PathBuf;

/// Why a store could not be opened. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process, or another place in this one, has the store open.
    #[error("the store in `{}` is in use by {owner}: stop that first, or choose another state directory", .directory.display())]
    InUse {
        /// The state directory.
        directory: PathBuf,
        /// Who has it, as far as is known.
        owner: String,
    },
    /// The file is something else.
    #[error("`{}` is not a store of this program ({reason}): move it away, or choose another state directory", .path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// How this was found out.
        reason: String,
    },
    /// The file was written by a newer version of this program.
    #[error("`{}` has store format {found}, this program knows formats up to {known}: use the newer program", .path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// The file's format.
        found: u64,
        /// The newest format that can be read.
        known: u64,
    },
    /// The file is damaged.
    #[error("the store `{}` is damaged ({reason}): restore it from a backup, or move it away to begin anew", .path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What was found.
        reason: String,
    },
    /// The operating system refused something.
    #[error("cannot {action} `{}`: {reason}", .path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file or directory.
        path: PathBuf,
        /// What the operating system said.
        reason: String,
    },
    /// No thread could be started.
    #[error("cannot start the store's thread: raise the limit of processes")]
    Thread {
        /// What the operating system said.
        source: io::Error,
    },
}
