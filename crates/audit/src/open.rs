//! Finds the end of a log, after an orderly end or any other.

use std::fs::{DirBuilder, File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::Arc;

use base::IdSource;

use crate::chain::{Chain, Hash, Mark};
use crate::key::AuditKey;
use crate::segment::{Read1, Segment, Span};
use crate::{AuditError, Break};

/// The segment that is written to.
#[derive(Debug)]
pub(crate) struct Active {
    pub(crate) segment: Segment,
    pub(crate) file: Arc<File>,
    pub(crate) chain: Chain,
    /// Where the file ends.
    pub(crate) end: u64,
    /// The times of its lines; `None` without lines.
    pub(crate) times_ms: Option<(i64, i64)>,
}

/// A log that was found, or begun.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) active: Active,
    /// Those before the active one.
    pub(crate) closed: Vec<Segment>,
}

impl Active {
    pub(crate) fn span(&self) -> Option<Span> {
        let (from_ms, to_ms) = self.times_ms?;
        Some(Span { last: self.chain.last().0, from_ms, to_ms })
    }

    pub(crate) fn saw(&mut self, time_ms: i64) {
        let (from, to) = self.times_ms.unwrap_or((time_ms, time_ms));
        self.times_ms = Some((from.min(time_ms), to.max(time_ms)));
    }

    /// A new, empty segment. It has its name durably.
    pub(crate) fn create(directory: &Path, chain: Chain) -> Result<Self, AuditError> {
        let segment = Segment::unpacked(directory, chain.next);
        let create = || {
            let mut options = OpenOptions::new();
            options.read(true).write(true).create(true).truncate(true).mode(0o600);
            let file = options.open(&segment.path)?;
            file.sync_all()?;
            File::open(directory)?.sync_all()?;
            Ok(file)
        };
        let file = Arc::new(create().map_err(AuditError::io("create", &segment.path))?);
        Ok(Self { segment, file, chain, end: 0, times_ms: None })
    }

    /// Appends `lines`; after an error the file's end is unknown.
    pub(crate) fn append(&mut self, lines: &[u8]) -> Result<(), AuditError> {
        let failed = AuditError::io("write", &self.segment.path);
        self.file.write_all_at(lines, self.end).map_err(failed)?;
        self.end = self.end.saturating_add(u64::try_from(lines.len()).unwrap_or(u64::MAX));
        Ok(())
    }
}

/// The key of the log in `directory`, which is made if it is missing.
pub(crate) fn key(directory: &Path, ids: &dyn IdSource) -> Result<AuditKey, AuditError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(directory);
    made.map_err(AuditError::io("make", directory))?;
    let is_new = Segment::list(directory)?.is_empty() && !directory.join(Mark::HEAD).is_file();
    AuditKey::keep(directory, is_new, ids)
}

/// Finds the end of the log in `directory`, cuts off what is torn, notes that it was opened, and seals
/// everything.
pub(crate) fn open(directory: &Path, key: &AuditKey, now_ms: i64) -> Result<Opened, AuditError> {
    let mut segments = Segment::list(directory)?;
    let head = Mark::read(directory, Mark::HEAD, &key.public)?;
    let (mut active, cut_bytes) = match (segments.pop(), head) {
        (None, None) => {
            let active = Active::create(directory, Chain::start())?;
            let head = Mark::new(Mark::HEAD, (0, Hash::default()), now_ms, key);
            head.write(directory, Mark::HEAD)?;
            (active, 0)
        }
        (None, Some(head)) => {
            let problem = format!("records up to {} were sealed and are missing", head.sequence);
            return Err(AuditError::Broken(Break::of(&directory.join(Mark::HEAD), problem)));
        }
        (Some(segment), None) => {
            // The first start may have ended before the first head was written.
            if segment.first != 1 || is_long(&segment)? {
                let problem = "it is missing: nothing says up to where records were sealed";
                return Err(AuditError::Broken(Break::of(&directory.join(Mark::HEAD), problem)));
            }
            let active = Active::create(directory, Chain::start())?;
            let head = Mark::new(Mark::HEAD, (0, Hash::default()), now_ms, key);
            head.write(directory, Mark::HEAD)?;
            (active, 0)
        }
        (Some(segment), Some(head)) => resume(segment, &head, key)?,
    };
    let mut line = Vec::new();
    active.chain.opened(now_ms, cut_bytes, &mut line);
    // What was there before a crash, and was never signed, is signed now.
    active.chain.checkpoint(now_ms, key, &mut line);
    active.append(&line)?;
    active.saw(now_ms);
    active.file.sync_data().map_err(AuditError::io("sync", &active.segment.path))?;
    let head = Mark::new(Mark::HEAD, active.chain.last(), now_ms, key);
    head.write(directory, Mark::HEAD)?;
    Ok(Opened { active, closed: segments })
}

