//! The thread that writes, the one that syncs, and the one that packs and prunes.

mod house;
mod sync;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base::Clock;
use tokio::sync::oneshot;

use crate::AuditError;
use crate::catalog::Catalog;
use crate::chain::Mark;
use crate::key::AuditKey;
use crate::log::{Config, Durability};
use crate::open::{self, Active};
use crate::space::{MAX_LINE_BYTES, Space};
use crate::usage::{Index, Use};

#[cfg(test)]
pub(crate) use house::tidy;
pub(crate) use house::{House, Order};
use sync::{Synced, Task};

/// How often checkpoints are written while records come in.
const SEAL_INTERVAL_MS: i64 = 1000;
/// How long the writer waits for more before it looks whether there is a checkpoint to write.
const TICK: Duration = Duration::from_millis(500);
/// Records that are written in one go.
const MAX_BATCH: usize = 512;

pub(crate) type Ack = oneshot::Sender<Result<(), AuditError>>;

/// What the writer is asked for.
pub(crate) enum Job {
    Append(Box<Append>),
    /// Seal everything and end.
    Close(Sender<()>),
}

pub(crate) struct Append {
    /// The event's JSON object.
    pub(crate) event: String,
    pub(crate) time_ms: i64,
    pub(crate) durability: Durability,
    pub(crate) uses: Option<Use>,
    pub(crate) ack: Ack,
}

/// What all threads share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) directory: std::path::PathBuf,
    pub(crate) config: Config,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) key: AuditKey,
    pub(crate) space: Space,
    pub(crate) catalog: Catalog,
    pub(crate) usage: Mutex<Index>,
    /// Whether the head could not be written: on a full disk it cannot, and records still can.
    pub(crate) head_is_behind: AtomicBool,
}

pub(crate) struct Writer {
    shared: Arc<Shared>,
    jobs: Receiver<Job>,
    active: Active,
    syncer: Sender<Task>,
    house: Sender<Order>,
    buffer: Vec<u8>,
    /// Whether there are lines that no checkpoint has signed.
    is_unsealed: bool,
    sealed_at_ms: i64,
    /// What the file `head` is to say.
    head: Option<Mark>,
    /// At this length the segment is closed.
    roll_bytes: u64,
    /// Counts recoveries: what was written before one is lost to those who wait for it.
    epoch: u64,
}

/// Starts the threads. Returns where to send jobs.
pub(crate) fn start(
    shared: &Arc<Shared>,
    active: Active,
    house: Sender<Order>,
) -> std::io::Result<Sender<Job>> {
    let (send, jobs) = channel();
    let syncer = sync::start(Arc::clone(shared))?;
    let mut writer = Writer {
        shared: Arc::clone(shared),
        jobs,
        active,
        syncer,
        house,
        buffer: Vec::new(),
        is_unsealed: false,
        sealed_at_ms: shared.clock.now().as_epoch_ms(),
        head: None,
        roll_bytes: shared.config.segment_bytes,
        epoch: 0,
    };
    std::thread::Builder::new().name("audit writer".to_owned()).spawn(move || writer.run())?;
    Ok(send)
}

pub(crate) fn failed(reason: &str) -> AuditError {
    AuditError::Failed { reason: reason.to_owned() }
}

