//! What a commit is asked to do, and how much of it at once.

use std::collections::BTreeSet;
use std::fmt;

use bytes::Bytes;

use crate::{CommitError, Key, Limit, Revision};

/// The most preconditions and writes of one transaction together (etcd's `max-txn-ops`).
pub const MAX_OPERATIONS: usize = 128;
/// The largest transaction, in bytes as [`Transaction::size_bytes`] counts them (etcd's
/// `max-request-bytes`).
pub const MAX_TRANSACTION_BYTES: usize = 1_572_864;
/// The largest value, in bytes.
pub const MAX_VALUE_BYTES: usize = 100_000;

/// What an operation costs beside its key and value when it travels to another process.
const OPERATION_OVERHEAD_BYTES: usize = 64;

/// What must be true for a transaction to be applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Precondition {
    /// No entry has this key.
    Absent(Key),
    /// The entry of this key exists and was last modified at this revision.
    Unchanged(Key, Revision),
    /// An entry has this key.
    Present(Key),
}

impl Precondition {
    /// The key it is about.
    pub fn key(&self) -> &Key {
        match self {
            Self::Absent(key) | Self::Unchanged(key, _) | Self::Present(key) => key,
        }
    }

    /// Whether it holds for an entry last modified at `found`, or absent.
    pub fn holds(&self, found: Option<Revision>) -> bool {
        match self {
            Self::Absent(_) => found.is_none(),
            Self::Unchanged(_, modified) => found == Some(*modified),
            Self::Present(_) => found.is_some(),
        }
    }
}

/// One change. `Debug` shows a value's size only: it may be secret, or long.
#[derive(Clone, PartialEq, Eq)]
pub enum Write {
    /// Creates the entry or replaces its value.
    Put(Key, Bytes),
    /// Removes the entry; nothing happens when there is none.
    Delete(Key),
}

impl Write {
    /// The key it changes.
    pub fn key(&self) -> &Key {
        match self {
            Self::Put(key, _) | Self::Delete(key) => key,
        }
    }
}

impl fmt::Debug for Write {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Put(key, value) => write!(f, "Put({key}, {} bytes)", value.len()),
            Self::Delete(key) => write!(f, "Delete({key})"),
        }
    }
}

/// Writes that are applied all together, if all preconditions hold, or not at all.
///
/// Preconditions look at the state before the writes. A key may be written once only.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Transaction {
    /// All of them must hold.
    pub preconditions: Vec<Precondition>,
    /// Applied in one revision.
    pub writes: Vec<Write>,
}

impl Transaction {
    /// A transaction without preconditions and writes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds [`Precondition::Absent`].
    #[must_use]
    pub fn absent(mut self, key: Key) -> Self {
        self.preconditions.push(Precondition::Absent(key));
        self
    }

    /// Adds [`Precondition::Unchanged`]; `modified` is [`crate::Entry::modified`] as it was read.
    #[must_use]
    pub fn unchanged(mut self, key: Key, modified: Revision) -> Self {
        self.preconditions.push(Precondition::Unchanged(key, modified));
        self
    }

    /// Adds [`Precondition::Present`].
    #[must_use]
    pub fn present(mut self, key: Key) -> Self {
        self.preconditions.push(Precondition::Present(key));
        self
    }

    /// Adds [`Write::Put`].
    #[must_use]
    pub fn put(mut self, key: Key, value: impl Into<Bytes>) -> Self {
        self.writes.push(Write::Put(key, value.into()));
        self
    }

    /// Adds [`Write::Delete`].
    #[must_use]
    pub fn delete(mut self, key: Key) -> Self {
        self.writes.push(Write::Delete(key));
        self
    }

    /// The size that counts against [`MAX_TRANSACTION_BYTES`]: keys and values, a precondition's
    /// key twice (it is compared, and read again to name the conflict), and 64 bytes an operation.
    pub fn size_bytes(&self) -> usize {
        let compared = self.preconditions.iter().map(|one| 2 * one.key().as_str().len());
        let written = self.writes.iter().map(|write| match write {
            Write::Put(key, value) => key.as_str().len().saturating_add(value.len()),
            Write::Delete(key) => key.as_str().len(),
        });
        compared.chain(written).fold(0, |sum: usize, bytes| {
            sum.saturating_add(bytes).saturating_add(OPERATION_OVERHEAD_BYTES)
        })
    }

    /// Checks all that can be checked without looking at the state. Every backend calls it first.
    ///
    /// # Errors
    /// [`CommitError::TooLarge`] and [`CommitError::DuplicateKey`].
    pub fn validate(&self) -> Result<(), CommitError> {
        let check = |limit: Limit, actual: usize, key: Option<&Key>| {
            if actual > limit.max() {
                return Err(CommitError::TooLarge { limit, actual, key: key.cloned() });
            }
            Ok(())
        };
        check(Limit::Operations, self.preconditions.len().saturating_add(self.writes.len()), None)?;
        let mut written = BTreeSet::new();
        for write in &self.writes {
            if let Write::Put(key, value) = write {
                check(Limit::ValueBytes, value.len(), Some(key))?;
            }
            if !written.insert(write.key()) {
                return Err(CommitError::DuplicateKey { key: write.key().clone() });
            }
        }
        check(Limit::TransactionBytes, self.size_bytes(), None)
    }
}
