//! Reading events: one stream from a place on, or many streams through a filter.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::{Bound, ControlFlow};
use std::str::FromStr;
use std::sync::Arc;

use super::append::expiry_ms;
use super::{Contents, LogStore};
use crate::codec::EVENT_OVERHEAD_BYTES;
use crate::filter::Pattern;
use crate::merge::{Key, Merge, Scan, StreamView, TailView};
use crate::{Damage, LogError};

/// Events of one answer have at most this many bytes together, 26 counted for each event, unless
/// a single event has more.
const PAGE_BYTES: usize = 1 << 20;
/// The most events of one answer.
const PAGE_EVENTS: usize = 10_000;

/// Which way to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From older to newer events.
    Forward,
    /// From newer to older events.
    Backward,
}

/// A gap between two events; it stays where it is when events are added.
///
/// As text it has 56 digits: see [`fmt::Display`] and [`FromStr`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    timestamp_ms: i64,
    stream: u64,
    sequence: u64,
}

/// The text is not that of a [`Place`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a place in a log: expected 56 digits")]
pub struct ParsePlaceError;

impl Place {
    const fn key(self) -> Key {
        (self.timestamp_ms, self.stream, self.sequence)
    }

    const fn from_key((timestamp_ms, stream, sequence): Key) -> Self {
        Self { timestamp_ms, stream, sequence }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let timestamp_ms = self.timestamp_ms.clamp(0, 9_999_999_999_999_999);
        write!(f, "{timestamp_ms:016}{:020}{:020}", self.stream, self.sequence)
    }
}

impl FromStr for Place {
    type Err = ParsePlaceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() != 56 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(ParsePlaceError);
        }
        let part = |range: std::ops::Range<usize>| text.get(range).ok_or(ParsePlaceError);
        Ok(Self {
            timestamp_ms: part(0..16)?.parse().map_err(|_| ParsePlaceError)?,
            stream: part(16..36)?.parse().map_err(|_| ParsePlaceError)?,
            sequence: part(36..56)?.parse().map_err(|_| ParsePlaceError)?,
        })
    }
}

/// An event that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// When it happened, milliseconds since the Unix epoch.
    pub timestamp_ms: i64,
    /// When it was added to the store, milliseconds since the Unix epoch.
    pub ingestion_ms: i64,
    /// The message.
    pub message: String,
}

/// What [`LogStore::get`] reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GetQuery {
    /// The earliest timestamp; `None` for no bound.
    pub start_ms: Option<i64>,
    /// The first timestamp that is too late; `None` for no bound.
    pub end_ms: Option<i64>,
    /// From `place` on to newer events or to older ones; without a place from the oldest event
    /// on or from the newest.
    pub direction: Direction,
    /// Where to begin.
    pub place: Option<Place>,
    /// How many events at most; 10,000 is the limit anyway.
    pub limit: usize,
}

/// Events of one stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// From older to newer, whatever the direction was.
    pub events: Vec<Event>,
    /// The gap before the first event: going on from there backward gives what precedes it.
    pub before: Place,
    /// The gap after the last event. When there are no events, it is where the query began, and
    /// so is `before`.
    pub after: Place,
    /// What could not be read.
    pub damage: Vec<Damage>,
}

/// Which streams of a group to search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamSelection<'a> {
    /// All of them.
    All,
    /// Those whose names begin so.
    Prefix(&'a str),
    /// Those with these names.
    Names(&'a [String]),
}

/// What [`LogStore::filter`] reads.
#[derive(Debug, Clone, Copy)]
pub struct FilterQuery<'a> {
    /// The streams to search.
    pub streams: StreamSelection<'a>,
    /// The earliest timestamp; `None` for no bound.
    pub start_ms: Option<i64>,
    /// The first timestamp that is too late; `None` for no bound.
    pub end_ms: Option<i64>,
    /// What messages have to match.
    pub pattern: &'a Pattern,
    /// From older to newer events or the other way round.
    pub direction: Direction,
    /// Where the answer before ended.
    pub place: Option<Place>,
    /// How many events at most; 10,000 is the limit anyway.
    pub limit: usize,
}

/// An event that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilteredEvent {
    /// The name of its stream.
    pub stream: Arc<str>,
    /// The event.
    pub event: Event,
    /// Which event it is: unique, and the same in every answer.
    pub id: Place,
}