impl Writer {
    fn run(&mut self) {
        let mut batch: Vec<Append> = Vec::new();
        loop {
            let mut close = None;
            match self.jobs.recv_timeout(TICK) {
                Ok(Job::Append(append)) => batch.push(*append),
                Ok(Job::Close(done)) => close = Some(done),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            while close.is_none() && batch.len() < MAX_BATCH {
                match self.jobs.try_recv() {
                    Ok(Job::Append(append)) => batch.push(*append),
                    Ok(Job::Close(done)) => close = Some(done),
                    Err(_) => break,
                }
            }
            if self.shared.space.has_failed() {
                self.refuse(&mut batch, "an earlier write failed");
                if close.is_none() {
                    self.recover();
                }
            } else {
                self.write(&mut batch);
                self.seal_if_due(close.is_some());
            }
            if let Some(done) = close {
                self.finish_syncing();
                // Whoever asked may have gone.
                let _told = done.send(());
                return;
            }
        }
    }

    fn refuse(&self, batch: &mut Vec<Append>, reason: &str) {
        self.shared.space.release(u64::try_from(batch.len()).unwrap_or(u64::MAX));
        for append in batch.drain(..) {
            let _told = append.ack.send(Err(failed(reason)));
        }
    }

    /// Writes a batch and hands over those who wait for the disk.
    fn write(&mut self, batch: &mut Vec<Append>) {
        if batch.is_empty() {
            return;
        }
        self.buffer.clear();
        let before = self.active.chain;
        for append in batch.iter() {
            self.active.chain.record(&append.event, append.time_ms, &mut self.buffer);
            self.active.saw(append.time_ms);
        }
        if let Err(error) = self.active.append(&self.buffer) {
            self.active.chain = before;
            self.failed(&error);
            self.refuse(batch, &error.reason());
            return;
        }
        self.is_unsealed = true;
        self.shared.space.written(self.active.end, u64::try_from(batch.len()).unwrap_or(u64::MAX));
        self.shared.catalog.grew(&self.active);
        let mut waiting = Vec::new();
        {
            let mut usage = self.shared.usage.lock().unwrap_or_else(PoisonError::into_inner);
            for append in batch.drain(..) {
                if let Some(uses) = &append.uses {
                    usage.add(uses);
                }
                match append.durability {
                    // The caller may have gone.
                    Durability::Written => drop(append.ack.send(Ok(()))),
                    Durability::Synced => waiting.push(append.ack),
                }
            }
        }
        if !waiting.is_empty() {
            self.hand_over(Task { acks: waiting, ..self.task() });
        }
        self.buffer.shrink_to(1 << 20);
    }

    fn task(&self) -> Task {
        let (file, path) = (Arc::clone(&self.active.file), self.active.segment.path.clone());
        Task { file, path, epoch: self.epoch, acks: Vec::new(), head: None, done: None }
    }

    fn hand_over(&self, task: Task) {
        if self.syncer.send(task).is_err() {
            self.shared.space.fail("the thread that syncs has ended");
        }
    }

    fn failed(&self, error: &AuditError) {
        let reason = error.reason();
        tracing::error!(reason, "audit records cannot be written: calls are refused");
        self.shared.space.fail(&reason);
    }

    fn seal_if_due(&mut self, now: bool) {
        let now_ms = self.shared.clock.now().as_epoch_ms();
        let since = now_ms.saturating_sub(self.sealed_at_ms);
        let is_due = now || !(0..SEAL_INTERVAL_MS).contains(&since);
        if self.is_unsealed && is_due {
            self.seal(now_ms, None);
        } else if is_due && self.shared.head_is_behind.load(Ordering::Acquire) {
            self.sealed_at_ms = now_ms;
            self.hand_over(Task { head: self.head.clone(), ..self.task() });
        }
        if self.active.end >= self.roll_bytes {
            self.roll(now_ms);
        }
    }

    /// Signs everything so far.
    fn seal(&mut self, now_ms: i64, done: Option<Sender<Synced>>) {
        self.buffer.clear();
        let before = self.active.chain;
        self.active.chain.checkpoint(now_ms, &self.shared.key, &mut self.buffer);
        self.active.saw(now_ms);
        if let Err(error) = self.active.append(&self.buffer) {
            self.active.chain = before;
            self.failed(&error);
            return;
        }
        self.shared.space.written(self.active.end, 0);
        self.shared.catalog.grew(&self.active);
        let head = Mark::new(Mark::HEAD, self.active.chain.last(), now_ms, &self.shared.key);
        (self.is_unsealed, self.sealed_at_ms) = (false, now_ms);
        self.head = Some(head.clone());
        self.hand_over(Task { head: Some(head), done, ..self.task() });
    }

    /// Closes the segment and goes on in a new one. Without room for that, the old one grows on.
    fn roll(&mut self, now_ms: i64) {
        self.roll_bytes = self.active.end.saturating_add(self.shared.config.segment_bytes / 4);
        let (done, sealed) = channel();
        self.seal(now_ms, Some(done));
        if !matches!(sealed.recv(), Ok(Synced::Kept)) {
            return;
        }
        let next = match Active::create(&self.shared.directory, self.active.chain) {
            Ok(next) => next,
            Err(error) => {
                tracing::warn!(reason = error.reason(), "no new audit segment: the old one grows");
                return;
            }
        };
        if let Err(error) = self.shared.space.roll(&next.file) {
            tracing::warn!(%error, "no room for a new audit segment: the old one grows");
            // An empty last segment would be taken for the active one.
            if let Err(error) = std::fs::remove_file(&next.segment.path) {
                self.failed(&AuditError::io("remove", &next.segment.path)(error));
            }
            return;
        }
        let old = std::mem::replace(&mut self.active, next);
        // Gives back the blocks that were set aside and not needed.
        if let Err(error) = old.file.set_len(old.end) {
            tracing::warn!(%error, "a closed audit segment keeps room that it does not need");
        }
        self.shared.catalog.rolled(&old, &self.active);
        self.roll_bytes = self.shared.config.segment_bytes.max(MAX_LINE_BYTES);
        // Without the housekeeper, the next start packs it.
        let _told = self.house.send(Order::Tidy);
    }

    /// Looks at the log as after a restart, and goes on if it is whole.
    fn recover(&mut self) {
        let now_ms = self.shared.clock.now().as_epoch_ms();
        match open::open(&self.shared.directory, &self.shared.key, now_ms) {
            Ok(opened) => {
                self.epoch = self.epoch.saturating_add(1);
                self.active = opened.active;
                (self.is_unsealed, self.sealed_at_ms) = (false, now_ms);
                self.roll_bytes = self.active.end.max(self.shared.config.segment_bytes);
                self.shared.catalog.replace(opened.closed, &self.active);
                self.shared.space.recover(&self.active.file, self.active.end);
                tracing::info!("the audit log is writable again");
            }
            Err(error) => tracing::warn!(reason = error.reason(), "the audit log is not writable"),
        }
    }

    /// Waits until everything handed over is on disk.
    fn finish_syncing(&self) {
        let (done, synced) = channel();
        self.hand_over(Task { done: Some(done), ..self.task() });
        // What could not be kept was said to those who waited for it.
        let _synced = synced.recv();
    }
}
