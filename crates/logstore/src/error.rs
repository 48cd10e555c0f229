//! What can go wrong.

use std::io;
use std::path::PathBuf;

/// Why the log store did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// There is no such group.
    #[error("log group `{0}` does not exist")]
    GroupNotFound(String),
    /// There is no such stream in the group.
    #[error("log stream `{stream}` does not exist in log group `{group}`")]
    StreamNotFound {
        /// The group, which exists.
        group: String,
        /// The stream, which does not.
        stream: String,
    },
    /// A group of that name exists already.
    #[error("log group `{0}` already exists")]
    GroupExists(String),
    /// A stream of that name exists already in the group.
    #[error("log stream `{stream}` already exists in log group `{group}`")]
    StreamExists {
        /// The group.
        group: String,
        /// The stream.
        stream: String,
    },
    /// The retention is not one of [`crate::RETENTION_DAYS`].
    #[error("a retention of {0} days is not one of those that CloudWatch Logs offers")]
    Retention(u32),
    /// A batch or an event is larger than it may be, or a batch is empty.
    #[error("{0}")]
    Batch(BatchError),
    /// The group would get more than 50 tags.
    #[error("log group `{group}` would have {count} tags, at most 50 are allowed")]
    TooManyTags {
        /// The group.
        group: String,
        /// How many it would have.
        count: usize,
    },
    /// Another program, or another store in this one, has the directory open.
    #[error("the log store in `{0}` is in use by another process, stop that one first")]
    InUse(PathBuf),
    /// The operating system refused something; a full disk for example.
    #[error("cannot {action} `{path}`: {source}")]
    Io {
        /// What was tried: `read`, `append to`, …
        action: &'static str,
        /// The file it was tried on.
        path: PathBuf,
        /// The operating system's answer.
        #[source]
        source: io::Error,
    },
    /// The catalog is not what was written.
    #[error(
        "the catalog `{path}` of the log store is damaged ({reason}), restore it from a backup"
    )]
    Catalog {
        /// The catalog.
        path: PathBuf,
        /// What does not fit.
        reason: String,
    },
    /// An earlier sync failed, after which nothing can be promised any more.
    #[error("the log store takes no more writes since a sync failed ({0}), restart the program")]
    Stopped(String),
}

/// What is wrong with a batch of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// No events at all.
    #[error("a batch holds at least one event")]
    Empty,
    /// More than 10,000 events.
    #[error("a batch of {0} events exceeds the limit of 10000")]
    TooMany(usize),
    /// More than 1 MiB together, 26 bytes counted for each event.
    #[error("upload too large: {0} bytes exceeds limit of 1048576")]
    TooLarge(usize),
    /// One event without a message.
    #[error("event {0} has an empty message")]
    EmptyMessage(usize),
    /// One event of more than 1 MiB - 26 bytes.
    #[error("event {index} too large: {bytes} bytes exceeds limit of 1048550")]
    EventTooLarge {
        /// The event's place in the batch, from 0.
        index: usize,
        /// Its message's length.
        bytes: usize,
    },
    /// A put whose timestamps decrease.
    #[error("events in a single request must be in chronological order")]
    Unordered,
    /// A put whose acceptable events are more than 24 hours apart.
    #[error("a batch of events in a single request cannot span more than 24 hours")]
    Span,
    /// A source position of more than 256 bytes.
    #[error("a source position of {0} bytes exceeds the limit of 256")]
    Position(usize),
}

/// A part of the store that could not be read; the rest was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{path}` is damaged at byte {offset_bytes}: {reason}")]
pub struct Damage {
    /// The segment.
    pub path: PathBuf,
    /// Where the unreadable part begins.
    pub offset_bytes: u64,
    /// What does not fit.
    pub reason: &'static str,
}

impl LogError {
    /// For `map_err`: an I/O error while doing `action` to `path`.
    pub(crate) fn io(
        action: &'static str,
        path: &std::path::Path,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }
}
