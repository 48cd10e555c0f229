//! Blocks in segment files: a checksummed header with time bounds, then zstd-compressed chunks.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::codec::Summary;
use crate::{Damage, LogError};

pub(crate) const HEADER_BYTES: usize = 64;
const MAGIC: [u8; 8] = *b"PCLOGBL1";
const COMPRESSION_LEVEL: i32 = 1;
/// A block holds at most one oversized batch beyond the flush size; both are far below this.
pub(crate) const RAW_LIMIT_BYTES: usize = 64 << 20;

/// What is known about a block before reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BlockHeader {
    pub(crate) stream: u64,
    pub(crate) first_sequence: u64,
    pub(crate) summary: Summary,
    pub(crate) raw_bytes: u32,
    pub(crate) body_bytes: u32,
    body_crc: u32,
}

fn take<const LENGTH: usize>(bytes: &mut &[u8]) -> Option<[u8; LENGTH]> {
    let (taken, rest) = bytes.split_first_chunk::<LENGTH>()?;
    *bytes = rest;
    Some(*taken)
}

impl BlockHeader {
    fn encode(&self) -> Vec<u8> {
        let mut fields = Vec::with_capacity(HEADER_BYTES);
        fields.extend_from_slice(&self.body_bytes.to_le_bytes());
        fields.extend_from_slice(&self.body_crc.to_le_bytes());
        fields.extend_from_slice(&self.raw_bytes.to_le_bytes());
        // The top bit of the count says whether the block is sorted.
        let sorted = if self.summary.sorted { 1 << 31 } else { 0 };
        fields.extend_from_slice(&(self.summary.count & !(1 << 31) | sorted).to_le_bytes());
        fields.extend_from_slice(&self.stream.to_le_bytes());
        fields.extend_from_slice(&self.first_sequence.to_le_bytes());
        fields.extend_from_slice(&self.summary.first_ms.to_le_bytes());
        fields.extend_from_slice(&self.summary.last_ms.to_le_bytes());
        let stored_bytes = u32::try_from(self.summary.stored_bytes).unwrap_or(u32::MAX);
        fields.extend_from_slice(&stored_bytes.to_le_bytes());
        let mut header = MAGIC.to_vec();
        header.extend_from_slice(&fields);
        header.extend_from_slice(&crc32fast::hash(&header).to_le_bytes());
        header
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (covered, mut crc) = bytes.get(..HEADER_BYTES)?.split_at_checked(HEADER_BYTES - 4)?;
        let mut fields = covered.strip_prefix(&MAGIC)?;
        if u32::from_le_bytes(take(&mut crc)?) != crc32fast::hash(covered) {
            return None;
        }
        let body_bytes = u32::from_le_bytes(take(&mut fields)?);
        let body_crc = u32::from_le_bytes(take(&mut fields)?);
        let raw_bytes = u32::from_le_bytes(take(&mut fields)?);
        let count = u32::from_le_bytes(take(&mut fields)?);
        Some(Self {
            body_bytes,
            body_crc,
            raw_bytes,
            stream: u64::from_le_bytes(take(&mut fields)?),
            first_sequence: u64::from_le_bytes(take(&mut fields)?),
            summary: Summary {
                count: count & !(1 << 31),
                sorted: count >> 31 == 1,
                first_ms: i64::from_le_bytes(take(&mut fields)?),
                last_ms: i64::from_le_bytes(take(&mut fields)?),
                stored_bytes: u64::from(u32::from_le_bytes(take(&mut fields)?)),
            },
        })
    }

    /// Header and body together.
    pub(crate) const fn total_bytes(&self) -> u64 {
        HEADER_BYTES as u64 + self.body_bytes as u64
    }
}

/// Makes blocks; keeps the compressor's memory between them.
pub(crate) struct BlockWriter {
    compressor: zstd::bulk::Compressor<'static>,
}

impl BlockWriter {
    pub(crate) fn new() -> std::io::Result<Self> {
        Ok(Self { compressor: zstd::bulk::Compressor::new(COMPRESSION_LEVEL)? })
    }