/// Events of many streams.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilteredPage {
    /// By timestamp, in the query's direction.
    pub events: Vec<FilteredEvent>,
    /// Where to go on. There may be no events and yet a place, when much was searched in vain;
    /// `None` when everything was searched.
    pub next: Option<Place>,
    /// What could not be read.
    pub damage: Vec<Damage>,
}

/// Counts events and bytes against the limits of one answer.
struct Room {
    events: usize,
    bytes: usize,
}

impl Room {
    fn new(limit: usize) -> Self {
        Self { events: limit.clamp(1, PAGE_EVENTS), bytes: PAGE_BYTES }
    }

    fn holds(&self, message: &[u8]) -> bool {
        self.bytes == PAGE_BYTES || message.len() + EVENT_OVERHEAD_BYTES <= self.bytes
    }

    /// Breaks when the answer is full.
    fn take(&mut self, message: &[u8]) -> ControlFlow<()> {
        self.events -= 1;
        self.bytes = self.bytes.saturating_sub(message.len() + EVENT_OVERHEAD_BYTES);
        if self.events == 0 || self.bytes <= EVENT_OVERHEAD_BYTES {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }
}

impl LogStore {
    /// Reads events of one stream, at most 1 MiB, by timestamp and, where that is the same, in
    /// the order they were added.
    ///
    /// # Errors
    /// [`LogError::GroupNotFound`], [`LogError::StreamNotFound`], [`LogError::Io`].
    pub fn get(&self, group: &str, stream: &str, query: &GetQuery) -> Result<Page, LogError> {
        let now_ms = self.now_ms();
        let (view, expiry) = {
            let state = self.state();
            let contents = &state.contents;
            let id = contents.stream_id(group, stream)?;
            let expiry = expiry_ms(now_ms, contents.group(group)?.retention_days);
            (contents.view(id), expiry)
        };
        let (low, high) =
            bounds((query.start_ms, query.end_ms, expiry), query.direction, query.place);
        let mut scan = self.scan(query.direction, low, high, &|_| true);
        // Every event in range counts against the answer's limits, which bounds the work.
        scan.scan_bytes = u64::MAX;
        let mut room = Room::new(query.limit);
        let mut events = Vec::new();
        let (mut first, mut last): (Option<Key>, Option<Key>) = (None, None);
        let mut merge = Merge::new(scan, view.into_iter().collect());
        merge.run(|stream, record, message| {
            if !room.holds(message) {
                return ControlFlow::Break(());
            }
            let key = (record.timestamp_ms, stream, record.sequence);
            first = Some(first.map_or(key, |first| first.min(key)));
            last = Some(last.map_or(key, |last| last.max(key)));
            events.push(event(record.timestamp_ms, record.ingestion_ms, message));
            room.take(message)
        })?;
        if query.direction == Direction::Backward {
            events.reverse();
        }
        let here = query.place.unwrap_or(Place::from_key(match query.direction {
            Direction::Forward => low,
            // All events that come later are after this place, whatever their time.
            Direction::Backward => (query.start_ms.unwrap_or(0).max(0), 0, 0),
        }));
        Ok(Page {
            events,
            before: first.map_or(here, Place::from_key),
            after: last.map_or(here, |(timestamp_ms, stream, sequence)| Place {
                timestamp_ms,
                stream,
                sequence: sequence + 1,
            }),
            damage: merge.damage,
        })
    }

    /// Searches streams of a group. Does a bounded amount of work, see [`FilteredPage::next`].
    ///
    /// # Errors
    /// [`LogError::GroupNotFound`]; [`LogError::StreamNotFound`] for a stream that was named;
    /// [`LogError::Io`].
    pub fn filter(&self, group: &str, query: &FilterQuery<'_>) -> Result<FilteredPage, LogError> {
        let now_ms = self.now_ms();
        let mut names = BTreeMap::new();
        let mut views = Vec::new();
        let (low, high) = {
            let state = self.state();
            let contents = &state.contents;
            let expiry = expiry_ms(now_ms, contents.group(group)?.retention_days);
            let times = (query.start_ms, query.end_ms, expiry);
            let (low, high) = bounds(times, query.direction, query.place);
            for (name, id) in contents.select(group, query.streams)? {
                if let Some(view) = contents.view_within(id, low, high) {
                    views.push(view);
                    names.insert(id, name);
                }
            }
            (low, high)
        };
        let may_match = |block: &[u8]| query.pattern.may_match_within(block);
        let mut room = Room::new(query.limit);
        let mut events = Vec::new();
        let mut refused: Option<Key> = None;
        let mut merge = Merge::new(self.scan(query.direction, low, high, &may_match), views);
        let next = merge.run(|stream, record, message| {
            if !query.pattern.matches(message) {
                return ControlFlow::Continue(());
            }
            let id = (record.timestamp_ms, stream, record.sequence);
            if !room.holds(message) {
                refused = Some(id);
                return ControlFlow::Break(());
            }
            events.push(FilteredEvent {
                stream: names.get(&stream).cloned().unwrap_or_default(),
                event: event(record.timestamp_ms, record.ingestion_ms, message),
                id: Place::from_key(id),
            });
            room.take(message)
        })?;
        // An event that was too large for this answer comes first in the next one.
        let refused = refused.map(|(timestamp_ms, stream, sequence)| match query.direction {
            Direction::Forward => (timestamp_ms, stream, sequence),
            Direction::Backward => (timestamp_ms, stream, sequence + 1),
        });
        let next = refused.or(next).map(Place::from_key);
        Ok(FilteredPage { events, next, damage: merge.damage })
    }

