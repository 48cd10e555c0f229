//! The files that lines are in.
//!
//! `segment-FIRST.jsonl` is being written, or was; `segment-FIRST-LAST-FROM-TO.jsonl.zst` is closed
//! and packed, with the times of its lines in milliseconds.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::AuditError;

/// The longest line that is read; longer than any that is written.
const MAX_LINE_BYTES: u64 = 512 * 1024;

/// What is in a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) last: u64,
    pub(crate) from_ms: i64,
    pub(crate) to_ms: i64,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Segment {
    /// Sequence number of its first line.
    pub(crate) first: u64,
    pub(crate) path: PathBuf,
    /// Known of packed segments, and of those that this program closed.
    pub(crate) span: Option<Span>,
}

impl Segment {
    pub(crate) fn unpacked(directory: &Path, first: u64) -> Self {
        let path = directory.join(format!("segment-{first:020}.jsonl"));
        Self { first, path, span: None }
    }

    fn packed(directory: &Path, first: u64, span: Span) -> Self {
        let Span { last, from_ms, to_ms } = span;
        let name = format!("segment-{first:020}-{last:020}-{from_ms}-{to_ms}.jsonl.zst");
        Self { first, path: directory.join(name), span: Some(span) }
    }

    pub(crate) fn is_packed(&self) -> bool {
        self.path.extension().is_some_and(|extension| extension == "zst")
    }

    fn parse(path: PathBuf) -> Option<Self> {
        let name = path.file_name()?.to_str()?.strip_prefix("segment-")?;
        if let Some(first) = name.strip_suffix(".jsonl") {
            let first = first.parse().ok()?;
            return Some(Self { first, path, span: None });
        }
        let mut parts = name.strip_suffix(".jsonl.zst")?.splitn(4, '-');
        let first = parts.next()?.parse().ok()?;
        let last = parts.next()?.parse().ok()?;
        let from_ms = parts.next()?.parse().ok()?;
        let to_ms = parts.next()?.parse().ok()?;
        Some(Self { first, path, span: Some(Span { last, from_ms, to_ms }) })
    }

    /// Every segment, in order. Of one that is there packed and not, the packed one.
    pub(crate) fn list(directory: &Path) -> Result<Vec<Self>, AuditError> {
        let failed = || AuditError::io("list", directory);
        let mut segments = Vec::new();
        for entry in fs::read_dir(directory).map_err(failed())? {
            segments.extend(Self::parse(entry.map_err(failed())?.path()));
        }
        segments.sort_by_key(|segment| (segment.first, !segment.is_packed()));
        segments.dedup_by_key(|segment| segment.first);
        Ok(segments)
    }

    pub(crate) fn lines(&self) -> Result<Lines, AuditError> {
        let failed = || AuditError::io("read", &self.path);
        let file = File::open(&self.path).map_err(failed())?;
        let reader: Box<dyn BufRead + Send> = if self.is_packed() {
            let decoder = zstd::stream::read::Decoder::new(file).map_err(failed())?;
            Box::new(BufReader::with_capacity(256 << 10, decoder))
        } else {
            Box::new(BufReader::with_capacity(256 << 10, file))
        };
        Ok(Lines { reader, path: self.path.clone(), offset: 0, line: Vec::new() })
    }

    /// Packs a closed segment and removes the original. Returns the packed one.
    pub(crate) fn pack(&self, span: Span) -> Result<Self, AuditError> {
        let directory = self.path.parent().unwrap_or(Path::new("."));
        let packed = Self::packed(directory, self.first, span);
        let temporary = self.path.with_extension("tmp");
        let pack = || {
            let mut options = fs::OpenOptions::new();
            options.write(true).create(true).truncate(true).mode(0o600);
            let mut encoder = zstd::stream::write::Encoder::new(options.open(&temporary)?, 3)?;
            encoder.include_checksum(true)?;
            io::copy(&mut File::open(&self.path)?, &mut encoder)?;
            let mut file = encoder.finish()?;
            file.flush()?;
            file.sync_all()?;
            fs::rename(&temporary, &packed.path)?;
            File::open(directory)?.sync_all()?;
            fs::remove_file(&self.path)
        };
        pack().map_err(AuditError::io("pack", &self.path))?;
        Ok(packed)
    }
}

/// The lines of a segment.
pub(crate) struct Lines {
    reader: Box<dyn BufRead + Send>,
    path: PathBuf,
    /// Where the line that was read last ends.
    pub(crate) offset: u64,
    line: Vec<u8>,
}

/// What was read.
#[derive(Debug)]
pub(crate) enum Read1<'a> {
    /// A line, without its line feed.
    Line(&'a [u8]),
    /// Something without a line feed, or too long.
    Torn,
    End,
}

impl Lines {
    pub(crate) fn next(&mut self) -> Result<Read1<'_>, AuditError> {
        self.line.clear();
        let mut limited = self.reader.by_ref().take(MAX_LINE_BYTES);
        let count = limited
            .read_until(b'\n', &mut self.line)
            .map_err(AuditError::io("read", &self.path))?;
        if count == 0 {
            return Ok(Read1::End);
        }
        match self.line.strip_suffix(b"\n") {
            Some(line) => {
                self.offset = self.offset.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
                Ok(Read1::Line(line))
            }
            None => Ok(Read1::Torn),
        }
    }
}
