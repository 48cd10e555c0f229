//! Proves that no record is missing or changed.

use std::path::Path;

use base::Timestamp;

use crate::chain::{Chain, Mark};
use crate::key::PublicKey;
use crate::segment::{Read1, Segment};
use crate::{AuditError, Break};

/// How often verification begins again because the server tidied the log meanwhile.
const ATTEMPTS: usize = 5;

/// What a whole log holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Records of events.
    pub records: u64,
    /// Files.
    pub segments: u64,
    /// The number of the first line; those before it were removed when their retention ended.
    pub first: u64,
    /// The number of the last line.
    pub last: u64,
    /// When the first and the last of the events happened.
    pub times: Option<(Timestamp, Timestamp)>,
    /// Up to which line the log's key has signed that it exists.
    pub sealed: u64,
    /// The hash of that line: with its number, enough to notice that an older log was put back.
    pub sealed_hash: String,
    /// Lines behind the last signature: at most those of the last second, or of a program that was
    /// killed.
    pub unsealed: u64,
}

/// Reads the whole log in `directory` and holds it against its signatures. Blocks; the log may be in
/// use.
///
/// # Errors
/// [`AuditError::Broken`] names the first place that is not what was written, [`AuditError::Io`] a
/// file that cannot be read.
pub fn verify(directory: &Path, key: &PublicKey) -> Result<Report, AuditError> {
    let mut attempt = 1_usize;
    loop {
        let before = marks(directory, key);
        let outcome = once(directory, key);
        // A server that packs or prunes moves files away under our hands.
        let is_moved = Segment::list(directory).ok() != before.1
            || before.0 != Mark::read(directory, Mark::PRUNED, key).ok().flatten();
        if outcome.is_ok() || !is_moved || attempt >= ATTEMPTS {
            return outcome;
        }
        attempt = attempt.saturating_add(1);
    }
}

fn marks(directory: &Path, key: &PublicKey) -> (Option<Mark>, Option<Vec<Segment>>) {
    let pruned = Mark::read(directory, Mark::PRUNED, key).ok().flatten();
    (pruned, Segment::list(directory).ok())
}

fn once(directory: &Path, key: &PublicKey) -> Result<Report, AuditError> {
    let broken =
        |file: &str, problem: String| AuditError::Broken(Break::of(&directory.join(file), problem));
    let head = Mark::read(directory, Mark::HEAD, key)?;
    let Some(head) = head else {
        let problem = "it is missing: nothing says up to where records were sealed";
        return Err(broken(Mark::HEAD, problem.to_owned()));
    };
    let pruned = Mark::read(directory, Mark::PRUNED, key)?;
    let chain = pruned.as_ref().map_or_else(Chain::start, Chain::behind);
    let mut pass = Pass {
        key,
        head: &head,
        chain,
        report: Report {
            records: 0,
            segments: 0,
            first: chain.next,
            last: 0,
            times: None,
            sealed: head.sequence,
            sealed_hash: head.hash.to_string(),
            unsealed: 0,
        },
    };
    let mut segments = Segment::list(directory)?;
    // Removed, but for the file itself.
    segments.retain(|segment| segment.span.is_none_or(|span| span.last >= chain.next));
    let count = segments.len();
    for (index, segment) in segments.iter().enumerate() {
        pass.segment(segment, index.saturating_add(1) == count)?;
    }
    let (last, _) = pass.chain.last();
    if last < head.sequence {
        let problem = format!(
            "records {} to {} were sealed and are missing from the end",
            pass.chain.next, head.sequence
        );
        return Err(broken(Mark::HEAD, problem));
    }
    Ok(Report { last, ..pass.report })
}

struct Pass<'a> {
    key: &'a PublicKey,
    head: &'a Mark,
    chain: Chain,
    report: Report,
}

impl Pass<'_> {
    fn segment(&mut self, segment: &Segment, is_last: bool) -> Result<(), AuditError> {
        let broken = |problem| AuditError::Broken(Break::of(&segment.path, problem));
        let expected = self.chain.next;
        if segment.first > expected {
            let before = segment.first.saturating_sub(1);
            return Err(broken(format!("records {expected} to {before} are missing before it")));
        }
        if segment.first < expected {
            return Err(broken(format!("it begins before record {expected}, which belongs here")));
        }
        self.report.segments = self.report.segments.saturating_add(1);
        let mut lines = segment.lines()?;
        let mut number = 0_u64;
        loop {
            number = number.saturating_add(1);
            let at =
                |problem: String| AuditError::Broken(Break::at(&segment.path, number, problem));
            match lines.next() {
                Ok(Read1::End) => break,
                Ok(Read1::Line(line)) => self.line(line).map_err(at)?,
                // The server is writing it, or was killed while it did.
                Ok(Read1::Torn) if is_last && self.chain.next > self.head.sequence => break,
                Ok(Read1::Torn) => return Err(at("the line does not end".to_owned())),
                Err(AuditError::Io { source, .. }) => {
                    return Err(at(format!("it cannot be read: {source}")));
                }
                Err(error) => return Err(error),
            }
        }
        match segment.span {
            Some(span) if span.last != self.chain.last().0 => Err(broken(format!(
                "it ends with record {} instead of {}",
                self.chain.last().0,
                span.last
            ))),
            Some(_) | None => Ok(()),
        }
    }

    fn line(&mut self, line: &[u8]) -> Result<(), String> {
        let link = self.chain.follow(line, self.key)?;
        let (sequence, hash) = self.chain.last();
        if sequence == self.head.sequence && hash != self.head.hash {
            return Err(format!("record {sequence} is not the one that was sealed here"));
        }
        self.report.unsealed =
            if link.is_checkpoint() { 0 } else { self.report.unsealed.saturating_add(1) };
        if link.is_record() {
            self.report.records = self.report.records.saturating_add(1);
            let time = Timestamp::from_epoch_ms(link.time_ms);
            let (from, to) = self.report.times.unwrap_or((time, time));
            self.report.times = Some((from.min(time), to.max(time)));
        }
        Ok(())
    }
}
