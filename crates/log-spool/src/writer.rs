//! The writing side: one per container, in its shim.

use std::fs::{File, OpenOptions};
use std::io::{IoSlice, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::frame::{HEADER_BYTES, Header, LINE_LIMIT_BYTES, Stream};
use crate::{SpoolError, segment_name};

/// How large a spool may grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Size in bytes at which a new segment is begun.
    pub segment_bytes: u64,
    /// Size in bytes of all segments not yet deleted by the reader at which [`SpoolWriter::has_room`]
    /// says no.
    pub total_bytes: u64,
}

/// Appends a container's output to its spool.
#[derive(Debug)]
pub struct SpoolWriter {
    directory: PathBuf,
    limits: Limits,
    file: File,
    segment: u64,
    segment_bytes: u64,
    /// Earlier segments that the reader had not deleted when last looked, with their sizes.
    earlier: Vec<(u64, u64)>,
    /// The unfinished line of each stream.
    stdout_rest: Vec<u8>,
    stderr_rest: Vec<u8>,
}

impl SpoolWriter {
    /// Begins a spool in `directory`, which exists and is empty.
    ///
    /// # Errors
    /// When the first segment cannot be made.
    pub fn create(directory: &Path, limits: Limits) -> Result<Self, SpoolError> {
        Ok(Self {
            directory: directory.to_owned(),
            limits,
            file: create_segment(directory, 0)?,
            segment: 0,
            segment_bytes: 0,
            earlier: Vec::new(),
            stdout_rest: Vec::new(),
            stderr_rest: Vec::new(),
        })
    }

    /// Whether more may be written. Looks which segments the reader has deleted only when the
    /// spool seems full, so it costs nothing otherwise.
    pub fn has_room(&mut self) -> bool {
        if self.total_bytes() < self.limits.total_bytes {
            return true;
        }
        let directory = &self.directory;
        self.earlier.retain(|(segment, _)| {
            directory.join(segment_name(*segment)).symlink_metadata().is_ok()
        });
        self.total_bytes() < self.limits.total_bytes
    }

    fn total_bytes(&self) -> u64 {
        self.segment_bytes + self.earlier.iter().map(|(_, bytes)| bytes).sum::<u64>()
    }

    /// Appends what arrived on `stream` at `timestamp_ms`. `chunk` has at most
    /// [`LINE_LIMIT_BYTES`] bytes; a longer one may be written in pieces by the caller.
    ///
    /// # Errors
    /// When the file system refuses, for example because it is full. Nothing of `chunk` has been
    /// written then: the same chunk may be tried again later.
    pub fn write(
        &mut self,
        stream: Stream,
        timestamp_ms: i64,
        chunk: &[u8],
    ) -> Result<(), SpoolError> {
        let rest = std::mem::take(self.rest_mut(stream));
        match self.write_after(stream, timestamp_ms, &rest, chunk) {
            Ok(()) => Ok(()),
            Err(Refused { error, rest_written }) => {
                if !rest_written {
                    *self.rest_mut(stream) = rest;
                }
                Err(error)
            }
        }
    }

    fn write_after(
        &mut self,
        stream: Stream,
        timestamp_ms: i64,
        rest: &[u8],
        chunk: &[u8],
    ) -> Result<(), Refused> {
        let refused = |error| Refused { error, rest_written: false };
        let first_line_bytes = memchr::memchr(b'\n', chunk).unwrap_or(chunk.len());
        let mut rest = rest;
        if !rest.is_empty() && rest.len() + first_line_bytes > LINE_LIMIT_BYTES {
            self.append(Some(stream), true, timestamp_ms, [rest, &[]]).map_err(refused)?;
            rest = &[];
        }
        let rest_written = rest.is_empty();
        let whole_bytes = memchr::memrchr(b'\n', chunk).map_or(0, |index| index + 1);
        let (whole, unfinished) = chunk.split_at(whole_bytes);
        if whole.is_empty() {
            let kept = self.rest_mut(stream);
            kept.extend_from_slice(rest);
            kept.extend_from_slice(unfinished);
            return Ok(());
        }
        self.append(Some(stream), false, timestamp_ms, [rest, whole])
            .map_err(|error| Refused { error, rest_written })?;
        self.rest_mut(stream).extend_from_slice(unfinished);
        Ok(())
    }

    /// Writes the unfinished lines and the mark that says that no more will come.
    ///
    /// # Errors
    /// As [`SpoolWriter::write`]; may be tried again.
    pub fn finish(&mut self, timestamp_ms: i64) -> Result<(), SpoolError> {
        for stream in [Stream::Stdout, Stream::Stderr] {
            let rest = std::mem::take(self.rest_mut(stream));
            if rest.is_empty() {
                continue;
            }
            if let Err(error) = self.append(Some(stream), false, timestamp_ms, [&rest, &[]]) {
                *self.rest_mut(stream) = rest;
                return Err(error);
            }
        }
        self.append(None, false, timestamp_ms, [&[], &[]])
    }

    fn rest_mut(&mut self, stream: Stream) -> &mut Vec<u8> {
        match stream {
            Stream::Stdout => &mut self.stdout_rest,
            Stream::Stderr => &mut self.stderr_rest,
        }
    }

    fn append(
        &mut self,
        stream: Option<Stream>,
        partial: bool,
        timestamp_ms: i64,
        payload: [&[u8]; 2],
    ) -> Result<(), SpoolError> {
        if self.segment_bytes >= self.limits.segment_bytes {
            let next = self.segment + 1;
            self.file = create_segment(&self.directory, next)?;
            self.earlier.push((self.segment, self.segment_bytes));
            self.segment = next;
            self.segment_bytes = 0;
        }
        let [first, second] = payload;
        let payload_bytes = first.len() + second.len();
        let header = Header {
            stream,
            partial,
            payload_bytes: u32::try_from(payload_bytes).unwrap_or(u32::MAX),
            timestamp_ms,
        }
        .encode();
        if let Err(source) = write_all_of(&mut self.file, [&header, first, second]) {
            // Half a frame would hide what follows it.
            let path = self.directory.join(segment_name(self.segment));
            self.file.set_len(self.segment_bytes).map_err(|source| SpoolError::Io {
                action: "truncate",
                path: path.clone(),
                source,
            })?;
            return Err(SpoolError::Io { action: "append to", path, source });
        }
        self.segment_bytes += (HEADER_BYTES + payload_bytes) as u64;
        Ok(())
    }
}

struct Refused {
    error: SpoolError,
    /// Whether the unfinished line from before has been written all the same.
    rest_written: bool,
}

fn write_all_of(file: &mut File, parts: [&[u8]; 3]) -> std::io::Result<()> {
    let mut slices = parts.map(IoSlice::new);
    let mut left = slices.as_mut_slice();
    IoSlice::advance_slices(&mut left, 0);
    while !left.is_empty() {
        match file.write_vectored(left) {
            Ok(0) => return Err(std::io::ErrorKind::WriteZero.into()),
            Ok(written) => IoSlice::advance_slices(&mut left, written),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn create_segment(directory: &Path, segment: u64) -> Result<File, SpoolError> {
    let path = directory.join(segment_name(segment));
    let created = OpenOptions::new().append(true).create_new(true).mode(0o600).open(&path);
    created.map_err(|source| SpoolError::Io { action: "create", path, source })
}
