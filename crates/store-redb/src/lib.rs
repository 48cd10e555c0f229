//! The [`Store`] contract on one machine's disk.
//!
//! All of the state is kept in memory, so that reads touch no disk, and in a redb file, from which
//! it is loaded at the start. One thread writes: it takes all commits that wait, checks them one
//! after the other, makes them durable in a single redb transaction, and only then shows them to
//! readers and watchers and answers. An idle store does nothing.
//!
//! The recent past is kept in memory only: a watch cannot be resumed across a restart, except after
//! the newest revision, and gets `Compacted`.

mod disk;
mod error;
#[cfg(test)]
mod tests;
mod writer;

use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::thread::{self, JoinHandle};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use store::{
    CommitError, Entry, HistoryLimits, Key, Keyspace, MAX_TRANSACTION_BYTES, Page, Query, Revision,
    Span, Store, StoreError, Transaction, Watch, WatchError,
};
use tokio::sync::{Semaphore, mpsc, oneshot};

use crate::disk::{Disk, OpenDatabase};
pub use crate::error::OpenError;
use crate::writer::{MAX_WAITING, Request, Writer};

/// The most bytes of transactions that wait to become durable, in KiB; more commits are held back.
const MAX_WAITING_KIB: usize = 16 * 1024;

/// What can be chosen about a store.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Options {
    /// How much of the past is kept, in memory, for watches and reads at a revision.
    pub history: HistoryLimits,
}

/// A store in a directory of this machine. Dropping it waits for the last transaction and closes it.
#[derive(Debug)]
pub struct RedbStore {
    shared: Arc<Shared>,
    /// `None` once closed.
    requests: Option<mpsc::Sender<Request>>,
    room: Arc<Semaphore>,
    /// `None` once joined.
    thread: Option<JoinHandle<()>>,
}

/// What is durable, as readers see it.
#[derive(Debug)]
struct Shared(RwLock<Keyspace>);

impl Shared {
    fn read(&self) -> RwLockReadGuard<'_, Keyspace> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Keyspace> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RedbStore {
    /// Opens the store in `directory`, which is made (mode 0700) if it does not exist, and loads all
    /// of it. Blocks; call it at the start or on a thread for blocking work. After a crash it repairs
    /// what is unfinished by itself.
    ///
    /// # Errors
    /// [`OpenError`]. Nothing that cannot be read as a store is overwritten.
    pub fn open(directory: &Path, options: Options) -> Result<Self, OpenError> {
        let open: OpenDatabase = Box::new(|builder, file| builder.create_file(file));
        Self::open_with(directory, options, open)
    }

    fn open_with(
        directory: &Path,
        options: Options,
        open: OpenDatabase,
    ) -> Result<Self, OpenError> {
        let (disk, revision, entries) = Disk::open(directory, open)?;
        let keyspace = Keyspace::restore(revision, entries, options.history);
        let shared = Arc::new(Shared(RwLock::new(keyspace)));
        let (requests, waiting) = mpsc::channel(MAX_WAITING);
        let writer = Writer::new(Arc::clone(&shared), disk, waiting);
        let thread = thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || writer.run())
            .map_err(|source| OpenError::Thread { source })?;
        let room = Arc::new(Semaphore::new(MAX_WAITING_KIB));
        Ok(Self { shared, requests: Some(requests), room, thread: Some(thread) })
    }

    async fn submit(&self, transaction: Transaction) -> Result<Revision, CommitError> {
        let stopped = || CommitError::Unavailable {
            reason: "its writer has stopped: restart the program".to_owned(),
        };
        // A transaction above the limit is refused by the writer; here it takes the most room.
        let kib = transaction.size_bytes().min(MAX_TRANSACTION_BYTES).div_ceil(1024);
        let kib = u32::try_from(kib).unwrap_or(u32::MAX).max(1);
        let room = Arc::clone(&self.room).acquire_many_owned(kib).await;
        let room = room.map_err(|_closed| stopped())?;
        let (reply, answer) = oneshot::channel();
        let requests = self.requests.as_ref().ok_or_else(stopped)?;
        let request = Request { transaction, reply, room };
        requests.send(request).await.map_err(|_closed| stopped())?;
        answer.await.unwrap_or_else(|_dropped| {
            let reason = "its writer has stopped: restart the program, then read".to_owned();
            Err(CommitError::OutcomeUnknown { reason })
        })
    }
}

impl Drop for RedbStore {
    fn drop(&mut self) {
        self.requests = None;
        if let Some(thread) = self.thread.take() {
            // A panic of the writer was reported when it happened, and to its callers.
            let _reported = thread.join();
        }
    }
}

impl Store for RedbStore {
    fn get<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Entry>, StoreError>> {
        async move { Ok(self.shared.read().get(key)) }.boxed()
    }

    fn range(&self, query: Query) -> BoxFuture<'_, Result<Page, StoreError>> {
        async move { self.shared.read().range(&query) }.boxed()
    }

    fn commit(&self, transaction: Transaction) -> BoxFuture<'_, Result<Revision, CommitError>> {
        self.submit(transaction).boxed()
    }

    fn watch(&self, span: Span, after: Revision) -> BoxFuture<'_, Result<Watch, WatchError>> {
        async move { self.shared.write().watch(span, after) }.boxed()
    }

    fn revision(&self) -> Revision {
        self.shared.read().revision()
    }
}