fn is_long(segment: &Segment) -> Result<bool, AuditError> {
    let metadata = std::fs::metadata(&segment.path);
    Ok(metadata.map_err(AuditError::io("read", &segment.path))?.len() > 0)
}

/// Goes through the last segment. What is wrong behind the head was never sealed and is cut off;
/// what is wrong before it was changed.
fn resume(segment: Segment, head: &Mark, key: &AuditKey) -> Result<(Active, u64), AuditError> {
    let path = segment.path.clone();
    let broken = |line, problem: String| AuditError::Broken(Break::at(&path, line, problem));
    if segment.is_packed() {
        let problem = "it is the last one and closed: the one after it is missing";
        return Err(AuditError::Broken(Break::of(&path, problem)));
    }
    let mut chain = None;
    let mut number = 0_u64;
    let mut times_ms: Option<(i64, i64)> = None;
    let mut lines = segment.lines()?;
    let mut end = 0;
    let is_short =
        |chain: &Option<Chain>| chain.map_or(segment.first, |chain| chain.next) <= head.sequence;
    let problem = loop {
        number = number.saturating_add(1);
        let line = match lines.next()? {
            Read1::End => break None,
            Read1::Torn => break Some("it does not end".to_owned()),
            Read1::Line(line) => line,
        };
        let begin = if chain.is_some() { chain } else { first_chain(&segment, head, line) };
        let Some(mut next) = begin else { break Some("it is no record".to_owned()) };
        match next.follow(line, &key.public) {
            Ok(link) => {
                let (from, to) = times_ms.unwrap_or((link.time_ms, link.time_ms));
                times_ms = Some((from.min(link.time_ms), to.max(link.time_ms)));
            }
            Err(problem) => break Some(problem),
        }
        if next.last().0 == head.sequence && next.last().1 != head.hash {
            return Err(broken(number, "it is not the line that was sealed here".to_owned()));
        }
        chain = Some(next);
        end = lines.offset;
    };
    if is_short(&chain) {
        let problem = problem.unwrap_or_else(|| {
            format!("the log ends before it, though record {} was sealed", head.sequence)
        });
        return Err(broken(number, problem));
    }
    let chain = match chain {
        Some(chain) => chain,
        None if head.sequence.saturating_add(1) == segment.first => Chain::behind(head),
        None => return Err(broken(1, "it does not begin where the head ends".to_owned())),
    };
    let open = OpenOptions::new().read(true).write(true).open(&path);
    let file = Arc::new(open.map_err(AuditError::io("open", &path))?);
    let length = file.metadata().map_err(AuditError::io("read", &path))?.len();
    // Cut or not, what is there must be on disk before more follows; blocks set aside are given back.
    file.set_len(end).map_err(AuditError::io("cut", &path))?;
    file.sync_all().map_err(AuditError::io("sync", &path))?;
    Ok((Active { segment, file, chain, end, times_ms }, length.saturating_sub(end)))
}

/// Where the first line of a segment must go: behind the head, if that is where it is; otherwise only
/// `verify`, which reads all segments, can tell, and the line is taken at its word.
fn first_chain(segment: &Segment, head: &Mark, line: &[u8]) -> Option<Chain> {
    if head.sequence.saturating_add(1) == segment.first {
        return Some(Chain::behind(head));
    }
    crate::chain::Link::of(line).ok().map(|link| link.before(segment.first))
}
