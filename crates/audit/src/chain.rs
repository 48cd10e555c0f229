//! How lines of the log follow from each other, and what is signed.

use std::fmt;
use std::io;
use std::path::Path;

use aws_lc_rs::digest::{SHA256, digest};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::AuditError;
use crate::key::{AuditKey, PublicKey, replace};

/// SHA-256 of a line, without its line feed.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Hash([u8; 32]);

impl Hash {
    pub(crate) fn of(line: &[u8]) -> Self {
        let mut hash = [0; 32];
        hash.copy_from_slice(digest(&SHA256, line).as_ref());
        Self(hash)
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0; 64];
        hex::encode_to_slice(self.0, &mut text).map_err(|_| fmt::Error)?;
        f.write_str(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Hash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        let mut hash = [0; 32];
        hex::decode_to_slice(text.as_bytes(), &mut hash)
            .map_err(|_| de::Error::custom("a hash is 64 hexadecimal digits"))?;
        Ok(Self(hash))
    }
}

/// A signed place in the log: the head, or the last line that was removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mark {
    pub(crate) sequence: u64,
    /// Of that line.
    pub(crate) hash: Hash,
    pub(crate) time_ms: i64,
    signature: String,
}

fn message(kind: &str, sequence: u64, hash: Hash, time_ms: i64) -> String {
    format!("portcullis audit {kind} {sequence} {hash} {time_ms}")
}

impl Mark {
    pub(crate) const HEAD: &'static str = "head";
    pub(crate) const PRUNED: &'static str = "pruned";

    pub(crate) fn new(
        kind: &str,
        (sequence, hash): (u64, Hash),
        time_ms: i64,
        key: &AuditKey,
    ) -> Self {
        let signature = key.sign(&message(kind, sequence, hash, time_ms));
        Self { sequence, hash, time_ms, signature }
    }

    pub(crate) fn is_signed(&self, kind: &str, key: &PublicKey) -> bool {
        key.has_signed(&message(kind, self.sequence, self.hash, self.time_ms), &self.signature)
    }

    /// The mark in the file named like its kind; `None` without such a file.
    pub(crate) fn read(
        directory: &Path,
        kind: &str,
        key: &PublicKey,
    ) -> Result<Option<Self>, AuditError> {
        let path = directory.join(kind);
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(AuditError::io("read", &path)(error)),
        };
        let broken = |problem: &str| AuditError::Broken(crate::Break::of(&path, problem));
        let mark: Self = serde_json::from_slice(&text)
            .map_err(|_| broken("it is not a signed place in the log"))?;
        if mark.is_signed(kind, key) {
            Ok(Some(mark))
        } else {
            Err(broken("its signature is not that of the log's key"))
        }
    }

    pub(crate) fn write(&self, directory: &Path, kind: &str) -> Result<(), AuditError> {
        let text = serde_json::to_string(self).unwrap_or_default() + "\n";
        replace(&directory.join(kind), text.as_bytes())
    }
}

/// What every line has of the chain.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Link {
    pub(crate) sequence: u64,
    pub(crate) time_ms: i64,
    previous: Hash,
    /// In a checkpoint: the signature of all before it.
    checkpoint: Option<String>,
    /// In the first line after a start: how many bytes of a torn end were cut off.
    opened_cutting_bytes: Option<u64>,
}

impl Link {
    /// Whether the line is a record of an event rather than the log's own.
    pub(crate) const fn is_record(&self) -> bool {
        self.checkpoint.is_none() && self.opened_cutting_bytes.is_none()
    }

    /// Where this line goes by its own word, as number `sequence`.
    pub(crate) const fn before(&self, sequence: u64) -> Chain {
        Chain { next: sequence, previous: self.previous }
    }

    pub(crate) const fn is_checkpoint(&self) -> bool {
        self.checkpoint.is_some()
    }

    pub(crate) fn of(line: &[u8]) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Line {
            portcullis: Link,
        }
        let line: Result<Line, _> = serde_json::from_slice(line);
        line.map(|line| line.portcullis).map_err(|error| format!("it is no record: {error}"))
    }
}

/// Where the next line goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Chain {
    pub(crate) next: u64,
    pub(crate) previous: Hash,
}

impl Chain {
    /// Before the first line.
    pub(crate) fn start() -> Self {
        Self { next: 1, previous: Hash::default() }
    }

    /// Behind the line that `mark` is about.
    pub(crate) fn behind(mark: &Mark) -> Self {
        Self { next: mark.sequence.saturating_add(1), previous: mark.hash }
    }

    /// The last line's sequence number and hash.
    pub(crate) const fn last(&self) -> (u64, Hash) {
        (self.next.saturating_sub(1), self.previous)
    }

    /// Goes one line on.
    pub(crate) fn follow(&mut self, line: &[u8], key: &PublicKey) -> Result<Link, String> {
        let link = Link::of(line)?;
        let (expected, found) = (self.next, link.sequence);
        if found > expected {
            return Err(format!(
                "records {expected} to {} are missing before it",
                found.saturating_sub(1)
            ));
        }
        if found < expected {
            return Err(format!("record {found} is out of order: {expected} belongs here"));
        }
        if link.previous != self.previous {
            return Err(format!(
                "record {found} does not follow from record {}: one of them was changed",
                found.saturating_sub(1)
            ));
        }
        if let Some(signature) = &link.checkpoint {
            let message = message("checkpoint", link.sequence, link.previous, link.time_ms);
            if !key.has_signed(&message, signature) {
                return Err(format!("checkpoint {found} is not signed by the log's key"));
            }
        }
        self.advance(line);
        Ok(link)
    }

    fn advance(&mut self, line: &[u8]) {
        self.next = self.next.saturating_add(1);
        self.previous = Hash::of(line);
    }

    /// Appends the line of a record, whose JSON object is `event`.
    pub(crate) fn record(&mut self, event: &str, time_ms: i64, out: &mut Vec<u8>) {
        let event = event.strip_suffix('}').unwrap_or(event);
        let comma = if event.len() > 1 { "," } else { "" };
        self.line(format_args!("{event}{comma}"), time_ms, format_args!(""), out);
    }

    /// Appends a checkpoint: the signature of all that is before it.
    pub(crate) fn checkpoint(&mut self, time_ms: i64, key: &AuditKey, out: &mut Vec<u8>) {
        let signature = key.sign(&message("checkpoint", self.next, self.previous, time_ms));
        let more = format_args!(",\"checkpoint\":\"{signature}\"");
        self.line(format_args!("{{"), time_ms, more, out);
    }

    /// Appends the line that says that the log was opened.
    pub(crate) fn opened(&mut self, time_ms: i64, cut_bytes: u64, out: &mut Vec<u8>) {
        let more = format_args!(",\"openedCuttingBytes\":{cut_bytes}");
        self.line(format_args!("{{"), time_ms, more, out);
    }

    fn line(
        &mut self,
        before: fmt::Arguments<'_>,
        time_ms: i64,
        more: fmt::Arguments<'_>,
        out: &mut Vec<u8>,
    ) {
        let start = out.len();
        let Self { next, previous } = self;
        // Writing to a vector cannot fail.
        let _written = io::Write::write_fmt(
            out,
            format_args!(
                "{before}\"portcullis\":{{\"sequence\":{next},\"timeMs\":{time_ms},\"previous\":\"{previous}\"{more}}}}}"
            ),
        );
        let line = out.get(start..).unwrap_or_default();
        let hash = Hash::of(line);
        self.next = self.next.saturating_add(1);
        self.previous = hash;
        out.push(b'\n');
    }
}
