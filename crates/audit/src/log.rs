//! The log itself.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

use base::{AccountId, Clock, IdSource, Timestamp};
use futures_util::future::BoxFuture;
use identity::{ActionUse, LastUse, Usage};
use tokio::sync::oneshot;

use crate::catalog::Catalog;
use crate::chain::Link;
use crate::key::PublicKey;
use crate::lookup::{self, Page, Query};
use crate::segment::{Read1, Segment};
use crate::space::Space;
use crate::usage::{self, Use};
use crate::writer::{self, Append, House, Job, Order, Shared};
use crate::{AuditError, open};

/// The limits of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// How long records are kept, in days, at least 1. Default 365.
    pub retention_days: u32,
    /// At about this length, in bytes, a segment is closed. Default 16 MiB.
    pub segment_bytes: u64,
    /// Records on their way at the same time. Default 1,024.
    pub max_outstanding: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self { retention_days: 365, segment_bytes: 16 << 20, max_outstanding: 1024 }
    }
}

/// When a record is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Written: it survives the end of this program, not that of the machine.
    Written,
    /// On disk.
    Synced,
}

/// A record that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its number.
    pub sequence: u64,
    /// When the event happened.
    pub time: Timestamp,
    /// The line: a JSON object.
    pub text: String,
}

/// An audit log. Clones are handles of the same one.
#[derive(Debug, Clone)]
pub struct AuditLog {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    shared: Arc<Shared>,
    jobs: Sender<Job>,
    house: Sender<Order>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.close();
    }
}

impl Inner {
    fn close(&self) {
        self.shared.space.close();
        let (done, closed) = channel();
        if self.jobs.send(Job::Close(done)).is_ok() {
            // The writer may have ended already.
            let _closed = closed.recv();
        }
        // As may have the housekeeper.
        let _ended = self.house.send(Order::End);
    }
}

/// Room for one record. Dropping it gives the room back.
#[derive(Debug)]
#[must_use]
pub struct Reservation {
    inner: Arc<Inner>,
    is_used: bool,
}

impl AuditLog {
    /// Opens the log in `directory`, which is made, mode 0700, if it is missing. A torn end, which
    /// nobody was told is there, is cut off, and that is recorded. Blocks for as long as it takes to
    /// read one segment.
    ///
    /// # Errors
    /// [`AuditError`]: a file cannot be used, the key is missing, or what was sealed is not there.
    pub fn open(
        directory: &Path,
        config: Config,
        clock: Arc<dyn Clock>,
        ids: &dyn IdSource,
    ) -> Result<Self, AuditError> {
        if config.retention_days == 0 {
            return Err(AuditError::Retention { days: config.retention_days });
        }
        let key = open::key(directory, ids)?;
        let opened = open::open(directory, &key, clock.now().as_epoch_ms())?;
        let catalog = Catalog::new(opened.closed, &opened.active);
        let (segments, last) = catalog.all();
        let active = opened.active;
        let directory = directory.to_owned();
        let space = Space::new(
            directory.clone(),
            config.max_outstanding,
            Arc::clone(&active.file),
            active.end,
        );
        let usage = Mutex::default();
        let head_is_behind = AtomicBool::new(false);
        let shared =
            Shared { directory, config, clock, key, space, catalog, usage, head_is_behind };
        let shared = Arc::new(shared);
        let failed = |source| AuditError::io("start the threads of", &shared.directory)(source);
        let (house, orders) = channel();
        House::start(Arc::clone(&shared), orders).map_err(failed)?;
        let jobs = writer::start(&shared, active, house.clone()).map_err(failed)?;
        usage::start(Arc::clone(&shared), segments, last).map_err(failed)?;
        Ok(Self { inner: Arc::new(Inner { shared, jobs, house }) })
    }

    /// What its signatures are verified with.
    pub fn public_key(&self) -> PublicKey {
        self.inner.shared.key.public
    }

    /// Where it is.
    pub fn directory(&self) -> PathBuf {
        self.inner.shared.directory.clone()
    }

    /// Sets aside room for one record.
    ///
    /// # Errors
    /// [`AuditError::Full`], [`AuditError::Busy`], [`AuditError::Failed`], [`AuditError::Closed`]: what
    /// was to be recorded must not happen.
    pub fn reserve(&self) -> Result<Reservation, AuditError> {
        self.inner.shared.space.reserve()?;
        Ok(Reservation { inner: Arc::clone(&self.inner), is_used: false })
    }

