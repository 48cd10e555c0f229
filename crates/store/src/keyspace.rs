//! The state of a backend that lives in this process: entries, recent history, watchers. No I/O.

mod history;

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

pub use self::history::HistoryLimits;
use self::history::{History, Record};
use crate::{
    Batch, Change, CommitError, Entry, Key, MAX_PAGE_ENTRIES, Page, Query, Revision, Span,
    StoreError, Transaction, Watch, WatchError, WatchFeed, Write,
};

/// The most watches at once.
pub const MAX_WATCHES: usize = 4_096;

/// All entries, the recent past, and who watches.
///
/// A backend stages transactions ([`Staging`]), makes them durable, then applies and delivers them:
/// readers and watchers never see what is not durable.
pub struct Keyspace {
    revision: Revision,
    entries: BTreeMap<Key, Entry>,
    history: History,
    watchers: Vec<Watcher>,
}

struct Watcher {
    span: Span,
    /// Batches up to here are delivered already.
    seen: Revision,
    feed: WatchFeed,
}

impl Keyspace {
    /// A keyspace in the state of `revision`, without a past.
    pub fn restore(
        revision: Revision,
        entries: impl IntoIterator<Item = Entry>,
        limits: HistoryLimits,
    ) -> Self {
        let entries = entries.into_iter().map(|entry| (entry.key.clone(), entry)).collect();
        let history = History::new(revision, limits);
        Self { revision, entries, history, watchers: Vec::new() }
    }

    /// The newest revision applied.
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// As [`crate::Store::get`].
    pub fn get(&self, key: &Key) -> Option<Entry> {
        self.entries.get(key).cloned()
    }

    /// As [`crate::Store::range`].
    ///
    /// # Errors
    /// [`StoreError::Compacted`] and [`StoreError::FutureRevision`].
    pub fn range(&self, query: &Query) -> Result<Page, StoreError> {
        let revision = query.at.unwrap_or(self.revision);
        let oldest = self.history.oldest();
        if revision > self.revision {
            return Err(StoreError::FutureRevision { asked: revision, current: self.revision });
        }
        if revision < oldest {
            return Err(StoreError::Compacted { asked: revision, oldest });
        }
        let limit = query.limit.clamp(1, MAX_PAGE_ENTRIES);
        let undo = self.history.undo(&query.span, revision);
        let mut entries = self.merged(&query.span, &undo, limit.saturating_add(1));
        let more = entries.len() > limit;
        entries.truncate(limit);
        Ok(Page { entries, revision, more })
    }

    /// The entries of `span`, where `undo` has the last word, at most `limit`.
    fn merged(&self, span: &Span, undo: &BTreeMap<Key, Option<Entry>>, limit: usize) -> Vec<Entry> {
        let Some(bounds) = span.bounds() else { return Vec::new() };
        let now = self.entries.range::<[u8], _>(bounds).map(|(_, entry)| entry);
        if undo.is_empty() {
            return now.take(limit).cloned().collect();
        }
        let mut kept = now.filter(|entry| !undo.contains_key(&entry.key)).peekable();
        let mut past = undo.values().flatten().peekable();
        let either = std::iter::from_fn(|| match (kept.peek(), past.peek()) {
            (Some(left), Some(right)) if left.key < right.key => kept.next(),
            (_, Some(_)) => past.next(),
            (_, None) => kept.next(),
        });
        either.take(limit).cloned().collect()
    }

    /// As [`crate::Store::watch`].
    ///
    /// # Errors
    /// [`WatchError`].
    pub fn watch(&mut self, span: Span, after: Revision) -> Result<Watch, WatchError> {
        let oldest = self.history.oldest();
        if after > self.revision {
            return Err(WatchError::FutureRevision { after, current: self.revision });
        }
        if after < oldest {
            return Err(WatchError::Compacted { after, oldest });
        }
        self.watchers.retain(|watcher| !watcher.feed.is_closed());
        if self.watchers.len() >= MAX_WATCHES {
            let reason = format!("{MAX_WATCHES} watches are open already: drop some");
            return Err(WatchError::Unavailable { reason });
        }
        let backlog: VecDeque<_> =
            self.history.after(after).filter_map(|batch| within(batch, &span)).collect();
        let (feed, watch) = Watch::channel(backlog);
        self.watchers.push(Watcher { span, seen: self.revision, feed });
        Ok(watch)
    }

    /// Takes over what was staged; gives the batches to [`Keyspace::deliver`], in order.
    pub fn apply(&mut self, staging: Staging) -> Vec<Arc<Batch>> {
        for (key, entry) in staging.overlay {
            match entry {
                Some(entry) => self.entries.insert(key, entry),
                None => self.entries.remove(&key),
            };
        }
        self.revision = staging.revision;
        let batches = staging.records.iter().map(|record| Arc::clone(&record.batch)).collect();
        for record in staging.records {
            self.history.push(record);
        }
        batches
    }

