//! Events of many streams in one order, reading no more than needed.
//!
//! A heap holds for each source - a segment, a block, or events in memory - the first key that it
//! can still give. Segments and blocks are opened only when they come to the top, so that of
//! streams written in order only a block or two is in memory at a time. Where many blocks cover
//! the same time, decompressed ones are dropped when there are too many and read again later.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::fs::File;
use std::ops::ControlFlow;
use std::path::Path;
use std::rc::Rc;

use crate::block::{BlockHeader, HEADER_BYTES, read_body, read_headers};
use crate::catalog::{Segment, segment_path};
use crate::codec::{Record, Summary, decode_chunks};
use crate::{Damage, Direction, LogError};

/// What orders events: timestamp, stream, place in the stream.
pub(crate) type Key = (i64, u64, u64);

/// What opening a segment counts as, in bytes scanned.
const SEGMENT_OPEN_BYTES: u64 = 4096;
/// Further damage is not noted.
const DAMAGE_LIMIT: usize = 16;

/// A stream as it was when a read began.
#[derive(Debug)]
pub(crate) struct StreamView {
    pub(crate) id: u64,
    pub(crate) segments: Vec<Segment>,
    pub(crate) tail: Option<TailView>,
}

/// Events that were in memory.
#[derive(Debug)]
pub(crate) struct TailView {
    pub(crate) first_sequence: u64,
    pub(crate) summary: Summary,
    pub(crate) chunks: Vec<u8>,
}

/// Where and how to read.
pub(crate) struct Scan<'a> {
    pub(crate) segments: &'a Path,
    pub(crate) direction: Direction,
    /// The first key that is wanted.
    pub(crate) low: Key,
    /// The first key beyond those that are wanted.
    pub(crate) high: Key,
    pub(crate) cache_bytes: usize,
    /// Reading ends after this many bytes.
    pub(crate) scan_bytes: u64,
    /// Says of the bytes of a block whether anything in it can be wanted.
    pub(crate) may_match: &'a dyn Fn(&[u8]) -> bool,
}

#[derive(Debug)]
enum Source {
    Segment { stream: u64, segment: Segment },
    Block { stream: u64, number: u32, offset: u64, header: BlockHeader },
    Tail { stream: u64, tail: TailView },
}

/// The next event of a source; ordered by key alone where keys differ, and they do.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    /// In reading order: see [`Merge::oriented`].
    key: Key,
    /// Which of the source's events is next, in reading order; `None` before it is opened. What
    /// is not opened comes first where keys are the same, since it may hold an event of that key.
    next: Option<usize>,
    source: usize,
}

/// The events of a block in the order of their keys, without those out of range.
struct Opened {
    bytes: Vec<u8>,
    records: Vec<Record>,
    used: u64,
}

impl Opened {
    fn memory_bytes(&self) -> usize {
        self.bytes.len() + self.records.len() * size_of::<Record>()
    }
}

pub(crate) struct Merge<'a> {
    scan: Scan<'a>,
    sources: Vec<Source>,
    heap: BinaryHeap<Reverse<Entry>>,
    opened: BTreeMap<usize, Rc<Opened>>,
    opened_bytes: usize,
    uses: u64,
    scanned_bytes: u64,
    pub(crate) damage: Vec<Damage>,
}

const fn stream_of(source: &Source) -> u64 {
    match source {
        Source::Segment { stream, .. }
        | Source::Block { stream, .. }
        | Source::Tail { stream, .. } => *stream,
    }
}

impl<'a> Merge<'a> {
    pub(crate) fn new(scan: Scan<'a>, streams: Vec<StreamView>) -> Self {
        let mut merge = Self {
            scan,
            sources: Vec::new(),
            heap: BinaryHeap::new(),
            opened: BTreeMap::new(),
            opened_bytes: 0,
            uses: 0,
            scanned_bytes: 0,
            damage: Vec::new(),
        };
        for view in streams {
            let stream = view.id;
            for segment in view.segments {
                let bounds = (segment.first_ms, segment.last_ms);
                merge.add(Source::Segment { stream, segment }, bounds);
            }
            if let Some(tail) = view.tail {
                let bounds = (tail.summary.first_ms, tail.summary.last_ms);
                merge.add(Source::Tail { stream, tail }, bounds);
            }
        }
        merge
    }

