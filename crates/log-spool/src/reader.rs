//! The reading side: one per container, in the agent.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::frame::{HEADER_BYTES, Header, LINE_LIMIT_BYTES, Stream};
use crate::{SpoolError, parse_segment_name, segment_name};

/// A place between two frames of a spool. The default is its beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct Position {
    /// The segment's number.
    pub segment: u64,
    /// Bytes from the segment's beginning.
    pub offset_bytes: u64,
}

/// Reads a spool from a position on.
#[derive(Debug)]
pub struct SpoolReader {
    directory: PathBuf,
    position: Position,
    file: Option<File>,
    buffer: Vec<u8>,
    /// Bytes of `buffer` that are whole frames, the current batch.
    batch_bytes: usize,
    /// Whether the end mark is among them.
    batch_ended: bool,
    /// Segments below this one have been deleted by us.
    deleted_below: u64,
}

/// Frames read together.
#[derive(Debug)]
pub struct Batch<'a> {
    frames: &'a [u8],
    next: Position,
    ended: bool,
}

/// A line, or a piece of a very long one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// When it arrived, milliseconds since the Unix epoch.
    pub timestamp_ms: i64,
    /// Where it was written to.
    pub stream: Stream,
    /// Whether the line goes on in the stream's next record.
    pub partial: bool,
    /// The text without its line feed, at most [`LINE_LIMIT_BYTES`] long; any bytes at all.
    pub line: &'a [u8],
}

/// Iterator over the records of a [`Batch`].
#[derive(Debug)]
pub struct Records<'a> {
    frames: &'a [u8],
    header: Option<Header>,
    payload: &'a [u8],
}

impl SpoolReader {
    /// Reads the spool in `directory` from `position` on. The directory need not exist yet.
    pub fn open(directory: &Path, position: Position) -> Self {
        Self {
            directory: directory.to_owned(),
            position,
            file: None,
            buffer: Vec::new(),
            batch_bytes: 0,
            batch_ended: false,
            deleted_below: 0,
        }
    }

    /// Where the next batch begins.
    pub fn position(&self) -> Position {
        self.position
    }

    /// Reads the frames that follow, as many as fit into `max_bytes` but at least one when there
    /// is one, and moves on behind them. An empty batch means that there is nothing to read now.
    ///
    /// A segment that ends in half a frame (the machine went down) is read up to there.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn read_batch(&mut self, max_bytes: usize) -> Result<Batch<'_>, SpoolError> {
        self.advance(max_bytes)?;
        Ok(self.batch())
    }

    /// Reads as [`SpoolReader::read_batch`]; whether there was something. The batch is to be had
    /// from [`SpoolReader::batch`] until the next call.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn advance(&mut self, max_bytes: usize) -> Result<bool, SpoolError> {
        loop {
            // Asked before reading: once a later segment is there, this one does not grow.
            let next = self.next_segment()?;
            self.fill(max_bytes)?;
            let mut found = scan(&self.buffer);
            if found.whole_bytes == 0
                && found.wanted_bytes > self.buffer.len()
                && found.wanted_bytes <= LONGEST_FRAME_BYTES
            {
                self.fill(found.wanted_bytes)?;
                found = scan(&self.buffer);
            }
            self.batch_bytes = found.whole_bytes;
            self.batch_ended = found.ended;
            self.position.offset_bytes += found.whole_bytes as u64;
            if found.whole_bytes > 0 {
                return Ok(true);
            }
            let Some(next) = next else { return Ok(false) };
            self.position = Position { segment: next, offset_bytes: 0 };
            self.file = None;
        }
    }

    /// What the last [`SpoolReader::advance`] read.
    pub fn batch(&self) -> Batch<'_> {
        Batch {
            frames: self.buffer.get(..self.batch_bytes).unwrap_or_default(),
            next: self.position,
            ended: self.batch_ended,
        }
    }

    /// Deletes the segments that lie wholly before `position`, which the caller has made sure
    /// never to need again.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn commit(&mut self, position: Position) -> Result<(), SpoolError> {
        if position.segment <= self.deleted_below {
            return Ok(());
        }
        for segment in self.segments()? {
            if segment < position.segment {
                let path = self.directory.join(segment_name(segment));
                match std::fs::remove_file(&path) {
                    Err(source) if source.kind() != io::ErrorKind::NotFound => {
                        return Err(SpoolError::Io { action: "delete", path, source });
                    }
                    Ok(()) | Err(_) => {}
                }
            }
        }
        self.deleted_below = position.segment;
        Ok(())
    }

    fn fill(&mut self, bytes: usize) -> Result<(), SpoolError> {
        let path = self.directory.join(segment_name(self.position.segment));
        let file = match self.file.take() {
            Some(file) => file,
            None => match File::open(&path) {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    self.buffer.clear();
                    return Ok(());
                }
                Err(source) => return Err(SpoolError::Io { action: "open", path, source }),
            },
        };
        self.buffer.resize(bytes.max(HEADER_BYTES), 0);
        let mut filled = 0;
        while let Some(space) = self.buffer.get_mut(filled..).filter(|space| !space.is_empty()) {
            match file.read_at(space, self.position.offset_bytes + filled as u64) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => return Err(SpoolError::Io { action: "read", path, source }),
            }
        }
        self.buffer.truncate(filled);
        self.file = Some(file);
        Ok(())
    }

    /// The lowest segment after the current one.
    fn next_segment(&self) -> Result<Option<u64>, SpoolError> {
        let following = self.position.segment.saturating_add(1);
        if self.directory.join(segment_name(following)).symlink_metadata().is_ok() {
            return Ok(Some(following));
        }
        // Without the current one, the position is from before a clean-up: go to what is left.
        if self.file.is_some()
            || self.directory.join(segment_name(self.position.segment)).symlink_metadata().is_ok()
        {
            return Ok(None);
        }
        Ok(self.segments()?.into_iter().filter(|segment| *segment > self.position.segment).min())
    }

    fn segments(&self) -> Result<Vec<u64>, SpoolError> {
        let failed =
            |source| SpoolError::Io { action: "list", path: self.directory.clone(), source };
        let entries = match std::fs::read_dir(&self.directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed(error)),
        };
        let mut segments = Vec::new();
        for entry in entries {
            let entry = entry.map_err(failed)?;
            segments.extend(entry.file_name().to_str().and_then(parse_segment_name));
        }
        Ok(segments)
    }
}

