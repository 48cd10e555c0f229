//! The frame header.

/// Longest line kept whole, in bytes: the largest CloudWatch Logs event (256 KiB) less the 26
/// bytes the service counts for each event. A longer line arrives in pieces.
pub const LINE_LIMIT_BYTES: usize = 256 * 1024 - 26;

pub(crate) const HEADER_BYTES: usize = 16;
const MAGIC: u16 = 0x5053;

/// Where a line was written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    /// `None`: the end of all output.
    pub(crate) stream: Option<Stream>,
    pub(crate) partial: bool,
    pub(crate) payload_bytes: u32,
    pub(crate) timestamp_ms: i64,
}

impl Header {
    pub(crate) fn encode(self) -> [u8; HEADER_BYTES] {
        let stream = match self.stream {
            None => 0,
            Some(Stream::Stdout) => 1,
            Some(Stream::Stderr) => 2,
        };
        let [m0, m1] = MAGIC.to_le_bytes();
        let [l0, l1, l2, l3] = self.payload_bytes.to_le_bytes();
        let [t0, t1, t2, t3, t4, t5, t6, t7] = self.timestamp_ms.to_le_bytes();
        let flags = u8::from(self.partial);
        [m0, m1, stream, flags, l0, l1, l2, l3, t0, t1, t2, t3, t4, t5, t6, t7]
    }

    /// `None` when `bytes` does not begin with a whole, valid header.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (header, _) = bytes.split_first_chunk::<HEADER_BYTES>()?;
        let [m0, m1, stream, flags, l0, l1, l2, l3, timestamp @ ..] = *header;
        if u16::from_le_bytes([m0, m1]) != MAGIC || flags > 1 {
            return None;
        }
        let stream = match stream {
            0 => None,
            1 => Some(Stream::Stdout),
            2 => Some(Stream::Stderr),
            _ => return None,
        };
        Some(Self {
            stream,
            partial: flags == 1,
            payload_bytes: u32::from_le_bytes([l0, l1, l2, l3]),
            timestamp_ms: i64::from_le_bytes(timestamp),
        })
    }
}
