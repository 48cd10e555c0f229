//! The body of a batch of log lines: a line of JSON that says whose they are, and each line as its
//! time (8 bytes), its length (4 bytes), both with the highest byte first, and its bytes.

use bytes::{BufMut as _, Bytes, BytesMut};
use node_proto::LogLine;
use serde::de::DeserializeOwned;

/// The body.
pub(crate) fn encode(head: &str, lines: &[LogLine<'_>]) -> Bytes {
    let bytes: usize = lines.iter().map(|line| line.message.len().saturating_add(12)).sum();
    let mut body = BytesMut::with_capacity(head.len().saturating_add(1).saturating_add(bytes));
    body.put_slice(head.as_bytes());
    body.put_u8(b'\n');
    for line in lines {
        body.put_i64(line.timestamp_ms);
        body.put_u32(u32::try_from(line.message.len()).unwrap_or(u32::MAX));
        body.put_slice(line.message);
    }
    body.freeze()
}

/// What [`encode`] was given; `None` when the body is not one of its.
pub(crate) fn decode<Head: DeserializeOwned>(body: &[u8]) -> Option<(Head, Vec<LogLine<'_>>)> {
    let end = body.iter().position(|byte| *byte == b'\n')?;
    let (head, mut rest) = (body.get(..end)?, body.get(end.checked_add(1)?..)?);
    let head = serde_json::from_slice(head).ok()?;
    let mut lines = Vec::new();
    while !rest.is_empty() {
        let (time, after) = rest.split_first_chunk::<8>()?;
        let (length, after) = after.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        let (message, after) = after.split_at_checked(length)?;
        lines.push(LogLine { timestamp_ms: i64::from_be_bytes(*time), message });
        rest = after;
    }
    Some((head, lines))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_any_bytes_come_through() {
        let lines = [
            LogLine { timestamp_ms: -1, message: b"" },
            LogLine { timestamp_ms: i64::MAX, message: b"two\n\xff\x00lines" },
        ];
        let body = encode("[1]", &lines);
        let (head, read): (Vec<u8>, _) = decode(&body).unwrap();
        assert_eq!((head, read.as_slice()), (vec![1], lines.as_slice()));
        for end in 0..body.len() {
            // Cut short, it is either refused or has fewer lines.
            if let Some((_, read)) = decode::<Vec<u8>>(&body[..end]) {
                assert!(read.len() < lines.len());
            }
        }
    }
}