    /// Adds a source with the timestamps it holds, unless nothing in it can be wanted.
    fn add(&mut self, source: Source, (first_ms, last_ms): (i64, i64)) {
        let stream = stream_of(&source);
        let first = (first_ms, stream, 0).max(self.scan.low);
        // A key beyond all of the source's events, as `high` is.
        let beyond = (last_ms, stream, u64::MAX).min(self.scan.high);
        if first < beyond {
            let key = match self.scan.direction {
                Direction::Forward => first,
                Direction::Backward => self.oriented(beyond),
            };
            self.heap.push(Reverse(Entry { key, source: self.sources.len(), next: None }));
            self.sources.push(source);
        }
    }

    /// A key turned so that what is read first is smallest.
    const fn oriented(&self, key: Key) -> Key {
        match self.scan.direction {
            Direction::Forward => key,
            Direction::Backward => (!key.0, !key.1, !key.2),
        }
    }

    /// Gives events to `visit`, in order, until it breaks or enough was read.
    ///
    /// Returns the gap between events where reading goes on; `None` when there is nothing left.
    pub(crate) fn run(
        &mut self,
        mut visit: impl FnMut(u64, &Record, &[u8]) -> ControlFlow<()>,
    ) -> Result<Option<Key>, LogError> {
        let start = self.heap.peek().map(|Reverse(entry)| self.gap(entry));
        while let Some(Reverse(entry)) = self.heap.pop() {
            // A call that gets no further than its beginning would be repeated for ever.
            if self.scanned_bytes >= self.scan.scan_bytes && Some(self.gap(&entry)) != start {
                self.heap.push(Reverse(entry));
                break;
            }
            if self.open_segment(entry.source)? {
                continue;
            }
            let Some(opened) = self.open(entry.source)? else {
                continue;
            };
            if self.drain(&entry, &opened, &mut visit).is_break() {
                break;
            }
        }
        Ok(self.heap.peek().map(|Reverse(entry)| self.gap(entry)))
    }

    /// The gap before an entry's event: events at or after it when reading forward, before it
    /// when reading backward, are still to come.
    fn gap(&self, entry: &Entry) -> Key {
        let (timestamp_ms, stream, sequence) = self.oriented(entry.key);
        match self.scan.direction {
            Direction::Forward => (timestamp_ms, stream, sequence),
            Direction::Backward if entry.next.is_none() => (timestamp_ms, stream, sequence),
            Direction::Backward => (timestamp_ms, stream, sequence.saturating_add(1)),
        }
    }

    /// Gives away the events of one source as long as no other source has an earlier one.
    fn drain(
        &mut self,
        entry: &Entry,
        opened: &Rc<Opened>,
        visit: &mut impl FnMut(u64, &Record, &[u8]) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let stream = self.sources.get(entry.source).map_or(0, stream_of);
        let until = self.heap.peek().map(|Reverse(entry)| entry.key);
        let count = opened.records.len();
        let mut next = entry.next.unwrap_or(0);
        while next < count {
            let place = match self.scan.direction {
                Direction::Forward => next,
                Direction::Backward => count - 1 - next,
            };
            let Some(record) = opened.records.get(place) else {
                break;
            };
            let key = self.oriented((record.timestamp_ms, stream, record.sequence));
            if until.is_some_and(|until| key >= until) {
                self.heap.push(Reverse(Entry { key, source: entry.source, next: Some(next) }));
                return ControlFlow::Continue(());
            }
            next += 1;
            if visit(stream, record, record.message(&opened.bytes)).is_break() {
                self.push_rest(entry.source, opened, next);
                return ControlFlow::Break(());
            }
        }
        self.close(entry.source);
        ControlFlow::Continue(())
    }

    /// Puts a source back with its event number `next`, if it has one.
    fn push_rest(&mut self, source: usize, opened: &Opened, next: usize) {
        let stream = self.sources.get(source).map_or(0, stream_of);
        let place = match self.scan.direction {
            Direction::Forward => Some(next),
            Direction::Backward => (opened.records.len() - 1).checked_sub(next),
        };
        if let Some(record) = place.and_then(|place| opened.records.get(place)) {
            let key = self.oriented((record.timestamp_ms, stream, record.sequence));
            self.heap.push(Reverse(Entry { key, source, next: Some(next) }));
        }
    }

