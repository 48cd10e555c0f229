//! Adding events, and making them durable.

use std::sync::PoisonError;

use super::{Contents, LogStore, State, Tail};
use crate::catalog::Change;
use crate::codec::{Cursor, EVENT_OVERHEAD_BYTES, Summary, encode_chunk, put_varint, summarize};
use crate::error::BatchError;
use crate::{LogError, RETENTION_DAYS};

/// The most that the messages of one [`LogStore::append`] may have together, in bytes.
pub const APPEND_LIMIT_BYTES: usize = 8 << 20;

const PUT_LIMIT_BYTES: usize = 1 << 20;
const PUT_LIMIT_EVENTS: usize = 10_000;
const POSITION_LIMIT_BYTES: usize = 256;
/// Beyond any clock, and short enough for a [`super::Place`] in text.
const LATEST_MS: i64 = 9_999_999_999_999_999;
const HOUR_MS: i64 = 60 * 60 * 1000;
const DAY_MS: i64 = 24 * HOUR_MS;
const TOO_NEW_MS: i64 = 2 * HOUR_MS;
const TOO_OLD_MS: i64 = 14 * DAY_MS;
/// How far beyond their limits log and memory may grow while checkpoints fail.
const EMERGENCY_FACTOR: u64 = 4;

/// What a call has to have done before it returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// The operating system has the events: they survive the end of the process, `kill -9` too.
    Written,
    /// The disk has the events: they survive a loss of power. Calls at the same time share the
    /// cost of one sync.
    Fsync,
}

/// An event to be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventRef<'a> {
    /// When it happened, milliseconds since the Unix epoch.
    pub timestamp_ms: i64,
    /// The message. Bytes that are not UTF-8 are read back as replacement characters.
    pub message: &'a [u8],
}

/// Which events of a batch a put refused; the others were added.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PutOutcome {
    /// Events from this index on are more than two hours in the future.
    pub too_new_start: Option<usize>,
    /// Events below this index are more than 14 days old.
    pub too_old_end: Option<usize>,
    /// Events below this index are older than the group's retention.
    pub expired_end: Option<usize>,
}

