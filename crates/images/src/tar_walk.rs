//! Walks the members of a tar stream with limits on everything that describes a member.
//!
//! The `tar` crate parses headers; its own handling of long names is switched off, because it reads them whole
//! into memory whatever their size, and because a member's size must have one meaning only.

use std::io::{self, Read};

use tar::{Entries, Entry, EntryType, PaxExtensions};

use crate::error::{Refusal, shown};
use crate::limits::Limits;

/// Bytes of one extended header. GNU tar and Go write far less; file attributes are the largest part.
const EXTENDED_HEADER_BYTES: u64 = 1024 * 1024;

/// One member, with extended headers applied. Attributes (`SCHILY.xattr.*` and the like) are dropped.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) path: Vec<u8>,
    pub(crate) link: Vec<u8>,
    pub(crate) kind: EntryType,
    pub(crate) size: u64,
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) mtime: i64,
    /// Where the data starts in the archive.
    pub(crate) offset: u64,
}

/// Why a walk ended early.
#[derive(Debug)]
pub(crate) enum WalkError {
    /// The archive's fault: the entry's name (empty when unknown) and the reason.
    Refused(String, Refusal),
    /// Not the archive's fault.
    Failed(String),
}

#[derive(Default)]
struct Pending {
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    uid: Option<u32>,
    gid: Option<u32>,
    size: Option<u64>,
}

/// Calls `each` for every member, in order. Extended headers count as entries.
pub(crate) fn walk<R: Read>(
    entries: Entries<'_, R>,
    limits: &Limits,
    max_entries: u64,
    mut each: impl FnMut(&Member, &mut dyn Read) -> Result<(), WalkError>,
) -> Result<(), WalkError> {
    let mut pending = Pending::default();
    let mut described = false;
    let mut last = String::new();
    for (count, entry) in (1u64..).zip(entries.raw(true)) {
        let mut entry = entry.map_err(|error| malformed(&last, &error))?;
        if count > max_entries {
            return Err(WalkError::Refused(last, Refusal::TooManyEntries { limit: max_entries }));
        }
        if pending.absorb(&mut entry, limits, &last)? {
            described = true;
            continue;
        }
        let member = member(&entry, std::mem::take(&mut pending), limits)?;
        described = false;
        last = shown(&member.path);
        each(&member, &mut entry)?;
    }
    if described {
        return Err(WalkError::Refused(last, Refusal::Truncated));
    }
    Ok(())
}

/// A read or parse error from below, as a refusal.
pub(crate) fn malformed(entry: &str, error: &io::Error) -> WalkError {
    let refusal = if error.kind() == io::ErrorKind::UnexpectedEof {
        Refusal::Truncated
    } else {
        Refusal::Malformed { reason: shown(error.to_string().as_bytes()) }
    };
    WalkError::Refused(entry.to_owned(), refusal)
}

