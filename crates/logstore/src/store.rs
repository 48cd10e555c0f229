//! The store: what can be asked of it, and the state behind its lock.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{DirBuilder, File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock};

use base::Clock;

use crate::LogError;
use crate::block::BlockWriter;
use crate::catalog::Catalog;
use crate::codec::Summary;
use crate::wal::Wal;

mod append;
mod checkpoint;
mod groups;
mod read;

pub use append::{APPEND_LIMIT_BYTES, Durability, EventRef, PutOutcome};
pub use checkpoint::SweepReport;
pub use groups::{GroupPage, RETENTION_DAYS, StreamOrder, StreamPage, StreamQuery};
pub use read::{
    Direction, Event, FilterQuery, FilteredEvent, FilteredPage, GetQuery, Page, Place,
    StreamSelection,
};

/// When the store writes, and how much it keeps in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// A stream's waiting events become a block at this many uncompressed bytes.
    pub block_bytes: usize,
    /// A segment that has grown to this many bytes gets no further blocks.
    pub segment_bytes: u64,
    /// A segment holds events of at most about this time span, so that retention can delete it.
    pub segment_span_ms: i64,
    /// A checkpoint follows when the write-ahead log has this many bytes. Its room is set aside
    /// on disk beforehand. While checkpoints fail it may grow to four times that.
    pub wal_bytes: u64,
    /// A checkpoint follows when all waiting events together have this many bytes. While
    /// checkpoints fail they may grow to four times that.
    pub waiting_bytes: usize,
    /// How many decompressed bytes of blocks one read keeps at a time.
    pub read_cache_bytes: usize,
    /// After decompressing this many bytes a call of `filter` answers what it has found.
    pub scan_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            block_bytes: 256 << 10,
            segment_bytes: 16 << 20,
            segment_span_ms: 24 * 60 * 60 * 1000,
            wal_bytes: 32 << 20,
            waiting_bytes: 4 << 20,
            read_cache_bytes: 32 << 20,
            scan_bytes: 64 << 20,
        }
    }
}

/// Log groups, streams and events in a directory. Cheap to clone: clones share everything.
///
/// Calls block, see the crate's documentation. They may come from many threads.
#[derive(Debug, Clone)]
pub struct LogStore {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    directory: PathBuf,
    segments: PathBuf,
    clock: Arc<dyn Clock>,
    limits: Limits,
    state: Mutex<State>,
    /// The tags of groups that have any, once more: for those who may not wait for the disk, as
    /// holders of the state do.
    tags: RwLock<BTreeMap<String, BTreeMap<String, String>>>,
    /// How far the log is durable, and who is making it so.
    synced: Mutex<Synced>,
    synced_changed: Condvar,
    /// Keeps the lock on the directory.
    _lock: File,
}

/// Frames below `below` are durable.
#[derive(Debug)]
struct Synced {
    below: u64,
    in_progress: bool,
}

#[derive(Debug)]
struct State {
    contents: Contents,
    wal: Wal,
    /// Why nothing may be written any more.
    stopped: Option<String>,
    /// The chunk being made and its body; kept so as not to allocate for each append.
    chunk: Vec<u8>,
    body: Vec<u8>,
}

/// What the log's frames change.
struct Contents {
    catalog: Catalog,
    /// Events in the log that are in no segment yet, by stream.
    tails: BTreeMap<u64, Tail>,
    tail_bytes: usize,
    writer: BlockWriter,
    /// Segments written to since the last checkpoint.
    unsynced: BTreeSet<(u64, u32)>,
    segments: PathBuf,
    limits: Limits,
}

impl std::fmt::Debug for Contents {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Contents").field("tail_bytes", &self.tail_bytes).finish_non_exhaustive()
    }
}

/// A stream's events in memory.
#[derive(Debug, Clone)]
struct Tail {
    chunks: Vec<u8>,
    summary: Summary,
}

impl LogStore {
    /// Opens the store in `directory`, which is created if it is not there.
    ///
    /// # Errors
    /// [`LogError::InUse`] when it is open already; [`LogError::Catalog`] when it is damaged;
    /// [`LogError::Io`] when the operating system refuses something.
    pub fn open(directory: &Path, clock: Arc<dyn Clock>) -> Result<Self, LogError> {
        Self::open_with(directory, clock, Limits::default())
    }

    /// [`LogStore::open`] with other limits than the default ones.
    ///
    /// # Errors
    /// As [`LogStore::open`].
    pub fn open_with(
        directory: &Path,
        clock: Arc<dyn Clock>,
        limits: Limits,
    ) -> Result<Self, LogError> {
        let segments = directory.join("segments");
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&segments)
            .map_err(LogError::io("create", &segments))?;
        let lock = lock(directory)?;
        let state = load(directory, &segments, clock.now().as_epoch_ms(), limits)?;
        let below = state.wal.next_number();
        let groups = state.contents.catalog.groups.iter();
        let tags = groups
            .filter(|(_, group)| !group.tags.is_empty())
            .map(|(name, group)| (name.clone(), group.tags.clone()))
            .collect();
        // What was read back must be as durable as what is acknowledged from now on.
        state.wal.file().sync_all().map_err(LogError::io("sync", state.wal.path()))?;
        Ok(Self {
            inner: Arc::new(Inner {
                directory: directory.to_owned(),
                segments,
                clock,
                limits,
                state: Mutex::new(state),
                tags: RwLock::new(tags),
                synced: Mutex::new(Synced { below, in_progress: false }),
                synced_changed: Condvar::new(),
                _lock: lock,
            }),
        })
    }

    /// Nothing in here leaves the state half changed, so that a panic elsewhere does no harm.
    fn state(&self) -> MutexGuard<'_, State> {
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now_ms(&self) -> i64 {
        self.inner.clock.now().as_epoch_ms()
    }
}

fn lock(directory: &Path) -> Result<File, LogError> {
    let path = directory.join("lock");
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(LogError::io("open", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(LogError::InUse(directory.to_owned())),
        Err(std::fs::TryLockError::Error(error)) => Err(LogError::io("lock", &path)(error)),
    }
}

fn wal_path(directory: &Path, number: u64) -> PathBuf {
    directory.join(format!("wal-{number:016x}"))
}

fn load(directory: &Path, segments: &Path, now_ms: i64, limits: Limits) -> Result<State, LogError> {
    let mut catalog = if let Some(catalog) = Catalog::load(directory)? {
        catalog
    } else {
        let catalog = Catalog::default();
        Wal::create(wal_path(directory, 0), 0, limits.wal_bytes)?;
        catalog.prepare(directory)?.commit()?;
        catalog
    };
    checkpoint::cut_back(&mut catalog, segments, now_ms)?;
    checkpoint::remove_strangers(&catalog, directory, segments)?;
    let path = wal_path(directory, catalog.wal);
    let first_frame = catalog.wal_first_frame;
    let mut contents = Contents {
        catalog,
        tails: BTreeMap::new(),
        tail_bytes: 0,
        writer: BlockWriter::new().map_err(LogError::io("compress for", segments))?,
        unsynced: BTreeSet::new(),
        segments: segments.to_owned(),
        limits,
    };
    let wal = Wal::replay(path, first_frame, limits.wal_bytes, |payload| contents.replay(payload))?;
    Ok(State { contents, wal, stopped: None, chunk: Vec::new(), body: Vec::new() })
}

#[cfg(test)]
mod tests;
