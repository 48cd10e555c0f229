//! Events as bytes: chunks of delta-coded records, the same in the log, in memory and in blocks.
//!
//! A chunk is what was appended together: `body length`, `count`, `ingestion time`, then for each
//! record `timestamp - previous timestamp`, `message length`, message. Numbers are LEB128, signed
//! ones zigzag. A block is any number of chunks one after the other.

use crate::EventRef;

/// One event inside decoded bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) timestamp_ms: i64,
    pub(crate) ingestion_ms: i64,
    /// The event's place in its stream.
    pub(crate) sequence: u64,
    /// Where the message begins.
    pub(crate) offset: u32,
    pub(crate) message_bytes: u32,
}

impl Record {
    /// The message inside the bytes that the record was decoded from.
    pub(crate) fn message<'bytes>(&self, bytes: &'bytes [u8]) -> &'bytes [u8] {
        let start = self.offset as usize;
        bytes.get(start..start.saturating_add(self.message_bytes as usize)).unwrap_or_default()
    }
}

/// What is known about the events of a chunk or block without decoding it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Summary {
    pub(crate) count: u32,
    pub(crate) first_ms: i64,
    pub(crate) last_ms: i64,
    /// Whether timestamps never decrease; then `first_ms` and `last_ms` are the first and last.
    pub(crate) sorted: bool,
    /// Message bytes plus [`EVENT_OVERHEAD_BYTES`] for each event, as AWS bills them.
    pub(crate) stored_bytes: u64,
}

/// What AWS counts for an event beyond its message.
pub(crate) const EVENT_OVERHEAD_BYTES: usize = 26;

impl Summary {
    /// The summary of these events followed by `next`.
    pub(crate) fn joined(self, next: Self) -> Self {
        Self {
            count: self.count.saturating_add(next.count),
            first_ms: self.first_ms.min(next.first_ms),
            last_ms: self.last_ms.max(next.last_ms),
            sorted: self.sorted && next.sorted && self.last_ms <= next.first_ms,
            stored_bytes: self.stored_bytes.saturating_add(next.stored_bytes),
        }
    }
}

pub(crate) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        #[expect(clippy::cast_possible_truncation, reason = "the low seven bits are wanted")]
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    #[expect(clippy::cast_possible_truncation, reason = "less than 0x80")]
    out.push(value as u8);
}

pub(crate) const fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

const fn unzigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -((value & 1).cast_signed())
}

/// Reads numbers and bytes off the front of a slice; `None` means that it ends too early.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cursor<'a> {
    whole: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) const fn new(whole: &'a [u8]) -> Self {
        Self { whole, at: 0 }
    }

    pub(crate) const fn is_at_end(&self) -> bool {
        self.at >= self.whole.len()
    }

    pub(crate) fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = *self.whole.get(self.at)?;
            self.at += 1;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    pub(crate) fn bytes(&mut self, length: u64) -> Option<&'a [u8]> {
        let end = self.at.checked_add(usize::try_from(length).ok()?)?;
        let bytes = self.whole.get(self.at..end)?;
        self.at = end;
        Some(bytes)
    }

    pub(crate) fn rest(&self) -> &'a [u8] {
        self.whole.get(self.at..).unwrap_or_default()
    }
}