impl Pending {
    /// Takes in an entry that only describes the next one; `false` if it is a member itself.
    fn absorb<R: Read>(
        &mut self,
        entry: &mut Entry<'_, R>,
        limits: &Limits,
        last: &str,
    ) -> Result<bool, WalkError> {
        let kind = entry.header().entry_type();
        match kind.as_byte() {
            b'L' => self.path = Some(long_name(entry, limits, last)?),
            b'K' => self.link = Some(long_name(entry, limits, last)?),
            b'x' => {
                let data = small(entry, EXTENDED_HEADER_BYTES, last)?;
                self.read_pax(&data, last)?;
            }
            b'g' => drop(small(entry, EXTENDED_HEADER_BYTES, last)?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn read_pax(&mut self, data: &[u8], last: &str) -> Result<(), WalkError> {
        let bad = |reason: &str| {
            WalkError::Refused(last.to_owned(), Refusal::Malformed { reason: reason.to_owned() })
        };
        for record in PaxExtensions::new(data) {
            let record = record.map_err(|error| malformed(last, &error))?;
            let value = record.value_bytes();
            match record.key_bytes() {
                b"path" => self.path = Some(value.to_owned()),
                b"linkpath" => self.link = Some(value.to_owned()),
                b"uid" => {
                    self.uid = Some(number(value).ok_or_else(|| bad("extended header: uid"))?)
                }
                b"gid" => {
                    self.gid = Some(number(value).ok_or_else(|| bad("extended header: gid"))?)
                }
                b"size" => {
                    self.size = Some(number(value).ok_or_else(|| bad("extended header: size"))?)
                }
                key if key.starts_with(b"GNU.sparse.") => {
                    let name = self.path.as_deref().map_or_else(|| last.to_owned(), shown);
                    return Err(WalkError::Refused(name, Refusal::Sparse));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

fn number<T: std::str::FromStr>(value: &[u8]) -> Option<T> {
    std::str::from_utf8(value).ok()?.parse().ok()
}

fn small<R: Read>(entry: &mut Entry<'_, R>, limit: u64, last: &str) -> Result<Vec<u8>, WalkError> {
    let size = entry.header().entry_size().map_err(|error| malformed(last, &error))?;
    if size > limit {
        return Err(WalkError::Refused(last.to_owned(), Refusal::FileTooLarge { limit }));
    }
    let mut data = Vec::new();
    entry.take(limit).read_to_end(&mut data).map_err(|error| malformed(last, &error))?;
    if u64::try_from(data.len()) != Ok(size) {
        return Err(WalkError::Refused(last.to_owned(), Refusal::Truncated));
    }
    Ok(data)
}

fn long_name<R: Read>(
    entry: &mut Entry<'_, R>,
    limits: &Limits,
    last: &str,
) -> Result<Vec<u8>, WalkError> {
    let limit = limits.path_bytes;
    let with_nul = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    if entry.header().entry_size().is_ok_and(|size| size > with_nul) {
        return Err(WalkError::Refused(last.to_owned(), Refusal::PathTooLong { limit }));
    }
    let mut name = small(entry, with_nul, last)?;
    if name.last() == Some(&0) {
        name.pop();
    }
    Ok(name)
}

fn member<R: Read>(
    entry: &Entry<'_, R>,
    pending: Pending,
    limits: &Limits,
) -> Result<Member, WalkError> {
    let header = entry.header();
    let path = pending.path.unwrap_or_else(|| header.path_bytes().into_owned());
    let name = shown(&path);
    let refuse = |refusal| WalkError::Refused(name.clone(), refusal);
    let bad = |error: io::Error| malformed(&name, &error);
    let mut kind = header.entry_type();
    if kind.is_gnu_sparse() {
        return Err(refuse(Refusal::Sparse));
    }
    // Archives older than POSIX know a directory by its name only.
    if kind.as_byte() == 0 && path.ends_with(b"/") {
        kind = EntryType::Directory;
    }
    let size = header.entry_size().map_err(bad)?;
    if pending.size.unwrap_or(size).max(size) > limits.file_bytes {
        return Err(refuse(Refusal::FileTooLarge { limit: limits.file_bytes }));
    }
    if pending.size.is_some_and(|stated| stated != size) {
        return Err(refuse(Refusal::Malformed {
            reason: "two different sizes are stated".to_owned(),
        }));
    }
    if size > 0 && matches!(kind.as_byte(), b'1'..=b'6') {
        return Err(refuse(Refusal::Malformed {
            reason: "an entry without content has a size".to_owned(),
        }));
    }
    let owner = |stated: Option<u32>, header: u64| {
        let id = stated.map_or_else(|| u32::try_from(header).ok(), Some);
        // The last id means "leave unchanged" to the kernel.
        id.filter(|id| *id != u32::MAX).ok_or_else(|| {
            refuse(Refusal::Malformed { reason: "the owner is not an id".to_owned() })
        })
    };
    Ok(Member {
        link: pending
            .link
            .or_else(|| header.link_name_bytes().map(|link| link.into_owned()))
            .unwrap_or_default(),
        kind,
        size,
        mode: header.mode().map_err(bad)? & 0o7777,
        uid: owner(pending.uid, header.uid().map_err(bad)?)?,
        gid: owner(pending.gid, header.gid().map_err(bad)?)?,
        // A time before 1970 or after the year 9999 is nonsense that some file systems reject.
        mtime: i64::try_from(header.mtime().unwrap_or(0)).unwrap_or(0).clamp(0, 253_402_300_799),
        offset: entry.raw_file_position(),
        path,
    })
}

/// The components of a path without `.`; empty for the root.
pub(crate) fn components<'a>(path: &'a [u8], limits: &Limits) -> Result<Vec<&'a [u8]>, Refusal> {
    if path.is_empty() || path.contains(&0) {
        return Err(Refusal::BadName);
    }
    if path.starts_with(b"/") {
        return Err(Refusal::AbsolutePath);
    }
    let limit = limits.path_bytes;
    let mut parts = Vec::new();
    for part in path.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => return Err(Refusal::ParentPath),
            part if part.len() > 255 => return Err(Refusal::PathTooLong { limit }),
            part => parts.push(part),
        }
    }
    if path.len() > limit {
        return Err(Refusal::PathTooLong { limit });
    }
    if parts.len() > limits.depth {
        return Err(Refusal::TooDeep { limit: limits.depth });
    }
    Ok(parts)
}
