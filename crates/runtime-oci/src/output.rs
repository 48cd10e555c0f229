//! Reading a container's output as it comes, without polling.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use log_spool::{Batch, Position, SpoolReader};
use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, WatchDescriptor};
use shim_proto::file;
use tokio::io::unix::AsyncFd;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::RuntimeError;

/// Where the committed position is kept, in the spool.
const POSITION_FILE: &str = "position.json";

/// One inotify instance for all containers: the kernel allows 128 to a user.
#[derive(Debug)]
pub(crate) struct OutputWatch {
    watches: Arc<Watches>,
    forwarder: JoinHandle<()>,
}

#[derive(Debug)]
struct Watches {
    inotify: AsyncFd<Descriptor>,
    readers: Mutex<BTreeMap<WatchDescriptor, Weak<Notify>>>,
}

/// The inotify instance, as tokio wants to have it.
#[derive(Debug)]
struct Descriptor(Inotify);

impl AsRawFd for Descriptor {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

impl OutputWatch {
    /// Begins to watch; must be called inside a tokio runtime.
    pub(crate) fn start() -> io::Result<Arc<Self>> {
        let inotify = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC)?;
        #[expect(unsafe_code, reason = "tokio takes a raw descriptor")]
        // SAFETY: the descriptor lives as long as the value that the registration owns.
        let inotify = unsafe { AsyncFd::register(Descriptor(inotify)) }?;
        let watches = Arc::new(Watches { inotify, readers: Mutex::new(BTreeMap::new()) });
        let forwarded = Arc::clone(&watches);
        let forwarder = tokio::spawn(async move {
            loop {
                forwarded.forward().await;
            }
        });
        Ok(Arc::new(Self { watches, forwarder }))
    }

    fn watch(&self, path: &Path, flags: AddWatchFlags, reader: &Arc<Notify>) -> io::Result<()> {
        let mut readers = self.watches.readers.lock().unwrap_or_else(PoisonError::into_inner);
        let descriptor = self.watches.inotify.get_ref().0.add_watch(path, flags)?;
        readers.insert(descriptor, Arc::downgrade(reader));
        Ok(())
    }
}

impl Drop for OutputWatch {
    fn drop(&mut self) {
        self.forwarder.abort();
    }
}

impl Watches {
    /// Waits for events and wakes those they are for.
    async fn forward(&self) {
        let mut ready = match self.inotify.readable().await {
            Ok(ready) => ready,
            // The runtime is shutting down.
            Err(_) => return std::future::pending().await,
        };
        let events = match ready.get_inner().0.read_events() {
            Ok(events) => events,
            Err(errno) => {
                if errno != Errno::EAGAIN {
                    tracing::error!(%errno, "cannot read inotify events: output may lag");
                }
                return ready.clear_ready();
            }
        };
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        for event in events {
            if event.mask.contains(AddWatchFlags::IN_Q_OVERFLOW) {
                readers.values().filter_map(Weak::upgrade).for_each(|reader| reader.notify_one());
                continue;
            }
            match readers.get(&event.wd).and_then(Weak::upgrade) {
                Some(reader) if !event.mask.contains(AddWatchFlags::IN_IGNORED) => {
                    reader.notify_one();
                }
                _ => {
                    readers.remove(&event.wd);
                    // Fails when the kernel has dropped the watch with its directory.
                    let _ = ready.get_inner().0.rm_watch(event.wd);
                }
            }
        }
    }
}

/// A container's output, read by one reader at a time.
#[derive(Debug)]
pub struct ContainerOutput {
    reader: SpoolReader,
    directory: PathBuf,
    /// Told of every write, and of the container's end.
    changed: Arc<Notify>,
    /// Keeps the events coming.
    _watch: Arc<OutputWatch>,
    ended: bool,
}

impl ContainerOutput {
    pub(crate) fn open(
        watch: &Arc<OutputWatch>,
        directory: &Path,
        position: Option<Position>,
    ) -> Result<Self, RuntimeError> {
        let spool = directory.join(file::SPOOL);
        let changed = Arc::new(Notify::new());
        let failed = |source| RuntimeError::Directory {
            action: "watch the output in",
            path: directory.to_owned(),
            source,
        };
        let written = AddWatchFlags::IN_MODIFY | AddWatchFlags::IN_CREATE;
        watch.watch(&spool, written, &changed).map_err(failed)?;
        watch.watch(directory, AddWatchFlags::IN_MOVED_TO, &changed).map_err(failed)?;
        let position = position.unwrap_or_else(|| kept_position(&spool));
        Ok(Self {
            reader: SpoolReader::open(&spool, position),
            directory: directory.to_owned(),
            changed,
            _watch: Arc::clone(watch),
            ended: false,
        })
    }

    /// The next output, at most about `max_bytes` of it, waiting until there is some. `None`
    /// after the last: the container has ended and all has been read.
    ///
    /// Reads files of the page cache in place, which takes some 10 µs for 64 KiB.
    ///
    /// # Errors
    /// When the spool cannot be read.
    pub async fn next(&mut self, max_bytes: usize) -> Result<Option<Batch<'_>>, RuntimeError> {
        if self.ended {
            return Ok(None);
        }
        loop {
            // Asked before reading: what is written after the answer is not missed.
            let exited = self.directory.join(file::EXIT).symlink_metadata().is_ok();
            if self.reader.advance(max_bytes)? {
                break;
            }
            if exited {
                self.ended = true;
                return Ok(None);
            }
            self.changed.notified().await;
        }
        self.ended = self.reader.batch().ended();
        Ok(Some(self.reader.batch()))
    }

    /// Where the next batch begins.
    pub fn position(&self) -> Position {
        self.reader.position()
    }

    /// Says that everything before `position` is safe elsewhere: frees its space, and a later
    /// reader begins there.
    ///
    /// # Errors
    /// When the position cannot be written or a segment not be deleted.
    pub fn commit(&mut self, position: Position) -> Result<(), RuntimeError> {
        let path = self.directory.join(file::SPOOL).join(POSITION_FILE);
        let unfinished = path.with_extension("new");
        let written = serde_json::to_vec(&position)
            .map_err(io::Error::from)
            .and_then(|text| fs::write(&unfinished, text))
            .and_then(|()| fs::rename(&unfinished, &path));
        written.map_err(|source| RuntimeError::Directory { action: "write", path, source })?;
        Ok(self.reader.commit(position)?)
    }
}

fn kept_position(spool: &Path) -> Position {
    let text = fs::read(spool.join(POSITION_FILE)).unwrap_or_default();
    serde_json::from_slice(&text).unwrap_or_default()
}