    /// Hands a batch to the watchers who have not seen it. One who cannot take it is dropped.
    pub fn deliver(&mut self, batch: &Arc<Batch>) {
        self.watchers.retain_mut(|watcher| {
            if batch.revision <= watcher.seen {
                return true;
            }
            watcher.seen = batch.revision;
            within(batch, &watcher.span).is_none_or(|batch| watcher.feed.send(batch))
        });
    }

    /// Hands a batch to all watchers, even if they have just seen it.
    pub(crate) fn deliver_again(&mut self, batch: &Arc<Batch>) {
        self.watchers.retain(|watcher| {
            let due = watcher.seen == batch.revision;
            !due || within(batch, &watcher.span).is_none_or(|batch| watcher.feed.send(batch))
        });
    }

    /// Forgets all changes up to `revision`, included.
    pub(crate) fn forget(&mut self, revision: Revision) {
        self.history.forget(revision);
    }

    /// Ends all watches, each with a reason that may name the last revision handed to it.
    pub(crate) fn end_watches(&mut self, reason: impl Fn(Revision) -> WatchError) {
        for watcher in self.watchers.drain(..) {
            watcher.feed.end(reason(watcher.seen));
        }
    }
}

impl fmt::Debug for Keyspace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyspace")
            .field("revision", &self.revision)
            .field("entries", &self.entries.len())
            .field("oldest", &self.history.oldest())
            .field("watchers", &self.watchers.len())
            .finish()
    }
}

/// The part of a batch that lies in a span.
fn within(batch: &Arc<Batch>, span: &Span) -> Option<Arc<Batch>> {
    let inside = batch.changes.iter().filter(|change| span.contains(change.key())).count();
    if inside == 0 {
        return None;
    }
    if inside == batch.changes.len() {
        return Some(Arc::clone(batch));
    }
    let changes = batch.changes.iter().filter(|change| span.contains(change.key()));
    Some(Arc::new(Batch { revision: batch.revision, changes: changes.cloned().collect() }))
}

/// Transactions that passed their preconditions, on top of a keyspace, not yet applied to it.
///
/// All calls until [`Keyspace::apply`] must be given the keyspace it began with, unchanged.
#[derive(Debug)]
pub struct Staging {
    revision: Revision,
    overlay: BTreeMap<Key, Option<Entry>>,
    records: Vec<Record>,
}

impl Staging {
    /// Nothing staged yet.
    pub fn new(base: &Keyspace) -> Self {
        Self { revision: base.revision, overlay: BTreeMap::new(), records: Vec::new() }
    }

    /// The revision after everything staged.
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// Whether nothing would change.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The entries after everything staged, in the order of keys; `None` where one is removed.
    pub fn changes(&self) -> impl Iterator<Item = (&Key, Option<&Entry>)> {
        self.overlay.iter().map(|(key, entry)| (key, entry.as_ref()))
    }

    /// Checks a transaction against the keyspace and what is staged, and stages it. The answer is
    /// the one `commit` gives once this is durable.
    ///
    /// # Errors
    /// [`CommitError::TooLarge`], [`CommitError::DuplicateKey`], [`CommitError::Conflict`].
    pub fn stage(
        &mut self,
        base: &Keyspace,
        transaction: Transaction,
    ) -> Result<Revision, CommitError> {
        transaction.validate()?;
        for precondition in &transaction.preconditions {
            let key = precondition.key();
            let found = self.find(base, key).map(|entry| entry.modified);
            if !precondition.holds(found) {
                return Err(CommitError::Conflict { key: key.clone(), found });
            }
        }
        let mut writes = transaction.writes;
        writes.sort_unstable_by(|left, right| left.key().cmp(right.key()));
        let revision = self.revision.next();
        let mut changes = Vec::with_capacity(writes.len());
        let mut before = Vec::with_capacity(writes.len());
        for write in writes {
            let old = self.find(base, write.key()).cloned();
            let change = match write {
                Write::Put(key, value) => {
                    let created = old.as_ref().map_or(revision, |old| old.created);
                    // An own copy: the caller's may be a small part of a large buffer.
                    let value = Bytes::copy_from_slice(&value);
                    Change::Put(Entry { key, value, created, modified: revision })
                }
                Write::Delete(_) if old.is_none() => continue,
                Write::Delete(key) => Change::Deleted(key),
            };
            changes.push(change);
            before.push(old);
        }
        if changes.is_empty() {
            return Ok(self.revision);
        }
        for change in &changes {
            let (key, entry) = match change {
                Change::Put(entry) => (&entry.key, Some(entry.clone())),
                Change::Deleted(key) => (key, None),
            };
            self.overlay.insert(key.clone(), entry);
        }
        self.records.push(Record { batch: Arc::new(Batch { revision, changes }), before });
        self.revision = revision;
        Ok(revision)
    }

    fn find<'a>(&'a self, base: &'a Keyspace, key: &Key) -> Option<&'a Entry> {
        match self.overlay.get(key) {
            Some(staged) => staged.as_ref(),
            None => base.entries.get(key),
        }
    }
}
