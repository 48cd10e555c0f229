//! Batches of changes, and the bounded channel that brings them to a watcher.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use tokio::sync::mpsc;

use crate::{Entry, Key, Revision, WatchError};

/// The most batches that wait for one watcher.
pub const WATCH_BUFFER_BATCHES: usize = 8_192;
/// The most bytes of batches that wait for one watcher, beside those it began with.
pub const WATCH_BUFFER_BYTES: usize = 16 * 1024 * 1024;

/// What happened to one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// The entry was created or its value replaced; this is the entry now.
    Put(Entry),
    /// The entry was removed.
    Deleted(Key),
}

impl Change {
    /// The key that changed.
    pub fn key(&self) -> &Key {
        match self {
            Self::Put(entry) => &entry.key,
            Self::Deleted(key) => key,
        }
    }

    pub(crate) fn size_bytes(&self) -> usize {
        let value = match self {
            Self::Put(entry) => entry.value.len(),
            Self::Deleted(_) => 0,
        };
        self.key().as_str().len().saturating_add(value).saturating_add(size_of::<Self>())
    }
}

/// What one transaction changed in the span that is watched. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// The transaction's revision.
    pub revision: Revision,
    /// One change a key, ordered by key.
    pub changes: Vec<Change>,
}

impl Batch {
    /// What it takes in memory, roughly.
    pub(crate) fn size_bytes(&self) -> usize {
        self.changes.iter().map(Change::size_bytes).fold(size_of::<Self>(), usize::saturating_add)
    }
}

/// What watcher and feeder share.
#[derive(Debug, Default)]
struct Channel {
    waiting_bytes: AtomicUsize,
    end: OnceLock<WatchError>,
}

/// A stream of batches; dropping it ends the watch.
#[derive(Debug)]
pub struct Watch {
    backlog: VecDeque<Arc<Batch>>,
    live: mpsc::Receiver<Arc<Batch>>,
    channel: Arc<Channel>,
}

impl Watch {
    /// A watch that first gives `backlog`, then what is fed. For backends.
    pub fn channel(backlog: VecDeque<Arc<Batch>>) -> (WatchFeed, Self) {
        let (sender, live) = mpsc::channel(WATCH_BUFFER_BATCHES);
        let channel = Arc::new(Channel::default());
        (WatchFeed { sender, channel: Arc::clone(&channel) }, Self { backlog, live, channel })
    }

    /// Waits for the next batch. Cancel safe: a batch is not lost when the future is dropped.
    ///
    /// # Errors
    /// [`WatchError`] when the watch has ended; all further calls give the same.
    pub async fn next(&mut self) -> Result<Arc<Batch>, WatchError> {
        if let Some(batch) = self.backlog.pop_front() {
            return Ok(batch);
        }
        match self.live.recv().await {
            Some(batch) => {
                self.channel.waiting_bytes.fetch_sub(batch.size_bytes(), Ordering::Relaxed);
                Ok(batch)
            }
            None => Err(self.channel.end.get().cloned().unwrap_or_else(|| {
                WatchError::Unavailable { reason: "the store was closed".to_owned() }
            })),
        }
    }
}

/// The other end of a [`Watch`]; dropping it ends the watch. For backends.
#[derive(Debug)]
pub struct WatchFeed {
    sender: mpsc::Sender<Arc<Batch>>,
    channel: Arc<Channel>,
}

impl WatchFeed {
    /// Queues a batch without waiting. `false` when the watch is over, because its reader has gone
    /// or its buffer is full; the reader then gets what is queued and after it
    /// [`WatchError::Lagged`]. Drop the feed.
    #[must_use]
    pub fn send(&self, batch: Arc<Batch>) -> bool {
        let bytes = batch.size_bytes();
        let waiting = self.channel.waiting_bytes.fetch_add(bytes, Ordering::Relaxed);
        let fits = waiting == 0 || waiting.saturating_add(bytes) <= WATCH_BUFFER_BYTES;
        if fits && self.sender.try_send(batch).is_ok() {
            return true;
        }
        // Ignored when the feed was ended before: the first reason stands.
        let _first = self.channel.end.set(WatchError::Lagged);
        false
    }

    /// Ends the watch with a reason, after what is queued.
    pub fn end(self, reason: WatchError) {
        // The feed is consumed here, so no other reason can have been set by it.
        let _first = self.channel.end.set(reason);
    }

    /// Whether the reader has gone.
    pub fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }
}
