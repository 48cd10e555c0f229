//! Writes the entries of a layer below the root directory of the confined helper.
//!
//! Paths are resolved by the kernel with `RESOLVE_BENEATH`: a symbolic link of the layer is followed as long as it
//! stays inside, and one that is absolute or leads out is refused.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use rustix::fs::{AtFlags, FileType, Gid, Mode, OFlags, ResolveFlags, Timespec, Timestamps, Uid};
use rustix::io::Errno;

use crate::error::{Refusal, shown};
use crate::limits::Limits;
use crate::tar_walk::{Member, WalkError, components, malformed};

const WHITEOUT: &[u8] = b".wh.";
const OPAQUE: &[u8] = b".wh..wh..opq";
/// Other names of aufs's own bookkeeping, which mean nothing here.
const BOOKKEEPING: &[u8] = b".wh..wh.";
/// Bytes of directory names remembered, to set times at the end and to report opaque directories.
const NAME_BYTES: usize = 32 * 1024 * 1024;
/// Parents that the archive does not mention.
const IMPLIED_MODE: Mode = Mode::from_raw_mode(0o755);
const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// What went wrong with an entry.
enum Fault {
    Refused(Refusal),
    System(&'static str, Errno),
    Walk(WalkError),
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

pub(super) struct Unpacker {
    root: OwnedFd,
    limits: Limits,
    /// The directory that the last entry went to.
    parent: Option<(Vec<u8>, OwnedFd)>,
    opaque: BTreeSet<Vec<u8>>,
    times: Vec<(Vec<u8>, i64)>,
    name_bytes: usize,
    entries: u64,
    buffer: Vec<u8>,
}

impl Unpacker {
    pub(super) fn new(limits: &Limits) -> Result<Self, WalkError> {
        let root = rustix::fs::open("/", DIRECTORY, Mode::empty())
            .and_then(|root| {
                rustix::fs::fchmod(&root, IMPLIED_MODE)?;
                Ok(root)
            })
            .map_err(|errno| WalkError::Failed(format!("cannot open its root: {errno}")))?;
        Ok(Self {
            root,
            limits: limits.clone(),
            parent: None,
            opaque: BTreeSet::new(),
            times: Vec::new(),
            name_bytes: 0,
            entries: 0,
            buffer: vec![0; 256 * 1024],
        })
    }

    /// Writes one entry.
    pub(super) fn apply(&mut self, member: &Member, data: &mut dyn Read) -> Result<(), WalkError> {
        self.try_apply(member, data).map_err(|fault| match fault {
            Fault::Refused(refusal) => WalkError::Refused(shown(&member.path), refusal),
            Fault::System(what, errno) => {
                WalkError::Failed(format!("cannot {what} `{}`: {errno}", shown(&member.path)))
            }
            Fault::Walk(error) => error,
        })
    }

    /// Sets what can only be set last. Returns the number of entries and the opaque directories.
    pub(super) fn finish(mut self) -> Result<(u64, Vec<String>), WalkError> {
        self.parent = None;
        for (path, mtime) in self.times.iter().rev() {
            self.open_beneath(path)
                .and_then(|directory| rustix::fs::futimens(directory, &times(*mtime)))
                .map_err(|errno| {
                    WalkError::Failed(format!("cannot set the time of `{}`: {errno}", shown(path)))
                })?;
        }
        Ok((self.entries, self.opaque.iter().map(hex::encode).collect()))
    }

    fn try_apply(&mut self, member: &Member, data: &mut dyn Read) -> Result<(), Fault> {
        self.count()?;
        let parts = components(&member.path, &self.limits)?;
        let Some((name, parents)) = parts.split_last() else {
            return self.root_entry(member);
        };
        if parents.iter().any(|part| part.starts_with(WHITEOUT)) {
            return Err(Refusal::BadName.into());
        }
        if name.starts_with(WHITEOUT) {
            return self.whiteout(parents, name);
        }
        match member.kind.as_byte() {
            b'0' | 0 | b'7' => self.file(member, parents, name, data),
            b'1' => self.hard_link(member, parents, name),
            b'2' => self.symlink(member, parents, name),
            b'5' => self.directory(member, &parts, parents, name),
            b'6' => self.fifo(member, parents, name),
            b'3' | b'4' => Err(Refusal::DeviceNode.into()),
            kind => Err(Refusal::EntryType { kind: shown(&[kind]) }.into()),
        }
    }

    fn count(&mut self) -> Result<(), Fault> {
        self.entries = self.entries.saturating_add(1);
        if self.entries > self.limits.entries {
            return Err(Refusal::TooManyEntries { limit: self.limits.entries }.into());
        }
        Ok(())
    }

    fn remember(&mut self, bytes: usize) -> Result<(), Fault> {
        self.name_bytes = self.name_bytes.saturating_add(bytes);
        if self.name_bytes > NAME_BYTES {
            return Err(Refusal::TooManyNames { limit: NAME_BYTES }.into());
        }
        Ok(())
    }

    fn root_entry(&mut self, member: &Member) -> Result<(), Fault> {
        if member.kind.as_byte() != b'5' {
            return Err(Refusal::BadName.into());
        }
        set_owner_and_mode(&self.root, member)?;
        self.times.push((Vec::new(), member.mtime));
        Ok(())
    }

    fn file(
        &mut self,
        member: &Member,
        parents: &[&[u8]],
        name: &[u8],
        data: &mut dyn Read,
    ) -> Result<(), Fault> {
        self.enter(parents)?;
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let create =
            |parent: &OwnedFd| rustix::fs::openat(parent, name, flags, Mode::from_raw_mode(0o600));
        let fd = self.replacing(name, create)?;
        let mut file = File::from(fd);
        let mut left = member.size;
        while left > 0 {
            let want = usize::try_from(left).unwrap_or(usize::MAX).min(self.buffer.len());
            let space = self.buffer.get_mut(..want).unwrap_or_default();
            let count = data
                .read(space)
                .map_err(|error| Fault::Walk(malformed(&shown(&member.path), &error)))?;
            if count == 0 {
                return Err(Refusal::Truncated.into());
            }
            file.write_all(self.buffer.get(..count).unwrap_or_default()).map_err(|error| {
                Fault::System("write", Errno::from_io_error(&error).unwrap_or(Errno::IO))
            })?;
            left = left.saturating_sub(u64::try_from(count).unwrap_or(u64::MAX));
        }
        set_owner_and_mode(&file, member)?;
        rustix::fs::futimens(&file, &times(member.mtime))
            .map_err(|errno| Fault::System("set the time of", errno))
    }

    fn directory(
        &mut self,
        member: &Member,
        parts: &[&[u8]],
        parents: &[&[u8]],
        name: &[u8],
    ) -> Result<(), Fault> {
        let path = parts.join(&b'/');
        self.remember(path.len())?;
        let parent = self.enter(parents)?;
        match rustix::fs::mkdirat(parent, name, Mode::from_raw_mode(0o700)) {
            Ok(()) => {}
            Err(Errno::EXIST) => {
                let found = file_type(parent, name)?;
                if found != FileType::Directory {
                    // A whiteout and a directory of one name mean: nothing of the lower layers shows.
                    if found == FileType::CharacterDevice {
                        self.opaque.insert(path.clone());
                    }
                    self.remove(name)?;
                    rustix::fs::mkdirat(self.enter(parents)?, name, Mode::from_raw_mode(0o700))
                        .map_err(|errno| Fault::System("make", errno))?;
                }
            }
            Err(errno) => return Err(Fault::System("make", errno)),
        }
        let parent = self.enter(parents)?;
        let directory =
            rustix::fs::openat(parent, name, DIRECTORY | OFlags::NOFOLLOW, Mode::empty())
                .map_err(|errno| Fault::System("open", errno))?;
        set_owner_and_mode(&directory, member)?;
        self.times.push((path.clone(), member.mtime));
        // What follows a directory is mostly its content.
        self.parent = Some((path, directory));
        Ok(())
    }

    fn symlink(&mut self, member: &Member, parents: &[&[u8]], name: &[u8]) -> Result<(), Fault> {
        if member.link.is_empty() || member.link.contains(&0) {
            return Err(Refusal::BadName.into());
        }
        if member.link.len() > self.limits.path_bytes {
            return Err(Refusal::PathTooLong { limit: self.limits.path_bytes }.into());
        }
        self.enter(parents)?;
        self.replacing(name, |parent| rustix::fs::symlinkat(member.link.as_slice(), parent, name))?;
        let parent = self.enter(parents)?;
        set_owner_at(parent, name, member)?;
        rustix::fs::utimensat(parent, name, &times(member.mtime), AtFlags::SYMLINK_NOFOLLOW)
            .map_err(|errno| Fault::System("set the time of", errno))
    }

    fn fifo(&mut self, member: &Member, parents: &[&[u8]], name: &[u8]) -> Result<(), Fault> {
        self.enter(parents)?;
        let mode = Mode::from_raw_mode(member.mode);
        self.replacing(name, |parent| rustix::fs::mknodat(parent, name, FileType::Fifo, mode, 0))?;
        set_owner_at(self.enter(parents)?, name, member)
    }

    fn hard_link(&mut self, member: &Member, parents: &[&[u8]], name: &[u8]) -> Result<(), Fault> {
        let target = || shown(&member.link);
        let missing = || Refusal::LinkTargetMissing { target: target() };
        let parts = components(&member.link, &self.limits).map_err(|refusal| {
            Refusal::LinkTarget { target: target(), why: refusal.to_string() }
        })?;
        let (target_name, target_parents) = parts.split_last().ok_or_else(missing)?;
        let from = self.open_beneath(&target_parents.join(&b'/')).map_err(|errno| match errno {
            Errno::XDEV | Errno::LOOP => Fault::Refused(Refusal::LinkTarget {
                target: target(),
                why: Refusal::ThroughSymlink.to_string(),
            }),
            Errno::NOENT | Errno::NOTDIR => Fault::Refused(missing()),
            errno => Fault::System("open the target of", errno),
        })?;
        match rustix::fs::statat(&from, *target_name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => {
                let kind = FileType::from_raw_mode(stat.st_mode);
                if !matches!(kind, FileType::RegularFile | FileType::Symlink | FileType::Fifo) {
                    return Err(missing().into());
                }
            }
            Err(Errno::NOENT) => return Err(missing().into()),
            Err(errno) => return Err(Fault::System("look at the target of", errno)),
        }
        self.enter(parents)?;
        let linked = self.replacing(name, |parent| {
            rustix::fs::linkat(&from, *target_name, parent, name, AtFlags::empty())
        });
        // A link to itself: the target is gone once its place is free.
        linked.map_err(|fault| {
            if matches!(fault, Fault::System(_, Errno::NOENT)) { missing().into() } else { fault }
        })
    }

    fn whiteout(&mut self, parents: &[&[u8]], name: &[u8]) -> Result<(), Fault> {
        if name == OPAQUE {
            let path = parents.join(&b'/');
            self.remember(path.len())?;
            self.enter(parents)?;
            self.opaque.insert(path);
            return Ok(());
        }
        if name.starts_with(BOOKKEEPING) {
            return Ok(());
        }
        let hidden = name.strip_prefix(WHITEOUT).unwrap_or_default();
        if matches!(hidden, b"" | b"." | b"..") {
            return Err(Refusal::BadName.into());
        }
        let parent = self.enter(parents)?;
        match rustix::fs::mknodat(parent, hidden, FileType::CharacterDevice, Mode::empty(), 0) {
            Ok(()) => Ok(()),
            // What this layer itself brings stays, and hides what is below it.
            Err(Errno::EXIST) => {
                if file_type(parent, hidden)? == FileType::Directory {
                    let path = [parents, &[hidden]].concat().join(&b'/');
                    self.remember(path.len())?;
                    self.opaque.insert(path);
                }
                Ok(())
            }
            Err(errno) => Err(Fault::System("hide", errno)),
        }
    }

    /// Makes something with `create` in the current parent, in the place of a non-directory of that name.
    fn replacing<T>(
        &mut self,
        name: &[u8],
        create: impl Fn(&OwnedFd) -> rustix::io::Result<T>,
    ) -> Result<T, Fault> {
        let Some((path, parent)) = self.parent.take() else {
            return Err(Fault::System("find the directory of", Errno::NOENT));
        };
        let mut made = create(&parent);
        if matches!(made, Err(Errno::EXIST)) {
            if file_type(&parent, name)? == FileType::Directory {
                return Err(Refusal::ReplacesDirectory.into());
            }
            rustix::fs::unlinkat(&parent, name, AtFlags::empty())
                .map_err(|errno| Fault::System("replace", errno))?;
            made = create(&parent);
        }
        // The parent of the next entry may have been reached through what was just replaced, but then its
        // descriptor still is a directory of this layer.
        self.parent = Some((path, parent));
        made.map_err(|errno| Fault::System("create", errno))
    }

    fn remove(&mut self, name: &[u8]) -> Result<(), Fault> {
        match self.parent.take() {
            Some((_, parent)) => rustix::fs::unlinkat(&parent, name, AtFlags::empty())
                .map_err(|errno| Fault::System("replace", errno)),
            None => Ok(()),
        }
    }

    /// Opens the directory of an entry, making what is missing of it.
    fn enter(&mut self, parents: &[&[u8]]) -> Result<&OwnedFd, Fault> {
        let path = parents.join(&b'/');
        let opened = match self.parent.take() {
            Some((current, fd)) if current == path => fd,
            Some(_) | None => match self.open_beneath(&path) {
                Ok(fd) => fd,
                Err(Errno::NOENT) => self.make_parents(parents)?,
                Err(errno) => return Err(not_enterable(errno)),
            },
        };
        Ok(&self.parent.insert((path, opened)).1)
    }

    fn make_parents(&mut self, parents: &[&[u8]]) -> Result<OwnedFd, Fault> {
        let mut path = Vec::new();
        let mut current = self.open_beneath(&path).map_err(not_enterable)?;
        for part in parents {
            if !path.is_empty() {
                path.push(b'/');
            }
            path.extend_from_slice(part);
            current = match self.open_beneath(&path) {
                Ok(fd) => fd,
                Err(Errno::NOENT) => {
                    self.count()?;
                    rustix::fs::mkdirat(&current, *part, IMPLIED_MODE).map_err(not_enterable)?;
                    self.open_beneath(&path).map_err(not_enterable)?
                }
                Err(errno) => return Err(not_enterable(errno)),
            };
        }
        Ok(current)
    }

    fn open_beneath(&self, path: &[u8]) -> rustix::io::Result<OwnedFd> {
        let path = if path.is_empty() { b".".as_slice() } else { path };
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS | ResolveFlags::NO_XDEV;
        rustix::fs::openat2(&self.root, OsStr::from_bytes(path), DIRECTORY, Mode::empty(), resolve)
    }
}

fn not_enterable(errno: Errno) -> Fault {
    match errno {
        // EEXIST: the name is there but leads nowhere, so it is a dangling link.
        Errno::XDEV | Errno::LOOP | Errno::EXIST => Fault::Refused(Refusal::ThroughSymlink),
        Errno::NOTDIR => Fault::Refused(Refusal::NotADirectory),
        errno => Fault::System("open the directory of", errno),
    }
}

fn file_type(parent: &OwnedFd, name: &[u8]) -> Result<FileType, Fault> {
    rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)
        .map(|stat| FileType::from_raw_mode(stat.st_mode))
        .map_err(|errno| Fault::System("look at", errno))
}

fn set_owner_and_mode(file: impl AsFd, member: &Member) -> Result<(), Fault> {
    let (owner, group) = (Uid::from_raw(member.uid), Gid::from_raw(member.gid));
    // The owner first: changing it clears the set-user-id bit.
    rustix::fs::fchown(&file, Some(owner), Some(group))
        .and_then(|()| rustix::fs::fchmod(&file, Mode::from_raw_mode(member.mode)))
        .map_err(|errno| Fault::System("set the owner and mode of", errno))
}

fn set_owner_at(parent: &OwnedFd, name: &[u8], member: &Member) -> Result<(), Fault> {
    let (owner, group) = (Uid::from_raw(member.uid), Gid::from_raw(member.gid));
    rustix::fs::chownat(parent, name, Some(owner), Some(group), AtFlags::SYMLINK_NOFOLLOW)
        .map_err(|errno| Fault::System("set the owner of", errno))
}

fn times(mtime: i64) -> Timestamps {
    let time = Timespec { tv_sec: mtime, tv_nsec: 0 };
    Timestamps { last_access: time, last_modification: time }
}
