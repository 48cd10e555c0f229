//! What can go wrong, sorted by what the caller does next.

use std::fmt;

use crate::{Key, MAX_OPERATIONS, MAX_TRANSACTION_BYTES, MAX_VALUE_BYTES, Revision};

/// Why a read failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The store cannot answer now; the same call may succeed later.
    #[error("the store cannot be read: {reason}")]
    Unavailable {
        /// What is wrong and what to do.
        reason: String,
    },
    /// The state at the revision asked for is no longer known. Read without `at`.
    #[error(
        "revision {asked} is no longer known, the oldest known is {oldest}: read again without a revision"
    )]
    Compacted {
        /// The revision asked for.
        asked: Revision,
        /// The oldest revision that can be asked for.
        oldest: Revision,
    },
    /// The revision asked for was never given out by this store.
    #[error("revision {asked} does not exist, the newest is {current}: was the store replaced?")]
    FutureRevision {
        /// The revision asked for.
        asked: Revision,
        /// The newest revision.
        current: Revision,
    },
}

/// A limit of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// [`MAX_OPERATIONS`].
    Operations,
    /// [`MAX_TRANSACTION_BYTES`].
    TransactionBytes,
    /// [`MAX_VALUE_BYTES`].
    ValueBytes,
}

impl Limit {
    /// The largest value that passes.
    pub fn max(self) -> usize {
        match self {
            Self::Operations => MAX_OPERATIONS,
            Self::TransactionBytes => MAX_TRANSACTION_BYTES,
            Self::ValueBytes => MAX_VALUE_BYTES,
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Operations => "operations in a transaction",
            Self::TransactionBytes => "bytes in a transaction",
            Self::ValueBytes => "bytes in a value",
        })
    }
}

/// Why a commit failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// A precondition does not hold; nothing was applied. Read again and decide again.
    #[error("`{key}` is not as expected: {}", describe(*.found))]
    Conflict {
        /// The key of a precondition that does not hold.
        key: Key,
        /// When the entry of that key was last modified; `None` when there is none.
        found: Option<Revision>,
    },
    /// The transaction is above a limit; nothing was applied. Split it.
    #[error("{actual} {limit} are too many{}: at most {} are possible", at(.key.as_ref()), .limit.max())]
    TooLarge {
        /// Which limit.
        limit: Limit,
        /// The transaction's own figure.
        actual: usize,
        /// The key whose value is too large, where it is a value.
        key: Option<Key>,
    },
    /// The transaction writes a key twice; nothing was applied.
    #[error("`{key}` is written twice in one transaction: write it once")]
    DuplicateKey {
        /// The key.
        key: Key,
    },
    /// The store cannot commit now; nothing was applied.
    #[error("the store cannot commit: {reason}")]
    Unavailable {
        /// What is wrong and what to do.
        reason: String,
    },
    /// The answer was lost: all of it was applied, or nothing. Read again to find out.
    #[error("it is not known whether the store committed: {reason}")]
    OutcomeUnknown {
        /// What is wrong and what to do.
        reason: String,
    },
}

impl CommitError {
    /// Whether reading again, deciding again and committing again may succeed. Bound the attempts.
    pub fn retryable(&self) -> bool {
        match self {
            Self::Conflict { .. } | Self::Unavailable { .. } | Self::OutcomeUnknown { .. } => true,
            Self::TooLarge { .. } | Self::DuplicateKey { .. } => false,
        }
    }
}

/// Why a watch could not begin, or ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WatchError {
    /// Changes after this revision are no longer known. Read the span again, then watch from the
    /// revision of that read.
    #[error(
        "changes after revision {after} are no longer known, the oldest are after {oldest}: read again, then watch"
    )]
    Compacted {
        /// The revision asked for.
        after: Revision,
        /// The oldest revision after which all changes are known.
        oldest: Revision,
    },
    /// The watcher was too slow and its buffer is full. Watch again from the last revision
    /// received.
    #[error(
        "the watch fell behind by more than its buffer holds: watch again from the last revision received"
    )]
    Lagged,
    /// The revision asked for was never given out by this store.
    #[error("revision {after} does not exist, the newest is {current}: was the store replaced?")]
    FutureRevision {
        /// The revision asked for.
        after: Revision,
        /// The newest revision.
        current: Revision,
    },
    /// The store cannot serve watches now, or was closed. Watch again from the last revision
    /// received.
    #[error("the store cannot be watched: {reason}")]
    Unavailable {
        /// What is wrong and what to do.
        reason: String,
    },
}

fn describe(found: Option<Revision>) -> String {
    match found {
        Some(revision) => {
            format!("it exists and was last modified at revision {revision}; read it again")
        }
        None => "it does not exist; read it again".to_owned(),
    }
}

fn at(key: Option<&Key>) -> String {
    key.map(|key| format!(" at `{key}`")).unwrap_or_default()
}