    /// The whole block that holds the chunks `raw`.
    pub(crate) fn encode(
        &mut self,
        stream: u64,
        first_sequence: u64,
        summary: Summary,
        raw: &[u8],
    ) -> std::io::Result<Vec<u8>> {
        let body = self.compressor.compress(raw)?;
        let too_large = |_| std::io::Error::from(std::io::ErrorKind::FileTooLarge);
        let header = BlockHeader {
            stream,
            first_sequence,
            summary,
            raw_bytes: u32::try_from(raw.len()).map_err(too_large)?,
            body_bytes: u32::try_from(body.len()).map_err(too_large)?,
            body_crc: crc32fast::hash(&body),
        };
        let mut block = header.encode();
        block.extend_from_slice(&body);
        Ok(block)
    }
}

/// The headers of all blocks in the first `length_bytes` bytes of the segment `path`, with their
/// offsets. What is damaged is passed over and noted.
pub(crate) fn read_headers(
    file: &File,
    path: &Path,
    length_bytes: u64,
    damage: &mut Vec<Damage>,
) -> Result<Vec<(u64, BlockHeader)>, LogError> {
    let mut headers = Vec::new();
    let mut offset = 0;
    let mut bytes = [0; HEADER_BYTES];
    while offset < length_bytes {
        let header = match file.read_exact_at(&mut bytes, offset) {
            Ok(()) => BlockHeader::decode(&bytes),
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => None,
            Err(error) => return Err(LogError::io("read", path)(error)),
        };
        if let Some(header) = header {
            headers.push((offset, header));
            offset = offset.saturating_add(header.total_bytes());
        } else {
            let reason = "no valid block header";
            damage.push(Damage { path: path.to_owned(), offset_bytes: offset, reason });
            match next_header(file, path, offset + 1, length_bytes)? {
                Some(next) => offset = next,
                None => break,
            }
        }
    }
    Ok(headers)
}

/// Where the next valid header at or after `from` begins.
fn next_header(
    file: &File,
    path: &Path,
    from: u64,
    length_bytes: u64,
) -> Result<Option<u64>, LogError> {
    let mut rest = vec![0; usize::try_from(length_bytes.saturating_sub(from)).unwrap_or(0)];
    let mut read = 0;
    while let Some(room) = rest.get_mut(read..).filter(|room| !room.is_empty()) {
        match file.read_at(room, from + read as u64).map_err(LogError::io("read", path))? {
            0 => break,
            more => read += more,
        }
    }
    Ok(memchr::memmem::find_iter(&rest, &MAGIC)
        .find(|at| rest.get(*at..).and_then(BlockHeader::decode).is_some())
        .map(|at| from + at as u64))
}

/// Reads and decompresses the block whose header was found at `offset`.
///
/// The outer error is the machine's, the inner one says what is wrong with the block.
pub(crate) fn read_body(
    file: &File,
    path: &Path,
    offset: u64,
    header: &BlockHeader,
) -> Result<Result<Vec<u8>, &'static str>, LogError> {
    let raw_bytes = header.raw_bytes as usize;
    if raw_bytes > RAW_LIMIT_BYTES || header.body_bytes as usize > RAW_LIMIT_BYTES {
        return Ok(Err("a block larger than any that is written"));
    }
    let mut body = vec![0; header.body_bytes as usize];
    match file.read_exact_at(&mut body, offset.saturating_add(HEADER_BYTES as u64)) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            return Ok(Err("the file ends inside a block"));
        }
        Err(error) => return Err(LogError::io("read", path)(error)),
    }
    if crc32fast::hash(&body) != header.body_crc {
        return Ok(Err("the checksum of a block does not match"));
    }
    Ok(match zstd::bulk::decompress(&body, raw_bytes) {
        Ok(raw) if raw.len() == raw_bytes => Ok(raw),
        Ok(_) | Err(_) => Err("a block does not decompress"),
    })
}