const LONGEST_FRAME_BYTES: usize = HEADER_BYTES + 2 * LINE_LIMIT_BYTES;

struct Found {
    /// Bytes of whole frames.
    whole_bytes: usize,
    /// What the first incomplete frame needs in all, 0 when none begins.
    wanted_bytes: usize,
    /// Whether the end mark is among the whole ones.
    ended: bool,
}

fn scan(bytes: &[u8]) -> Found {
    let mut found = Found { whole_bytes: 0, wanted_bytes: 0, ended: false };
    while let Some(header) = bytes.get(found.whole_bytes..).and_then(Header::decode) {
        let frame_bytes = HEADER_BYTES + header.payload_bytes as usize;
        if bytes.len() - found.whole_bytes < frame_bytes {
            found.wanted_bytes = frame_bytes;
            break;
        }
        found.ended |= header.stream.is_none();
        found.whole_bytes += frame_bytes;
    }
    found
}

impl<'a> Batch<'a> {
    /// The lines, in the order they were written.
    pub fn records(&self) -> Records<'a> {
        Records { frames: self.frames, header: None, payload: &[] }
    }

    /// The position after the batch, to be kept once the records are safe.
    pub fn next(&self) -> Position {
        self.next
    }

    /// Whether nothing was there to read. A batch with the end mark alone is not empty.
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Whether the container has written its last: nothing follows this batch.
    pub fn ended(&self) -> bool {
        self.ended
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Record<'a>;

    fn next(&mut self) -> Option<Record<'a>> {
        loop {
            if let Some(Header { stream: Some(stream), partial, timestamp_ms, .. }) = self.header
                && !self.payload.is_empty()
            {
                let line_feed = if partial { None } else { memchr::memchr(b'\n', self.payload) };
                let line_bytes = line_feed.unwrap_or(self.payload.len());
                let (line, rest) = self.payload.split_at(line_bytes);
                self.payload = rest.get(1..).unwrap_or_default();
                return Some(Record { timestamp_ms, stream, partial, line });
            }
            let header = Header::decode(self.frames)?;
            let (_, rest) = self.frames.split_at_checked(HEADER_BYTES)?;
            let (payload, frames) = rest.split_at_checked(header.payload_bytes as usize)?;
            self.header = Some(header);
            self.payload = payload;
            self.frames = frames;
        }
    }
}
