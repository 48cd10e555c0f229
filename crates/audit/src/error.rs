//! What goes wrong with an audit log.

use std::io;
use std::path::{Path, PathBuf};

/// The first place where a log is not what was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{file}`, {place}: {problem}")]
pub struct Break {
    /// The file's name in the log's directory.
    pub file: String,
    /// The line, from 1, or what else is meant.
    pub place: String,
    /// What is wrong.
    pub problem: String,
}

impl Break {
    pub(crate) fn at(file: &Path, line: u64, problem: impl Into<String>) -> Self {
        Self { place: format!("line {line}"), ..Self::of(file, problem) }
    }

    pub(crate) fn of(file: &Path, problem: impl Into<String>) -> Self {
        let file = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Self { file, place: "the whole of it".to_owned(), problem: problem.into() }
    }
}

/// Why the audit log cannot be opened, written or read.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// A file cannot be used.
    #[error("cannot {what} `{path}` of the audit log: check the disk and the file's owner")]
    Io {
        /// What was to be done: `write`.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// There is no room for a record.
    #[error("there is no room for audit records in `{directory}`: free disk space")]
    Full {
        /// The log's directory.
        directory: PathBuf,
    },
    /// The key is missing while there are records, or is no key.
    #[error(
        "the key `{path}` of the audit log {problem}: restore it, or move the whole directory away to begin a new log"
    )]
    Key {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: &'static str,
    },
    /// The log was changed by somebody else.
    #[error(
        "the audit log was changed behind our back: {0}; look into it, then move the directory away to begin a new log"
    )]
    Broken(#[source] Break),
    /// More records are on their way than the log takes at a time.
    #[error("too many calls wait for the audit log")]
    Busy,
    /// Writing failed earlier; the log tries to recover by itself.
    #[error("the audit log is not writable: {reason}")]
    Failed {
        /// What went wrong.
        reason: String,
    },
    /// The log was closed.
    #[error("the audit log is closed")]
    Closed,
    /// The retention is shorter than a day.
    #[error("audit records are kept for at least 1 day, not {days}")]
    Retention {
        /// The days asked for.
        days: u32,
    },
}

impl AuditError {
    pub(crate) fn io(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { what, path, source }
    }

    /// The error and its causes in one line, for those who only pass it on.
    pub fn reason(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            let more = error.to_string();
            if !text.contains(&more) {
                text.push_str(": ");
                text.push_str(&more);
            }
            cause = error.source();
        }
        text
    }
}
