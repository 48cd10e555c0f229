//! Members of an archive by name: a tar file or a directory.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, ResolveFlags};

use crate::digest::{Digest, Sha256};
use crate::error::{ImageError, Refusal, shown};
use crate::limits::Limits;
use crate::spec::Compression;
use crate::tar_walk::{Member, WalkError, components, walk};

/// Links followed from one name to another inside an archive (`docker save` links equal layers).
const LINKS: usize = 4;

/// An opened archive.
pub(crate) struct Source {
    path: PathBuf,
    kind: Kind,
}

enum Kind {
    Directory(OwnedFd),
    Tar { file: File, index: BTreeMap<String, Place> },
}

enum Place {
    Data { offset: u64, size: u64 },
    Link(String),
}

/// The bytes of one member.
pub(crate) struct Blob {
    reader: BlobReader,
    /// How many bytes there are.
    pub(crate) size: u64,
}

enum BlobReader {
    File(File),
    Section { file: File, offset: u64, end: u64 },
}

impl Read for Blob {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.reader {
            BlobReader::File(file) => file.read(buffer),
            BlobReader::Section { file, offset, end } => {
                let left = usize::try_from(end.saturating_sub(*offset)).unwrap_or(usize::MAX);
                let length = left.min(buffer.len());
                let count = file.read_at(buffer.get_mut(..length).unwrap_or_default(), *offset)?;
                *offset = offset.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
                Ok(count)
            }
        }
    }
}

impl Source {
    pub(crate) fn open(path: &Path, limits: &Limits) -> Result<Self, ImageError> {
        let io = |action| ImageError::io(action, path);
        let file = File::open(path).map_err(io("open"))?;
        let metadata = file.metadata().map_err(io("read"))?;
        let kind = if metadata.is_dir() {
            Kind::Directory(file.into())
        } else {
            let mut start = [0; 4];
            let read = file.read_at(&mut start, 0).map_err(io("read"))?;
            if Compression::sniff(start.get(..read).unwrap_or_default()) != Compression::None {
                return Err(ImageError::refused(
                    &path.to_string_lossy(),
                    Refusal::CompressedArchive,
                ));
            }
            let index = read_index(path, &file, metadata.len(), limits)?;
            Kind::Tar { file, index }
        };
        Ok(Self { path: path.to_owned(), kind })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Opens a member; `None` when there is none of that name.
    pub(crate) fn find(&self, name: &str) -> Result<Option<Blob>, ImageError> {
        match &self.kind {
            Kind::Directory(root) => self.find_file(root, name),
            Kind::Tar { file, index } => {
                let mut name = name.to_owned();
                for _ in 0..LINKS {
                    match index.get(&name) {
                        None => return Ok(None),
                        Some(Place::Link(target)) => target.clone_into(&mut name),
                        Some(Place::Data { offset, size }) => {
                            let file =
                                file.try_clone().map_err(ImageError::io("read", &self.path))?;
                            let end = offset.saturating_add(*size);
                            let reader = BlobReader::Section { file, offset: *offset, end };
                            return Ok(Some(Blob { reader, size: *size }));
                        }
                    }
                }
                Ok(None)
            }
        }
    }

    /// Opens a member that has to be there.
    pub(crate) fn member(&self, name: &str) -> Result<Blob, ImageError> {
        self.find(name)?.ok_or_else(|| ImageError::refused(name, Refusal::Missing))
    }

    /// Reads a JSON document whole, checking its size and, when declared, its digest.
    pub(crate) fn json(
        &self,
        name: &str,
        declared: Option<(&Digest, u64)>,
        limits: &Limits,
    ) -> Result<Vec<u8>, ImageError> {
        let refuse = |refusal| Err(ImageError::refused(name, refusal));
        let blob = self.member(name)?;
        let found = blob.size;
        if found > limits.json_bytes {
            return refuse(Refusal::JsonTooLarge { limit: limits.json_bytes });
        }
        let mut bytes = Vec::new();
        blob.take(limits.json_bytes)
            .read_to_end(&mut bytes)
            .map_err(ImageError::io("read", &self.path))?;
        if u64::try_from(bytes.len()) != Ok(found) {
            return refuse(Refusal::Truncated);
        }
        if let Some((expected, size)) = declared {
            if size != found {
                return refuse(Refusal::Size { expected: size, found });
            }
            let actual = Digest::of(&bytes);
            if actual != *expected {
                return refuse(Refusal::Digest { expected: expected.clone(), found: actual });
            }
        }
        Ok(bytes)
    }

    /// Reads a blob to its end, checking that it is what was declared. Returns its digest.
    pub(crate) fn verify(
        &self,
        name: &str,
        expected: Option<&Digest>,
        on_bytes: &mut dyn FnMut(u64),
    ) -> Result<Digest, ImageError> {
        let mut blob = self.member(name)?;
        let size = blob.size;
        let (mut hasher, mut total) = (Sha256::new(), 0u64);
        let mut buffer = vec![0; 256 * 1024];
        loop {
            let count = blob.read(&mut buffer).map_err(ImageError::io("read", &self.path))?;
            if count == 0 {
                break;
            }
            hasher.update(buffer.get(..count).unwrap_or_default());
            let count = u64::try_from(count).unwrap_or(u64::MAX);
            total = total.saturating_add(count);
            on_bytes(count);
        }
        if total != size {
            return Err(ImageError::refused(name, Refusal::Truncated));
        }
        let found = hasher.finish();
        match expected {
            Some(expected) if *expected != found => Err(ImageError::refused(
                name,
                Refusal::Digest { expected: expected.clone(), found },
            )),
            Some(_) | None => Ok(found),
        }
    }

    fn find_file(&self, root: &OwnedFd, name: &str) -> Result<Option<Blob>, ImageError> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let resolve =
            ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        let path = self.path.join(name);
        let file = match rustix::fs::openat2(root, name, flags, Mode::empty(), resolve) {
            Ok(fd) => File::from(fd),
            Err(rustix::io::Errno::NOENT) => return Ok(None),
            Err(rustix::io::Errno::LOOP | rustix::io::Errno::XDEV) => {
                return Err(ImageError::refused(name, Refusal::ThroughSymlink));
            }
            Err(errno) => return Err(ImageError::errno("open", &path)(errno)),
        };
        let metadata = file.metadata().map_err(ImageError::io("read", &path))?;
        if !metadata.is_file() {
            return Err(ImageError::refused(
                name,
                Refusal::EntryType { kind: "not a file".to_owned() },
            ));
        }
        Ok(Some(Blob { reader: BlobReader::File(file), size: metadata.len() }))
    }
}