impl LogStore {
    /// Adds events to a stream under the rules of `PutLogEvents`: in chronological order, at most
    /// 10,000 and 1 MiB (26 bytes counted for each event) together and 24 hours apart, none with
    /// an empty message; those too old or too new are left out.
    ///
    /// # Errors
    /// [`LogError::Batch`] for a batch against these rules, of which nothing is added;
    /// [`LogError::GroupNotFound`], [`LogError::StreamNotFound`]; [`LogError::Io`], after which a
    /// repetition may succeed; [`LogError::Stopped`].
    pub fn put(
        &self,
        group: &str,
        stream: &str,
        events: &[EventRef<'_>],
        durability: Durability,
    ) -> Result<PutOutcome, LogError> {
        check_put(events).map_err(LogError::Batch)?;
        let now_ms = self.now_ms();
        let (outcome, below) = {
            let mut state = self.state();
            let found = state.contents.catalog.groups.get(group);
            let group_info = found.ok_or_else(|| LogError::GroupNotFound(group.to_owned()))?;
            let (outcome, accepted) = accept(events, now_ms, group_info.retention_days);
            if spans_over_a_day(accepted) {
                return Err(LogError::Batch(BatchError::Span));
            }
            let below = self.append_locked(&mut state, (group, stream), accepted, None)?;
            (outcome, below)
        };
        self.finish(below, durability)?;
        Ok(outcome)
    }

    /// Adds `events` to a stream and remembers `source_position` for it, both or neither.
    ///
    /// For a shipper that reads from a source: after a crash of either side it asks
    /// [`LogStore::source_position`] where to go on, and nothing is lost or doubled. The position
    /// means nothing to the store; it has at most 256 bytes. Events may be in any order and of any
    /// time; those with empty messages are left out, and timestamps before 1970 become 1970.
    ///
    /// # Errors
    /// [`LogError::Batch`] for more than [`APPEND_LIMIT_BYTES`] of messages, for a message of
    /// more than 1 MiB less 26 bytes, or for a long position; otherwise as [`LogStore::put`].
    pub fn append(
        &self,
        group: &str,
        stream: &str,
        events: &[EventRef<'_>],
        source_position: &str,
        durability: Durability,
    ) -> Result<(), LogError> {
        check_append(events, source_position).map_err(LogError::Batch)?;
        let usable = |event: &EventRef<'_>| {
            !event.message.is_empty() && (0..=LATEST_MS).contains(&event.timestamp_ms)
        };
        let cleaned: Vec<EventRef<'_>>;
        let events = if events.iter().all(usable) {
            events
        } else {
            cleaned = events
                .iter()
                .filter(|event| !event.message.is_empty())
                .map(|event| EventRef {
                    timestamp_ms: event.timestamp_ms.clamp(0, LATEST_MS),
                    message: event.message,
                })
                .collect();
            &cleaned
        };
        let below = {
            let mut state = self.state();
            self.append_locked(&mut state, (group, stream), events, Some(source_position))?
        };
        self.finish(below, durability)
    }

    /// The source position that the last append to a stream brought; `None` before the first.
    ///
    /// # Errors
    /// [`LogError::GroupNotFound`], [`LogError::StreamNotFound`].
    pub fn source_position(&self, group: &str, stream: &str) -> Result<Option<String>, LogError> {
        let state = self.state();
        let id = state.contents.stream_id(group, stream)?;
        let stream = state.contents.catalog.streams.get(&id);
        Ok(stream.and_then(|stream| stream.source_position.clone()))
    }

    /// Writes the events to the log and to memory. Returns the number below which frames have to
    /// be durable for them to be.
    fn append_locked(
        &self,
        state: &mut State,
        (group, stream): (&str, &str),
        events: &[EventRef<'_>],
        source_position: Option<&str>,
    ) -> Result<u64, LogError> {
        let id = state.contents.stream_id(group, stream)?;
        self.make_room(state)?;
        let ingestion_ms = self.now_ms();
        let State { contents, wal, chunk, body, .. } = state;
        chunk.clear();
        let summary = encode_chunk(chunk, body, ingestion_ms, events);
        let first_sequence = contents.next_sequence(id);
        let number = wal.append(|frame| {
            frame.push(KIND_EVENTS);
            put_varint(frame, id);
            put_varint(frame, first_sequence);
            put_varint(frame, source_position.map_or(0, |position| position.len() as u64 + 1));
            frame.extend_from_slice(source_position.unwrap_or_default().as_bytes());
            frame.extend_from_slice(chunk);
        })?;
        if let Some(summary) = summary {
            contents.add(id, chunk, summary, ingestion_ms);
        }
        if let Some(position) = source_position {
            contents.set_source_position(id, position);
        }
        chunk.shrink_to(KEPT_BYTES);
        body.shrink_to(KEPT_BYTES);
        Ok(number + 1)
    }

    /// Logs and applies a change of the catalog, durably.
    pub(super) fn change(
        &self,
        decide: impl FnOnce(&State) -> Result<Option<Change>, LogError>,
    ) -> Result<(), LogError> {
        let below = {
            let mut state = self.state();
            let Some(change) = decide(&state)? else {
                return Ok(());
            };
            self.make_room(&mut state)?;
            let encoded = serde_json::to_vec(&change)
                .map_err(std::io::Error::from)
                .map_err(LogError::io("encode a change for", state.wal.path()))?;
            let number = state.wal.append(|frame| {
                frame.push(KIND_CHANGE);
                frame.extend_from_slice(&encoded);
            })?;
            self.note_tags(&change);
            state.contents.apply(change);
            number + 1
        };
        self.finish(below, Durability::Fsync)
    }

    /// Refuses when the store is stopped; makes a checkpoint when one is due.
    fn make_room(&self, state: &mut State) -> Result<(), LogError> {
        if let Some(reason) = &state.stopped {
            return Err(LogError::Stopped(reason.clone()));
        }
        let limits = self.inner.limits;
        let log_bytes = state.wal.length_bytes();
        let waiting_bytes = state.contents.tail_bytes as u64;
        let waiting_limit = limits.waiting_bytes as u64;
        if log_bytes < limits.wal_bytes && waiting_bytes < waiting_limit {
            return Ok(());
        }
        match self.checkpoint_locked(state) {
            Ok(()) => Ok(()),
            Err(error)
                if state.stopped.is_some()
                    || log_bytes >= limits.wal_bytes.saturating_mul(EMERGENCY_FACTOR)
                    || waiting_bytes >= waiting_limit.saturating_mul(EMERGENCY_FACTOR) =>
            {
                Err(error)
            }
            Err(error) => {
                tracing::warn!(%error, "the log store could not make a checkpoint, will try again");
                Ok(())
            }
        }
    }

    fn finish(&self, below: u64, durability: Durability) -> Result<(), LogError> {
        match durability {
            Durability::Written => Ok(()),
            Durability::Fsync => self.make_durable(below),
        }
    }

    /// Returns when all frames below `below` are on disk. One caller syncs for all that wait.
    fn make_durable(&self, below: u64) -> Result<(), LogError> {
        let inner = &self.inner;
        let mut synced = inner.synced.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if synced.below >= below {
                return Ok(());
            }
            if synced.in_progress {
                let woken = inner.synced_changed.wait(synced);
                synced = woken.unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            synced.in_progress = true;
            drop(synced);
            let result = self.sync_log();
            synced = inner.synced.lock().unwrap_or_else(PoisonError::into_inner);
            synced.in_progress = false;
            inner.synced_changed.notify_all();
            synced.below = synced.below.max(result?);
        }
    }

    /// Syncs the log. Returns the number below which all frames are durable.
    fn sync_log(&self) -> Result<u64, LogError> {
        let (file, below, path) = {
            let state = self.state();
            if let Some(reason) = &state.stopped {
                return Err(LogError::Stopped(reason.clone()));
            }
            (state.wal.file(), state.wal.next_number(), state.wal.path().to_owned())
        };
        match file.sync_data() {
            Ok(()) => Ok(below),
            Err(error) => {
                // The kernel forgets what it could not write: a second sync would lie.
                self.state().stopped = Some(error.to_string());
                Err(LogError::io("sync", &path)(error))
            }
        }
    }
}

const KIND_EVENTS: u8 = 0;
const KIND_CHANGE: u8 = 1;
const KEPT_BYTES: usize = 512 << 10;

impl Contents {
    /// Does again what a frame of the log did.
    pub(super) fn replay(&mut self, payload: &[u8]) -> Result<(), LogError> {
        match payload.split_first() {
            Some((&KIND_EVENTS, rest)) => {
                if self.replay_events(rest).is_none() {
                    tracing::error!("an entry of the log store's log makes no sense, left out");
                }
            }
            Some((&KIND_CHANGE, rest)) => match serde_json::from_slice(rest) {
                Ok(change) => self.apply(change),
                Err(error) => {
                    let path = self.segments.with_file_name("catalog");
                    return Err(LogError::Catalog { path, reason: error.to_string() });
                }
            },
            Some(_) | None => {
                tracing::error!("an entry of the log store's log is of no known kind, left out");
            }
        }
        Ok(())
    }

    fn replay_events(&mut self, payload: &[u8]) -> Option<()> {
        let mut cursor = Cursor::new(payload);
        let id = cursor.varint()?;
        let first_sequence = cursor.varint()?;
        let position_bytes = cursor.varint()?;
        let position = match position_bytes.checked_sub(1) {
            Some(length) => Some(std::str::from_utf8(cursor.bytes(length)?).ok()?),
            None => None,
        };
        let chunk = cursor.rest();
        if !self.catalog.streams.contains_key(&id) || first_sequence != self.next_sequence(id) {
            return None;
        }
        if !chunk.is_empty() {
            let (summary, ingestion_ms) = summarize(chunk)?;
            self.add(id, chunk, summary, ingestion_ms);
        }
        if let Some(position) = position {
            self.set_source_position(id, position);
        }
        Some(())
    }

    fn apply(&mut self, change: Change) {
        for (id, stream) in self.catalog.apply(change) {
            if let Some(tail) = self.tails.remove(&id) {
                self.tail_bytes -= tail.chunks.len();
            }
            self.unsynced.retain(|(of, _)| *of != id);
            for segment in &stream.segments {
                self.remove_segment(id, segment.number);
            }
        }
    }

    /// The number that the next event of a stream gets.
    fn next_sequence(&self, id: u64) -> u64 {
        let in_segments = self.catalog.streams.get(&id).map_or(0, |stream| stream.next_sequence);
        in_segments + self.tails.get(&id).map_or(0, |tail| u64::from(tail.summary.count))
    }

    fn add(&mut self, id: u64, chunk: &[u8], summary: Summary, ingestion_ms: i64) {
        let Some(stream) = self.catalog.streams.get_mut(&id) else {
            return;
        };
        stream.last_ingestion_ms = Some(ingestion_ms);
        self.tail_bytes += chunk.len();
        let tail = self.tails.entry(id).and_modify(|tail| {
            tail.summary = tail.summary.joined(summary);
            tail.chunks.extend_from_slice(chunk);
        });
        let tail = tail.or_insert_with(|| Tail { chunks: chunk.to_vec(), summary });
        if tail.chunks.len() >= self.limits.block_bytes
            && let Err(error) = self.flush(id)
        {
            // The events stay in memory and in the log; appending stops when there are too many.
            tracing::warn!(%error, "the log store could not write a block, will try again");
        }
    }

    fn set_source_position(&mut self, id: u64, position: &str) {
        if let Some(stream) = self.catalog.streams.get_mut(&id) {
            stream.source_position = Some(position.to_owned());
        }
    }

    pub(super) fn stream_id(&self, group: &str, stream: &str) -> Result<u64, LogError> {
        let found = self.catalog.groups.get(group);
        let found = found.ok_or_else(|| LogError::GroupNotFound(group.to_owned()))?;
        found.streams.get(stream).copied().ok_or_else(|| LogError::StreamNotFound {
            group: group.to_owned(),
            stream: stream.to_owned(),
        })
    }
}

/// Before which moment a group's events are no longer there.
pub(super) fn expiry_ms(now_ms: i64, retention_days: Option<u32>) -> Option<i64> {
    retention_days.map(|days| now_ms.saturating_sub(i64::from(days) * DAY_MS))
}

fn check_put(events: &[EventRef<'_>]) -> Result<(), BatchError> {
    if events.is_empty() {
        return Err(BatchError::Empty);
    }
    if events.len() > PUT_LIMIT_EVENTS {
        return Err(BatchError::TooMany(events.len()));
    }
    if let Some(empty) = events.iter().position(|event| event.message.is_empty()) {
        return Err(BatchError::EmptyMessage(empty));
    }
    check_messages(events)?;
    let total: usize = events.iter().map(|event| event.message.len() + EVENT_OVERHEAD_BYTES).sum();
    if total > PUT_LIMIT_BYTES {
        return Err(BatchError::TooLarge(total));
    }
    if !events.is_sorted_by_key(|event| event.timestamp_ms) {
        return Err(BatchError::Unordered);
    }
    Ok(())
}

fn check_messages(events: &[EventRef<'_>]) -> Result<(), BatchError> {
    let too_large =
        |event: &EventRef<'_>| event.message.len() > PUT_LIMIT_BYTES - EVENT_OVERHEAD_BYTES;
    match events.iter().enumerate().find(|(_, event)| too_large(event)) {
        Some((index, event)) => {
            Err(BatchError::EventTooLarge { index, bytes: event.message.len() })
        }
        None => Ok(()),
    }
}

fn check_append(events: &[EventRef<'_>], source_position: &str) -> Result<(), BatchError> {
    check_messages(events)?;
    let total: usize = events.iter().map(|event| event.message.len()).sum();
    if total > APPEND_LIMIT_BYTES {
        return Err(BatchError::TooLarge(total));
    }
    if source_position.len() > POSITION_LIMIT_BYTES {
        return Err(BatchError::Position(source_position.len()));
    }
    Ok(())
}

/// Splits off what is too old or too new from events in chronological order.
fn accept<'events, 'message>(
    events: &'events [EventRef<'message>],
    now_ms: i64,
    retention_days: Option<u32>,
) -> (PutOutcome, &'events [EventRef<'message>]) {
    let before = |moment: i64| events.partition_point(|event| event.timestamp_ms < moment);
    let some_if = |index: usize, there: bool| there.then_some(index);
    let too_old = before(now_ms.saturating_sub(TOO_OLD_MS));
    let expired = expiry_ms(now_ms, retention_days).map_or(0, before);
    let too_new = before(now_ms.saturating_add(TOO_NEW_MS + 1));
    let outcome = PutOutcome {
        too_new_start: some_if(too_new, too_new < events.len()),
        too_old_end: some_if(too_old, too_old > 0),
        expired_end: some_if(expired, expired > 0),
    };
    (outcome, events.get(too_old.max(expired)..too_new).unwrap_or_default())
}

fn spans_over_a_day(events: &[EventRef<'_>]) -> bool {
    events
        .first()
        .zip(events.last())
        .is_some_and(|(first, last)| last.timestamp_ms.saturating_sub(first.timestamp_ms) > DAY_MS)
}

/// Whether a retention is one that AWS offers.
pub(super) fn is_offered(days: u32) -> bool {
    RETENTION_DAYS.contains(&days)
}
