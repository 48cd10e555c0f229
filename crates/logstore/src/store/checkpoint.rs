//! Moving events from memory to segments, checkpoints, and deleting what has expired.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::PoisonError;

use super::append::expiry_ms;
use super::{Contents, LogStore, State, wal_path};
use crate::LogError;
use crate::catalog::{Catalog, Segment, segment_path, sync_directory};
use crate::wal::Wal;

/// With more files than this to sync, syncing the whole file system takes less time.
const FILES_SYNCED_ONE_BY_ONE: usize = 32;

/// What [`LogStore::sweep`] deleted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SweepReport {
    /// How many segment files.
    pub segments: u64,
    /// How many bytes on disk they had together.
    pub disk_bytes: u64,
    /// How many events they held.
    pub events: u64,
}

impl LogStore {
    /// Deletes the segments whose events have all expired as of the clock's now. Needs no room on
    /// disk. Events that expire are not read any more even before they are swept.
    pub fn sweep(&self) -> SweepReport {
        let now_ms = self.now_ms();
        let mut report = SweepReport::default();
        let mut state = self.state();
        let contents = &mut state.contents;
        let mut expired = Vec::new();
        for (id, stream) in &mut contents.catalog.streams {
            let group = contents.catalog.groups.get(&stream.group);
            let expiry = expiry_ms(now_ms, group.and_then(|group| group.retention_days));
            let Some(expiry_ms) = expiry else {
                continue;
            };
            stream.segments.retain(|segment| {
                let kept = segment.last_ms >= expiry_ms;
                if !kept {
                    report.segments += 1;
                    report.disk_bytes += segment.length_bytes;
                    report.events += segment.events;
                    expired.push((*id, segment.number));
                }
                kept
            });
        }
        for (id, number) in expired {
            contents.unsynced.remove(&(id, number));
            contents.remove_segment(id, number);
        }
        report
    }

    /// Writes all waiting events to segments and starts a new write-ahead log, so that the next
    /// open has nothing to do. Worth calling before a planned end.
    ///
    /// # Errors
    /// [`LogError::Io`]; nothing is lost, the log goes on being used. [`LogError::Stopped`].
    pub fn checkpoint(&self) -> Result<(), LogError> {
        let mut state = self.state();
        if let Some(reason) = &state.stopped {
            return Err(LogError::Stopped(reason.clone()));
        }
        self.checkpoint_locked(&mut state)
    }

    pub(super) fn checkpoint_locked(&self, state: &mut State) -> Result<(), LogError> {
        let directory = &self.inner.directory;
        let State { contents, wal, stopped, .. } = state;
        contents.flush_all()?;
        crash_point::crash_point!("logstore.blocks.written");
        contents.sync_segments()?;
        crash_point::crash_point!("logstore.segments.synced");
        let next_number = wal.next_number();
        let (old_wal, old_first_frame) = (contents.catalog.wal, contents.catalog.wal_first_frame);
        let path = wal_path(directory, old_wal + 1);
        let new_wal = Wal::create(path, next_number, self.inner.limits.wal_bytes)?;
        crash_point::crash_point!("logstore.log.begun");
        contents.catalog.wal = old_wal + 1;
        contents.catalog.wal_first_frame = next_number;
        let prepared = match contents.catalog.prepare(directory) {
            Ok(prepared) => prepared,
            Err(error) => {
                contents.catalog.wal = old_wal;
                contents.catalog.wal_first_frame = old_first_frame;
                discard(new_wal.path());
                return Err(error);
            }
        };
        if let Err(error) = prepared.commit() {
            // Nobody knows which of the two logs will be read.
            *stopped = Some(error.to_string());
            return Err(error);
        }
        crash_point::crash_point!("logstore.catalog.replaced");
        discard(wal.path());
        *wal = new_wal;
        let mut synced = self.inner.synced.lock().unwrap_or_else(PoisonError::into_inner);
        synced.below = synced.below.max(next_number);
        self.inner.synced_changed.notify_all();
        Ok(())
    }
}

impl Contents {
    fn flush_all(&mut self) -> Result<(), LogError> {
        let waiting: Vec<u64> = self.tails.keys().copied().collect();
        for id in waiting {
            self.flush(id)?;
        }
        Ok(())
    }

