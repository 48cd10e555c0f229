//! The store: where the control plane's state lives. Bytes under keys, revisions, transactions that
//! compare and set, watches. The contract is [`Store`]; it is what etcd gives, with etcd's limits,
//! so that what runs on one backend runs on another.
//!
//! - [`MemoryStore`] keeps it in memory and can be told to fail ([`Faults`]).
//! - [`Keyspace`] is the state of a backend that lives in this process.
//! - `suite` (feature `suite`) is the contract as test cases: run it for every backend.

mod error;
mod faults;
mod key;
mod keyspace;
mod memory;
#[cfg(feature = "suite")]
pub mod suite;
mod transaction;
mod watch;

use std::fmt;

use bytes::Bytes;
use futures_util::future::BoxFuture;

pub use crate::error::{CommitError, Limit, StoreError, WatchError};
pub use crate::faults::{CommitFault, DeliveryFault, FaultScript, Faults, NoFaults, ReadFault};
pub use crate::key::{Key, KeyError, MAX_KEY_BYTES, Span};
pub use crate::keyspace::{HistoryLimits, Keyspace, MAX_WATCHES, Staging};
pub use crate::memory::MemoryStore;
pub use crate::transaction::{
    MAX_OPERATIONS, MAX_TRANSACTION_BYTES, MAX_VALUE_BYTES, Precondition, Transaction, Write,
};
pub use crate::watch::{Batch, Change, WATCH_BUFFER_BATCHES, WATCH_BUFFER_BYTES, Watch, WatchFeed};

/// The most entries of one [`Page`].
pub const MAX_PAGE_ENTRIES: usize = 10_000;

/// A version of the whole store. Every transaction that changes something makes the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Revision(pub u64);

impl Revision {
    /// The revision after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A key and its value. `Debug` shows the value's size only: it may be secret, or long.
#[derive(Clone, PartialEq, Eq)]
pub struct Entry {
    /// The name.
    pub key: Key,
    /// At most [`MAX_VALUE_BYTES`]. Cloning is cheap.
    pub value: Bytes,
    /// The revision that made the entry, anew after a deletion.
    pub created: Revision,
    /// The revision that wrote the value; what [`Precondition::Unchanged`] compares.
    pub modified: Revision,
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, value, created, modified } = self;
        write!(f, "{key}: {} bytes, created {created}, modified {modified}", value.len())
    }
}

/// Which entries to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// Where the keys lie.
    pub span: Span,
    /// At most so many entries; 0 is taken as 1, and more than [`MAX_PAGE_ENTRIES`] as that.
    pub limit: usize,
    /// The state at this revision instead of the newest, so that all pages show one state.
    pub at: Option<Revision>,
}

impl Query {
    /// The first [`MAX_PAGE_ENTRIES`] entries of a span as they are now.
    pub fn new(span: Span) -> Self {
        Self { span, limit: MAX_PAGE_ENTRIES, at: None }
    }

    /// The same with another limit.
    #[must_use]
    pub fn limit(mut self, entries: usize) -> Self {
        self.limit = entries;
        self
    }

    /// The same at a revision.
    #[must_use]
    pub fn at(mut self, revision: Revision) -> Self {
        self.at = Some(revision);
        self
    }

    /// The query for what follows `page`, in the same state; `None` when nothing follows.
    pub fn following(&self, page: &Page) -> Option<Self> {
        let last = page.entries.last().filter(|_| page.more)?;
        let span = self.span.clone().after(&last.key);
        Some(Self { span, limit: self.limit, at: Some(page.revision) })
    }
}

/// Entries in the order of their keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The entries.
    pub entries: Vec<Entry>,
    /// The revision whose state this is. A watch after it misses nothing and repeats nothing.
    pub revision: Revision,
    /// Whether entries follow. Only this tells: a page may be shorter than the limit.
    pub more: bool,
}

/// State that outlives the process, changed by compare-and-set only.
///
/// # Guarantees
/// - **One order.** All commits of all clients have one order, and revisions count it: the
///   transaction that changes something makes exactly the next revision. One that changes nothing (no
///   writes, or deletions of absent keys) succeeds without a new revision.
/// - **All or nothing.** A transaction's writes become visible together, in one revision, or never.
/// - **Durable.** What `commit` has answered survives the death of the process at any moment, and
///   (for backends that promise it) of the machine. Nothing is seen by a read or a watch before it
///   is durable.
/// - **Fresh.** A read that begins after a commit was answered sees it.
/// - **Watches** give every change of their span after the revision they began with, in the order
///   of commits, at least once: a batch may come again, but revisions never go back. Ignore a batch
///   whose revision is not above the last. A watch that cannot keep this ends with an error.
///
/// # Assumptions
/// - Dropping the future of `commit` does not undo it: the transaction may or may not be applied.
/// - Values are opaque. Keep them below [`MAX_VALUE_BYTES`], and the whole small: backends may keep
///   all of it in memory.
///
/// # Errors
/// Sorted by what the caller does next; see [`StoreError`], [`CommitError`], [`WatchError`].
/// Backends do not retry: the caller does, a bounded number of times.
///
/// # Limits
/// [`MAX_KEY_BYTES`], [`MAX_VALUE_BYTES`], [`MAX_OPERATIONS`] and [`MAX_TRANSACTION_BYTES`] a
/// transaction, [`MAX_PAGE_ENTRIES`] a page, [`WATCH_BUFFER_BATCHES`] and [`WATCH_BUFFER_BYTES`] a
/// watcher, [`MAX_WATCHES`] a process. How long changes are known for a watch or a read of the past
/// is the backend's; both must expect `Compacted` and begin anew.
pub trait Store: Send + Sync + fmt::Debug {
    /// The entry of a key; `None` when there is none.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    fn get<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Entry>, StoreError>>;

    /// The entries of a span, in the order of keys.
    ///
    /// # Errors
    /// [`StoreError`]; `Compacted` and `FutureRevision` only with [`Query::at`].
    fn range(&self, query: Query) -> BoxFuture<'_, Result<Page, StoreError>>;

    /// Applies a transaction; durable when it returns. The answer is the transaction's revision, or
    /// the current one when it changed nothing.
    ///
    /// # Errors
    /// [`CommitError`]; nothing was applied, except perhaps with `OutcomeUnknown`.
    fn commit(&self, transaction: Transaction) -> BoxFuture<'_, Result<Revision, CommitError>>;

    /// Everything that changes in `span` after the revision `after`: that of a [`Page`], of a commit
    /// or of the last batch received.
    ///
    /// # Errors
    /// [`WatchError`].
    fn watch(&self, span: Span, after: Revision) -> BoxFuture<'_, Result<Watch, WatchError>>;

    /// The newest revision this process has seen.
    fn revision(&self) -> Revision;
}
