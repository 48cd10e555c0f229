//! The store in memory, for tests and the simulator.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use crate::{
    Batch, CommitError, CommitFault, DeliveryFault, Entry, Faults, HistoryLimits, Key, Keyspace,
    NoFaults, Page, Query, ReadFault, Revision, Span, Staging, Store, StoreError, Transaction,
    Watch, WatchError,
};

const INJECTED: &str = "a fault was injected";

/// Keeps everything in memory, until it is dropped. Its futures are ready at once, and what it does
/// depends on nothing but its calls and its faults.
#[derive(Debug)]
pub struct MemoryStore {
    state: Mutex<State>,
    faults: Arc<dyn Faults>,
}

#[derive(Debug)]
struct State {
    keyspace: Keyspace,
    /// Applied, but not yet handed to the watchers.
    held: VecDeque<Arc<Batch>>,
    /// How many commits the first of `held` still waits for.
    hold_commits: usize,
    /// Whether the faults were asked about the first of `held` already.
    first_asked: bool,
}

impl MemoryStore {
    /// An empty store that obeys `faults`.
    pub fn new(limits: HistoryLimits, faults: Arc<dyn Faults>) -> Self {
        let keyspace = Keyspace::restore(Revision(0), [], limits);
        let state = State { keyspace, held: VecDeque::new(), hold_commits: 0, first_asked: false };
        Self { state: Mutex::new(state), faults }
    }

    /// Forgets all changes up to `revision`, included: watches and reads that would need them get
    /// `Compacted`. Watches that are open go on.
    pub fn compact(&self, revision: Revision) {
        self.state().keyspace.forget(revision);
    }

    /// Hands out the batches that were held back.
    pub fn release_watches(&self) {
        let mut state = self.state();
        state.hold_commits = 0;
        state.deliver(&*self.faults);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read<T>(
        &self,
        read: impl FnOnce(&mut Keyspace) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        match self.faults.read() {
            ReadFault::None => read(&mut self.state().keyspace),
            ReadFault::Unavailable => Err(StoreError::Unavailable { reason: INJECTED.to_owned() }),
        }
    }

    fn commit_now(&self, transaction: Transaction) -> Result<Revision, CommitError> {
        let mut state = self.state();
        let fault = self.faults.commit(&transaction);
        let lost = || Err(CommitError::OutcomeUnknown { reason: INJECTED.to_owned() });
        match fault {
            CommitFault::None => state.commit(transaction, &*self.faults),
            CommitFault::Conflict => match transaction.preconditions.first() {
                None => state.commit(transaction, &*self.faults),
                Some(precondition) => {
                    let key = precondition.key().clone();
                    let found = state.keyspace.get(&key).map(|entry| entry.modified);
                    Err(CommitError::Conflict { key, found })
                }
            },
            CommitFault::Unavailable => {
                Err(CommitError::Unavailable { reason: INJECTED.to_owned() })
            }
            CommitFault::LostResponse => {
                state.commit(transaction, &*self.faults)?;
                lost()
            }
            CommitFault::LostRequest => lost(),
        }
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new(HistoryLimits::default(), Arc::new(NoFaults))
    }
}

impl State {
    fn commit(
        &mut self,
        transaction: Transaction,
        faults: &dyn Faults,
    ) -> Result<Revision, CommitError> {
        let mut staging = Staging::new(&self.keyspace);
        let revision = staging.stage(&self.keyspace, transaction)?;
        self.hold_commits = self.hold_commits.saturating_sub(1);
        self.held.extend(self.keyspace.apply(staging));
        self.deliver(faults);
        Ok(revision)
    }

    fn deliver(&mut self, faults: &dyn Faults) {
        while self.hold_commits == 0 {
            let Some(batch) = self.held.pop_front() else { return };
            if std::mem::take(&mut self.first_asked) {
                self.keyspace.deliver(&batch);
                continue;
            }
            match faults.deliver(&batch) {
                DeliveryFault::None => self.keyspace.deliver(&batch),
                DeliveryFault::Duplicate => {
                    self.keyspace.deliver(&batch);
                    self.keyspace.deliver_again(&batch);
                }
                DeliveryFault::Hold { commits } => {
                    self.hold_commits = commits;
                    self.first_asked = true;
                    self.held.push_front(batch);
                }
                DeliveryFault::Compact => {
                    let oldest = batch.revision;
                    self.keyspace.forget(oldest);
                    self.keyspace.end_watches(|after| WatchError::Compacted { after, oldest });
                }
                DeliveryFault::Lag => self.keyspace.end_watches(|_| WatchError::Lagged),
            }
        }
    }
}

impl Store for MemoryStore {
    fn get<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Entry>, StoreError>> {
        async move { self.read(|keyspace| Ok(keyspace.get(key))) }.boxed()
    }

    fn range(&self, query: Query) -> BoxFuture<'_, Result<Page, StoreError>> {
        async move { self.read(|keyspace| keyspace.range(&query)) }.boxed()
    }

    fn commit(&self, transaction: Transaction) -> BoxFuture<'_, Result<Revision, CommitError>> {
        async move { self.commit_now(transaction) }.boxed()
    }

    fn watch(&self, span: Span, after: Revision) -> BoxFuture<'_, Result<Watch, WatchError>> {
        async move {
            match self.faults.read() {
                ReadFault::None => self.state().keyspace.watch(span, after),
                ReadFault::Unavailable => {
                    Err(WatchError::Unavailable { reason: INJECTED.to_owned() })
                }
            }
        }
        .boxed()
    }

    fn revision(&self) -> Revision {
        self.state().keyspace.revision()
    }
}