    /// Writes a stream's waiting events as one block. After an error they are still waiting.
    pub(super) fn flush(&mut self, id: u64) -> Result<(), LogError> {
        let Some((tail, stream)) = self.tails.get(&id).zip(self.catalog.streams.get_mut(&id))
        else {
            return Ok(());
        };
        let block = self
            .writer
            .encode(id, stream.next_sequence, tail.summary, &tail.chunks)
            .map_err(LogError::io("compress for", &self.segments))?;
        let limits = self.limits;
        let fits = |segment: &&mut Segment| {
            let first_ms = segment.first_ms.min(tail.summary.first_ms);
            let last_ms = segment.last_ms.max(tail.summary.last_ms);
            segment.length_bytes < limits.segment_bytes
                && last_ms.saturating_sub(first_ms) <= limits.segment_span_ms
        };
        let mut fresh = Segment::new(stream.next_segment, &tail.summary);
        let existing = stream.segments.last_mut().filter(fits);
        let is_fresh = existing.is_none();
        let segment = existing.unwrap_or(&mut fresh);
        let path = segment_path(&self.segments, id, segment.number);
        let file = OpenOptions::new()
            .write(true)
            .create(is_fresh)
            .truncate(is_fresh)
            .mode(0o600)
            .open(&path)
            .map_err(LogError::io("open", &path))?;
        file.write_all_at(&block, segment.length_bytes)
            .map_err(LogError::io("append to", &path))?;
        segment.add(&tail.summary, block.len() as u64);
        self.unsynced.insert((id, segment.number));
        stream.next_sequence += u64::from(tail.summary.count);
        if is_fresh {
            stream.next_segment += 1;
            stream.segments.push(fresh);
        }
        if let Some(tail) = self.tails.remove(&id) {
            self.tail_bytes -= tail.chunks.len();
        }
        Ok(())
    }

    fn sync_segments(&mut self) -> Result<(), LogError> {
        if self.unsynced.len() > FILES_SYNCED_ONE_BY_ONE {
            let directory = File::open(&self.segments);
            let directory = directory.map_err(LogError::io("open", &self.segments))?;
            rustix::fs::syncfs(directory)
                .map_err(Into::into)
                .map_err(LogError::io("sync the file system of", &self.segments))?;
        } else if !self.unsynced.is_empty() {
            for (id, number) in &self.unsynced {
                let path = segment_path(&self.segments, *id, *number);
                let synced = File::open(&path).and_then(|file| file.sync_data());
                synced.map_err(LogError::io("sync", &path))?;
            }
            sync_directory(&self.segments)?;
        }
        self.unsynced.clear();
        Ok(())
    }

    /// Deletes a segment's file; one that stays behind is deleted at the next open.
    pub(super) fn remove_segment(&self, id: u64, number: u32) {
        discard(&segment_path(&self.segments, id, number));
    }
}

fn discard(path: &Path) {
    match std::fs::remove_file(path) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => {
            let path = path.display();
            tracing::warn!(%path, %error, "the log store could not delete a file");
        }
    }
}

/// Cuts each segment to what the catalog knows of it: what follows is in the log too. Forgets the
/// segments that are gone.
pub(super) fn cut_back(
    catalog: &mut Catalog,
    segments: &Path,
    now_ms: i64,
) -> Result<(), LogError> {
    for (id, stream) in &mut catalog.streams {
        let group = catalog.groups.get(&stream.group);
        let expiry = expiry_ms(now_ms, group.and_then(|group| group.retention_days));
        let mut there = Vec::with_capacity(stream.segments.len());
        for segment in stream.segments.drain(..) {
            if cut_segment(&segment_path(segments, *id, segment.number), &segment)? {
                there.push(segment);
            } else if expiry.is_none_or(|expiry_ms| segment.last_ms >= expiry_ms) {
                let path = segment_path(segments, *id, segment.number);
                let path = path.display();
                tracing::error!(%path, "a log segment is gone, its events are missing");
            }
        }
        stream.segments = there;
    }
    Ok(())
}

/// Whether the segment is there at all.
fn cut_segment(path: &Path, segment: &Segment) -> Result<bool, LogError> {
    let length_bytes = match std::fs::metadata(path) {
        Ok(metadata) => metadata.len(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(LogError::io("read", path)(error)),
    };
    if length_bytes > segment.length_bytes {
        let file = OpenOptions::new().write(true).open(path);
        file.and_then(|file| file.set_len(segment.length_bytes))
            .map_err(LogError::io("truncate", path))?;
    } else if length_bytes < segment.length_bytes {
        let path = path.display();
        tracing::error!(%path, "a log segment is shorter than it was, events are missing");
    }
    Ok(true)
}

/// Deletes what no catalog names: left over from what was going on at a crash.
pub(super) fn remove_strangers(
    catalog: &Catalog,
    directory: &Path,
    segments: &Path,
) -> Result<(), LogError> {
    let known = |name: &str| {
        let (id, number) = name.split_once('-')?;
        let id = u64::from_str_radix(id, 16).ok()?;
        let number = u32::from_str_radix(number, 16).ok()?;
        let stream = catalog.streams.get(&id)?;
        stream.segments.iter().find(|segment| segment.number == number)
    };
    for entry in std::fs::read_dir(segments).map_err(LogError::io("list", segments))? {
        let entry = entry.map_err(LogError::io("list", segments))?;
        if entry.file_name().to_str().and_then(known).is_none() {
            discard(&entry.path());
        }
    }
    let current = wal_path(directory, catalog.wal);
    for entry in std::fs::read_dir(directory).map_err(LogError::io("list", directory))? {
        let entry = entry.map_err(LogError::io("list", directory))?;
        let is_log = entry.file_name().to_str().is_some_and(|name| name.starts_with("wal-"));
        if is_log && entry.path() != current {
            discard(&entry.path());
        }
    }
    Ok(())
}