fn read_index(
    path: &Path,
    file: &File,
    length: u64,
    limits: &Limits,
) -> Result<BTreeMap<String, Place>, ImageError> {
    let mut index = BTreeMap::new();
    let handle = file.try_clone().map_err(ImageError::io("read", path))?;
    let mut archive = tar::Archive::new(handle);
    let entries = archive.entries_with_seek().map_err(ImageError::io("read", path))?;
    // The members of an archive are layers, which may be as large as all that may be unpacked.
    let limits = Limits { file_bytes: limits.unpacked_bytes, ..limits.clone() };
    let walked = walk(entries, &limits, limits.archive_entries, |member, _data| {
        let refuse = |refusal| WalkError::Refused(shown(&member.path), refusal);
        let Some((name, place)) = place(member, &limits).map_err(refuse)? else {
            return Ok(());
        };
        if member.offset.saturating_add(member.size) > length {
            return Err(refuse(Refusal::Truncated));
        }
        if index.insert(name, place).is_some() {
            return Err(refuse(Refusal::Duplicate));
        }
        Ok(())
    });
    match walked {
        Ok(()) => Ok(index),
        Err(WalkError::Refused(entry, refusal)) if entry.is_empty() => {
            Err(ImageError::refused(&path.to_string_lossy(), refusal))
        }
        Err(WalkError::Refused(entry, refusal)) => {
            Err(ImageError::Refused { location: format!("`{entry}`"), refusal })
        }
        Err(WalkError::Failed(reason)) => Err(ImageError::Helper { reason }),
    }
}

fn place(member: &Member, limits: &Limits) -> Result<Option<(String, Place)>, Refusal> {
    let text =
        |parts: Vec<&[u8]>| String::from_utf8(parts.join(&b'/')).map_err(|_| Refusal::BadName);
    let name = text(components(&member.path, limits)?)?;
    match member.kind.as_byte() {
        b'0' | 0 | b'7' => {
            Ok(Some((name, Place::Data { offset: member.offset, size: member.size })))
        }
        b'5' => Ok(None),
        b'2' => {
            // `docker save` writes `../<layer>/layer.tar` for a layer that occurs twice.
            let link = member.link.strip_prefix(b"../").unwrap_or(&member.link);
            Ok(Some((name, Place::Link(text(components(link, limits)?)?))))
        }
        b'3' | b'4' => Err(Refusal::DeviceNode),
        kind => Err(Refusal::EntryType { kind: shown(&[kind]) }),
    }
}