/// Appends one chunk of `events` to `out`; `None` when there are none.
pub(crate) fn encode_chunk(
    out: &mut Vec<u8>,
    body: &mut Vec<u8>,
    ingestion_ms: i64,
    events: &[EventRef<'_>],
) -> Option<Summary> {
    body.clear();
    let first = events.first()?;
    let mut summary = Summary {
        count: u32::try_from(events.len()).unwrap_or(u32::MAX),
        first_ms: first.timestamp_ms,
        last_ms: first.timestamp_ms,
        sorted: true,
        stored_bytes: 0,
    };
    put_varint(body, u64::from(summary.count));
    put_varint(body, zigzag(ingestion_ms));
    let mut previous = 0;
    for event in events {
        put_varint(body, zigzag(event.timestamp_ms.wrapping_sub(previous)));
        put_varint(body, event.message.len() as u64);
        body.extend_from_slice(event.message);
        summary.sorted &= event.timestamp_ms >= summary.last_ms;
        summary.first_ms = summary.first_ms.min(event.timestamp_ms);
        summary.last_ms = summary.last_ms.max(event.timestamp_ms);
        summary.stored_bytes += (event.message.len() + EVENT_OVERHEAD_BYTES) as u64;
        previous = event.timestamp_ms;
    }
    put_varint(out, body.len() as u64);
    out.extend_from_slice(body);
    Some(summary)
}

/// Decodes the chunks in `bytes`, whose first event is number `sequence` of its stream.
///
/// `None` when the bytes are not whole chunks.
pub(crate) fn decode_chunks(bytes: &[u8], mut sequence: u64) -> Option<Vec<Record>> {
    let mut records = Vec::new();
    let mut cursor = Cursor::new(bytes);
    while !cursor.is_at_end() {
        cursor.varint()?;
        let count = cursor.varint()?;
        let ingestion_ms = unzigzag(cursor.varint()?);
        // A record is at least two bytes long, so that a wrong count cannot reserve much.
        records.reserve(usize::try_from(count).ok()?.min(cursor.rest().len() / 2));
        let mut timestamp_ms = 0_i64;
        for _ in 0..count {
            timestamp_ms = timestamp_ms.wrapping_add(unzigzag(cursor.varint()?));
            let message_bytes = cursor.varint()?;
            let offset = u32::try_from(cursor.at).ok()?;
            cursor.bytes(message_bytes)?;
            records.push(Record {
                timestamp_ms,
                ingestion_ms,
                sequence,
                offset,
                message_bytes: u32::try_from(message_bytes).ok()?,
            });
            sequence = sequence.checked_add(1)?;
        }
    }
    Some(records)
}

/// What [`encode_chunk`] found out about the chunks in `bytes`, and their last ingestion time.
pub(crate) fn summarize(bytes: &[u8]) -> Option<(Summary, i64)> {
    let records = decode_chunks(bytes, 0)?;
    let last_ingestion_ms = records.last()?.ingestion_ms;
    let summary = records
        .iter()
        .map(|record| Summary {
            count: 1,
            first_ms: record.timestamp_ms,
            last_ms: record.timestamp_ms,
            sorted: true,
            stored_bytes: u64::from(record.message_bytes) + EVENT_OVERHEAD_BYTES as u64,
        })
        .reduce(Summary::joined)?;
    Some((summary, last_ingestion_ms))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn events_come_back_as_they_went_in(
            batches in proptest::collection::vec(
                proptest::collection::vec((any::<i64>(), any::<Vec<u8>>()), 1..5), 1..4),
        ) {
            let mut bytes = Vec::new();
            let mut joined: Option<Summary> = None;
            for (batch, events) in (0_i64..).zip(&batches) {
                let events: Vec<EventRef<'_>> = events
                    .iter()
                    .map(|(timestamp_ms, message)| EventRef { timestamp_ms: *timestamp_ms, message })
                    .collect();
                let summary =
                    encode_chunk(&mut bytes, &mut Vec::new(), batch, &events).unwrap();
                joined = Some(joined.map_or(summary, |before| before.joined(summary)));
            }
            let records = decode_chunks(&bytes, 7).unwrap();
            let flat: Vec<(i64, i64, &[u8])> = (0_i64..)
                .zip(&batches)
                .flat_map(|(batch, events)| {
                    events.iter().map(move |(time, message)| (*time, batch, &message[..]))
                })
                .collect();
            let read: Vec<(i64, i64, &[u8])> = records
                .iter()
                .map(|r| (r.timestamp_ms, r.ingestion_ms, r.message(&bytes)))
                .collect();
            prop_assert_eq!(&read, &flat);
            prop_assert_eq!(records.first().unwrap().sequence, 7);
            prop_assert_eq!(summarize(&bytes).unwrap(), (joined.unwrap(), flat.last().unwrap().1));
        }

        #[test]
        fn any_bytes_are_decoded_or_refused_without_a_panic(bytes in any::<Vec<u8>>()) {
            if let Some(records) = decode_chunks(&bytes, u64::MAX - 1) {
                for record in records {
                    record.message(&bytes);
                }
            }
        }
    }
}
