//! The recent past, bounded.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::{Batch, Entry, Key, Revision, Span};

/// How much of the past is kept. Whichever limit is reached first counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HistoryLimits {
    /// The most transactions.
    pub batches: usize,
    /// The most bytes of keys and values, new and replaced ones.
    pub bytes: usize,
}

impl Default for HistoryLimits {
    fn default() -> Self {
        Self { batches: 32_768, bytes: 16 * 1024 * 1024 }
    }
}

/// A transaction's changes and what was there before each of them.
#[derive(Debug, Clone)]
pub(super) struct Record {
    pub(super) batch: Arc<Batch>,
    pub(super) before: Vec<Option<Entry>>,
}

impl Record {
    fn size_bytes(&self) -> usize {
        let replaced = self.before.iter().flatten().map(|entry| entry.value.len());
        let cells = self.before.len().saturating_mul(size_of::<Option<Entry>>());
        replaced.fold(self.batch.size_bytes().saturating_add(cells), usize::saturating_add)
    }
}

/// The records after `forgotten`, without a gap.
pub(super) struct History {
    limits: HistoryLimits,
    records: VecDeque<Record>,
    bytes: usize,
    forgotten: Revision,
}

impl History {
    pub(super) fn new(forgotten: Revision, limits: HistoryLimits) -> Self {
        Self { limits, records: VecDeque::new(), bytes: 0, forgotten }
    }

    /// The oldest revision whose state, and after which all changes, are known.
    pub(super) fn oldest(&self) -> Revision {
        self.forgotten
    }

    pub(super) fn push(&mut self, record: Record) {
        self.bytes = self.bytes.saturating_add(record.size_bytes());
        self.records.push_back(record);
        while self.records.len() > self.limits.batches || self.bytes > self.limits.bytes {
            self.forget_one();
        }
    }

    /// Forgets all changes up to `revision`, included.
    pub(super) fn forget(&mut self, revision: Revision) {
        while self.records.front().is_some_and(|record| record.batch.revision <= revision) {
            self.forget_one();
        }
    }

    fn forget_one(&mut self) {
        if let Some(record) = self.records.pop_front() {
            self.bytes = self.bytes.saturating_sub(record.size_bytes());
            self.forgotten = record.batch.revision;
        }
    }

    /// The batches after a revision, oldest first. The caller has checked that they are known.
    pub(super) fn after(&self, revision: Revision) -> impl Iterator<Item = &Arc<Batch>> {
        let start = self.records.partition_point(|record| record.batch.revision <= revision);
        self.records.range(start..).map(|record| &record.batch)
    }

    /// What was at `revision` under the keys of `span` that changed since.
    pub(super) fn undo(&self, span: &Span, revision: Revision) -> BTreeMap<Key, Option<Entry>> {
        let mut then = BTreeMap::new();
        let newest_first = self.records.iter().rev();
        for record in newest_first.take_while(|record| record.batch.revision > revision) {
            for (change, before) in record.batch.changes.iter().zip(&record.before) {
                if span.contains(change.key()) {
                    then.insert(change.key().clone(), before.clone());
                }
            }
        }
        then
    }
}