    /// The records behind number `after`, in order, up to about `max_bytes` of them. Blocks.
    ///
    /// # Errors
    /// [`AuditError::Io`], [`AuditError::Broken`].
    pub fn read(&self, after: u64, max_bytes: usize) -> Result<Vec<Entry>, AuditError> {
        let (segments, last) = self.inner.shared.catalog.all();
        let mut entries = Vec::new();
        let mut bytes = 0_usize;
        for segment in segments {
            if segment.span.is_some_and(|span| span.last <= after) {
                continue;
            }
            let mut number = 0_u64;
            each_line(&segment, |line| {
                number = number.saturating_add(1);
                // Lines are numbered without gaps.
                let sequence = segment.first.saturating_add(number).saturating_sub(1);
                if sequence > last || bytes >= max_bytes {
                    return Ok(false);
                }
                if sequence > after {
                    let broken = |problem: String| {
                        AuditError::Broken(crate::Break::at(&segment.path, number, problem))
                    };
                    let link = Link::of(line).map_err(broken)?;
                    if link.is_record() {
                        bytes = bytes.saturating_add(line.len());
                        let text = String::from_utf8_lossy(line).into_owned();
                        let time = Timestamp::from_epoch_ms(link.time_ms);
                        entries.push(Entry { sequence: link.sequence, time, text });
                    }
                }
                Ok(true)
            })?;
            if bytes >= max_bytes {
                break;
            }
        }
        Ok(entries)
    }

    /// The number of a line that everything from `time` on comes after.
    pub fn last_before(&self, time: Timestamp) -> u64 {
        let (segments, last) = self.inner.shared.catalog.all();
        let is_early =
            |segment: &&Segment| segment.span.is_some_and(|span| span.to_ms < time.as_epoch_ms());
        let first = segments.iter().find(|segment| !is_early(segment));
        first.map_or(last, |segment| segment.first.saturating_sub(1))
    }

    /// The number of the last line that was written.
    pub fn last_sequence(&self) -> u64 {
        self.inner.shared.catalog.all().1
    }

    /// The records that fit a query, newest first. Looks at 64 MiB at most: an empty page with a
    /// `next` is to be continued. Blocks.
    ///
    /// # Errors
    /// [`AuditError::Io`].
    pub fn lookup(&self, query: &Query) -> Result<Page, AuditError> {
        lookup::lookup(&self.inner.shared.catalog, query)
    }

    /// Seals and closes the log; later reservations fail. Blocks until all is on disk.
    pub fn close(&self) {
        self.inner.close();
    }

    #[cfg(test)]
    pub(crate) fn shared(&self) -> &Shared {
        &self.inner.shared
    }
}

/// Gives each line of `segment` to `see`, until it answers false. A segment that was packed
/// meanwhile is found under its new name.
pub(crate) fn each_line(
    segment: &Segment,
    mut see: impl FnMut(&[u8]) -> Result<bool, AuditError>,
) -> Result<(), AuditError> {
    let mut lines = match segment.lines() {
        Err(AuditError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
            let directory = segment.path.parent().unwrap_or(Path::new("."));
            let found = Segment::list(directory)?;
            match found.into_iter().find(|found| found.first == segment.first) {
                Some(found) => found.lines()?,
                // Its retention ended.
                None => return Ok(()),
            }
        }
        lines => lines?,
    };
    while let Read1::Line(line) = lines.next()? {
        if !see(line)? {
            break;
        }
    }
    Ok(())
}

impl Reservation {
    /// Writes a record: `event` is a JSON object of at most 256 KiB without a member `portcullis`.
    /// The future is done when it is as durable as asked for; the record is written also when the
    /// future is dropped.
    ///
    /// # Errors
    /// [`AuditError::Failed`], [`AuditError::Closed`]: the record may be lost.
    pub(crate) fn append(
        mut self,
        event: String,
        time: Timestamp,
        durability: Durability,
        uses: Option<Use>,
    ) -> BoxFuture<'static, Result<(), AuditError>> {
        let (ack, acked) = oneshot::channel();
        let time_ms = time.as_epoch_ms();
        let append = Append { event, time_ms, durability, uses, ack };
        // From here on, the writer gives the room back.
        self.is_used = self.inner.jobs.send(Job::Append(Box::new(append))).is_ok();
        Box::pin(async move { acked.await.unwrap_or(Err(AuditError::Closed)) })
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if !self.is_used {
            self.inner.shared.space.release(1);
        }
    }
}

impl Usage for AuditLog {
    fn access_key(&self, access_key_id: &str) -> Option<LastUse> {
        let usage = self.inner.shared.usage.lock().unwrap_or_else(PoisonError::into_inner);
        usage.access_key(access_key_id)
    }

    fn principal(&self, arn: &str) -> Option<LastUse> {
        let usage = self.inner.shared.usage.lock().unwrap_or_else(PoisonError::into_inner);
        usage.principal(arn)
    }

    fn actions(&self, arn: &str) -> Vec<ActionUse> {
        let usage = self.inner.shared.usage.lock().unwrap_or_else(PoisonError::into_inner);
        usage.actions(arn)
    }

    fn principals(&self, account: &AccountId) -> Vec<String> {
        let usage = self.inner.shared.usage.lock().unwrap_or_else(PoisonError::into_inner);
        usage.principals(account)
    }
}