    /// If the source is a segment, replaces it by its blocks.
    fn open_segment(&mut self, source: usize) -> Result<bool, LogError> {
        let Some(Source::Segment { stream, segment }) = self.sources.get(source) else {
            return Ok(false);
        };
        let (stream, segment) = (*stream, *segment);
        let path = segment_path(self.scan.segments, stream, segment.number);
        self.scanned_bytes += SEGMENT_OPEN_BYTES;
        let Some(file) = open_file(&path)? else {
            return Ok(true);
        };
        let mut damage = Vec::new();
        let headers = read_headers(&file, &path, segment.length_bytes, &mut damage)?;
        self.scanned_bytes += (headers.len() * HEADER_BYTES) as u64;
        damage.into_iter().for_each(|damage| self.note(damage));
        for (offset, header) in headers {
            let bounds = (header.summary.first_ms, header.summary.last_ms);
            let number = segment.number;
            self.add(Source::Block { stream, number, offset, header }, bounds);
        }
        Ok(true)
    }

    fn note(&mut self, damage: Damage) {
        if self.damage.len() < DAMAGE_LIMIT {
            self.damage.push(damage);
        }
    }

    /// The events of a block or of memory; `None` when none are wanted or it cannot be read.
    fn open(&mut self, source: usize) -> Result<Option<Rc<Opened>>, LogError> {
        self.uses += 1;
        if let Some(opened) = self.opened.get_mut(&source) {
            if let Some(opened) = Rc::get_mut(opened) {
                opened.used = self.uses;
            }
            return Ok(Some(Rc::clone(opened)));
        }
        let (bytes, first_sequence, sorted) = match self.sources.get_mut(source) {
            Some(Source::Tail { tail, .. }) => {
                // A tail is read once unless it is dropped, so it is kept.
                (tail.chunks.clone(), tail.first_sequence, tail.summary.sorted)
            }
            Some(Source::Block { stream, number, offset, header }) => {
                let (offset, header) = (*offset, *header);
                let path = segment_path(self.scan.segments, *stream, *number);
                let Some(file) = open_file(&path)? else {
                    return Ok(None);
                };
                match read_body(&file, &path, offset, &header)? {
                    Ok(bytes) => (bytes, header.first_sequence, header.summary.sorted),
                    Err(reason) => {
                        self.note(Damage { path, offset_bytes: offset, reason });
                        return Ok(None);
                    }
                }
            }
            Some(Source::Segment { .. }) | None => return Ok(None),
        };
        self.scanned_bytes += bytes.len() as u64;
        if !(self.scan.may_match)(&bytes) {
            return Ok(None);
        }
        let Some(mut records) = decode_chunks(&bytes, first_sequence) else {
            self.note_undecodable(source);
            return Ok(None);
        };
        if !sorted {
            records.sort_by_key(|record| (record.timestamp_ms, record.sequence));
        }
        self.keep_wanted(source, &mut records);
        let opened = Rc::new(Opened { bytes, records, used: self.uses });
        self.cache(source, &opened);
        Ok(Some(opened))
    }

    fn note_undecodable(&mut self, source: usize) {
        if let Some(Source::Block { stream, number, offset, .. }) = self.sources.get(source) {
            let path = segment_path(self.scan.segments, *stream, *number);
            let reason = "the events of a block make no sense";
            self.note(Damage { path, offset_bytes: *offset, reason });
        }
    }

    /// Drops the events out of range from sorted records.
    fn keep_wanted(&self, source: usize, records: &mut Vec<Record>) {
        let stream = self.sources.get(source).map_or(0, stream_of);
        let before = |bound: Key| {
            move |record: &Record| (record.timestamp_ms, stream, record.sequence) < bound
        };
        records.truncate(records.partition_point(before(self.scan.high)));
        let unwanted = records.partition_point(before(self.scan.low));
        records.drain(..unwanted);
    }

    fn cache(&mut self, source: usize, opened: &Rc<Opened>) {
        self.opened_bytes += opened.memory_bytes();
        self.opened.insert(source, Rc::clone(opened));
        while self.opened_bytes > self.scan.cache_bytes && self.opened.len() > 1 {
            let oldest = self.opened.iter().min_by_key(|(_, opened)| opened.used);
            let Some(oldest) = oldest.map(|(source, _)| *source) else {
                break;
            };
            self.close(oldest);
        }
    }

    fn close(&mut self, source: usize) {
        if let Some(opened) = self.opened.remove(&source) {
            self.opened_bytes -= opened.memory_bytes();
        }
    }
}

/// `None` when the file was deleted since the read began.
fn open_file(path: &Path) -> Result<Option<File>, LogError> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(LogError::io("open", path)(error)),
    }
}