    fn scan<'a>(
        &'a self,
        direction: Direction,
        low: Key,
        high: Key,
        may_match: &'a dyn Fn(&[u8]) -> bool,
    ) -> Scan<'a> {
        Scan {
            segments: &self.inner.segments,
            direction,
            low,
            high,
            cache_bytes: self.inner.limits.read_cache_bytes,
            scan_bytes: self.inner.limits.scan_bytes,
            may_match,
        }
    }
}

fn event(timestamp_ms: i64, ingestion_ms: i64, message: &[u8]) -> Event {
    Event { timestamp_ms, ingestion_ms, message: String::from_utf8_lossy(message).into_owned() }
}

/// The first key wanted and the first key beyond.
fn bounds(
    (start_ms, end_ms, expiry_ms): (Option<i64>, Option<i64>, Option<i64>),
    direction: Direction,
    place: Option<Place>,
) -> (Key, Key) {
    let start_ms = start_ms.unwrap_or(0).max(expiry_ms.unwrap_or(0)).max(0);
    let low = (start_ms, 0, 0);
    let high = (end_ms.unwrap_or(i64::MAX), 0, 0);
    match (direction, place) {
        (_, None) => (low, high),
        (Direction::Forward, Some(place)) => (low.max(place.key()), high),
        (Direction::Backward, Some(place)) => (low, high.min(place.key())),
    }
}

impl Contents {
    /// A copy of what a read needs of a stream.
    fn view(&self, id: u64) -> Option<StreamView> {
        self.view_within(id, (i64::MIN, 0, 0), (i64::MAX, 0, 0))
    }

    /// The same without what is out of range; `None` when nothing is left.
    fn view_within(&self, id: u64, low: Key, high: Key) -> Option<StreamView> {
        let within = |first_ms: i64, last_ms: i64| last_ms >= low.0 && first_ms <= high.0;
        let stream = self.catalog.streams.get(&id)?;
        let tail = self.tails.get(&id);
        let tail = tail.filter(|tail| within(tail.summary.first_ms, tail.summary.last_ms));
        let segments = stream.segments.iter();
        let segments = segments.filter(|segment| within(segment.first_ms, segment.last_ms));
        let view = StreamView {
            id,
            segments: segments.copied().collect(),
            tail: tail.map(|tail| TailView {
                first_sequence: stream.next_sequence,
                summary: tail.summary,
                chunks: tail.chunks.clone(),
            }),
        };
        (view.tail.is_some() || !view.segments.is_empty()).then_some(view)
    }

    fn select(
        &self,
        group: &str,
        selection: StreamSelection<'_>,
    ) -> Result<Vec<(Arc<str>, u64)>, LogError> {
        let streams = &self.group(group)?.streams;
        let by_prefix = |prefix: &str| {
            streams
                .range::<str, _>((Bound::Included(prefix), Bound::Unbounded))
                .take_while(|(name, _)| name.starts_with(prefix))
                .map(|(name, id)| (Arc::from(name.as_str()), *id))
                .collect()
        };
        match selection {
            StreamSelection::All => Ok(by_prefix("")),
            StreamSelection::Prefix(prefix) => Ok(by_prefix(prefix)),
            StreamSelection::Names(names) => {
                let ids: Result<BTreeMap<u64, Arc<str>>, LogError> = names
                    .iter()
                    .map(|name| Ok((self.stream_id(group, name)?, Arc::from(name.as_str()))))
                    .collect();
                Ok(ids?.into_iter().map(|(id, name)| (name, id)).collect())
            }
        }
    }
}
