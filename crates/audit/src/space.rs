//! Room on the disk for records that are still to come.

use std::fs::File;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::fs::{FallocateFlags, fallocate, fstatvfs};
use rustix::io::Errno;

use crate::AuditError;

/// The longest line, and so the room for one record.
pub(crate) const MAX_LINE_BYTES: u64 = (256 + 1) * 1024;
/// Room is set aside in steps of this.
const STEP_BYTES: u64 = 4 * 1024 * 1024;
/// Lines of the log's own that must always fit.
const OWN_LINES: u64 = 4;

/// Who has room, and where.
#[derive(Debug)]
pub(crate) struct Space {
    directory: PathBuf,
    max_outstanding: u64,
    room: Mutex<Room>,
}

#[derive(Debug)]
struct Room {
    file: Arc<File>,
    /// Where the file ends.
    end: u64,
    /// Up to where the disk has given blocks.
    allocated: u64,
    outstanding: u64,
    failure: Option<String>,
    is_closed: bool,
}

/// Sets blocks aside for `file` without making it longer.
fn set_aside(file: &File, from: u64, to: u64) -> Result<(), Errno> {
    let bytes = to.saturating_sub(from);
    if bytes == 0 {
        return Ok(());
    }
    match fallocate(file, FallocateFlags::KEEP_SIZE, from, bytes) {
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => {
            // The file system cannot promise: at least there is room now, with a margin.
            let free = fstatvfs(file)?;
            let free_bytes = free.f_bavail.saturating_mul(free.f_frsize);
            if free_bytes < bytes.saturating_mul(4) { Err(Errno::NOSPC) } else { Ok(()) }
        }
        other => other,
    }
}

impl Space {
    pub(crate) fn new(directory: PathBuf, max_outstanding: u64, file: Arc<File>, end: u64) -> Self {
        let room =
            Room { file, end, allocated: end, outstanding: 0, failure: None, is_closed: false };
        Self { directory, max_outstanding, room: Mutex::new(room) }
    }

    fn room(&self) -> MutexGuard<'_, Room> {
        self.room.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Promises room for one more record.
    pub(crate) fn reserve(&self) -> Result<(), AuditError> {
        let mut room = self.room();
        if room.is_closed {
            return Err(AuditError::Closed);
        }
        if let Some(reason) = &room.failure {
            return Err(AuditError::Failed { reason: reason.clone() });
        }
        if room.outstanding >= self.max_outstanding {
            return Err(AuditError::Busy);
        }
        let needed = room.needed(room.outstanding.saturating_add(1));
        if needed > room.allocated {
            let to = needed.saturating_add(STEP_BYTES);
            set_aside(&room.file, room.allocated, to).map_err(|errno| match errno {
                Errno::NOSPC | Errno::DQUOT => {
                    AuditError::Full { directory: self.directory.clone() }
                }
                other => AuditError::io("set aside room in", &self.directory)(other.into()),
            })?;
            room.allocated = to;
        }
        room.outstanding = room.outstanding.saturating_add(1);
        Ok(())
    }

    /// Gives back the room of `count` records, written or not.
    pub(crate) fn release(&self, count: u64) {
        let mut room = self.room();
        room.outstanding = room.outstanding.saturating_sub(count);
    }

    /// The file now ends at `end`, with `count` of the promised records.
    pub(crate) fn written(&self, end: u64, count: u64) {
        let mut room = self.room();
        room.end = end;
        room.outstanding = room.outstanding.saturating_sub(count);
    }

    /// Goes on with another, empty file, if it can have the room that was promised.
    pub(crate) fn roll(&self, file: &Arc<File>) -> Result<(), Errno> {
        let mut room = self.room();
        let needed = MAX_LINE_BYTES.saturating_mul(room.outstanding.saturating_add(OWN_LINES));
        set_aside(file, 0, needed)?;
        room.file = Arc::clone(file);
        (room.end, room.allocated) = (0, needed);
        Ok(())
    }

    /// Promises nothing more, until [`Space::recover`].
    pub(crate) fn fail(&self, reason: &str) {
        self.room().failure.get_or_insert_with(|| reason.to_owned());
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.room().failure.is_some()
    }

    /// Goes on with `file`, which was looked through up to `end`.
    pub(crate) fn recover(&self, file: &Arc<File>, end: u64) {
        let mut room = self.room();
        room.file = Arc::clone(file);
        (room.end, room.allocated) = (end, end);
        room.failure = None;
    }

    /// Promises nothing more, ever.
    pub(crate) fn close(&self) {
        self.room().is_closed = true;
    }
}

impl Room {
    const fn needed(&self, outstanding: u64) -> u64 {
        let lines = outstanding.saturating_add(OWN_LINES);
        self.end.saturating_add(MAX_LINE_BYTES.saturating_mul(lines))
    }
}
