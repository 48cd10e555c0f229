//! Files of a root file system we do not trust: no link in it leads out of it.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Component, Path};

use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};
use nix::sys::stat::{Mode, fstat, mkdirat};
use nix::unistd::{Gid, Uid, fchown};

fn open(root: impl AsFd, path: &Path, flags: OFlag) -> io::Result<OwnedFd> {
    let how = OpenHow::new()
        .flags(flags | OFlag::O_CLOEXEC)
        .resolve(ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS);
    Ok(openat2(root, path, how)?)
}

/// The text of a regular file below `root`, `None` when there is none.
///
/// # Errors
/// When it cannot be read, is longer than `limit_bytes`, or is not a file.
pub(crate) fn read_text(
    root: impl AsFd,
    path: &Path,
    limit_bytes: u64,
) -> io::Result<Option<String>> {
    // Without O_NONBLOCK, a pipe planted by the image would keep us waiting.
    let file = match open(root, path, OFlag::O_RDONLY | OFlag::O_NONBLOCK) {
        Ok(file) => File::from(file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) if error.raw_os_error() == Some(libc::ENOTDIR) => return Ok(None),
        Err(error) => return Err(error),
    };
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("is not a regular file"));
    }
    let mut bytes = Vec::new();
    file.take(limit_bytes + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit_bytes {
        return Err(io::Error::other(format!("is larger than {limit_bytes} bytes")));
    }
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}

/// Makes the directory `path` and those above it, owned by `owner`, where they are missing.
///
/// # Errors
/// When one of them is not a directory or cannot be made.
pub(crate) fn make_directories(root: impl AsFd, path: &Path, owner: u32) -> io::Result<()> {
    let directory = OFlag::O_PATH | OFlag::O_DIRECTORY;
    let mut walked = std::path::PathBuf::from("/");
    let mut parent = open(root.as_fd(), &walked, directory)?;
    for component in path.components() {
        let Component::Normal(name) = component else { continue };
        walked.push(name);
        parent = match open(root.as_fd(), &walked, directory) {
            Ok(child) => child,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                mkdirat(parent.as_fd(), name, Mode::from_bits_truncate(0o755))?;
                let made = open(root.as_fd(), &walked, OFlag::O_RDONLY | OFlag::O_DIRECTORY)?;
                fchown(&made, Some(Uid::from_raw(owner)), Some(Gid::from_raw(owner)))?;
                made
            }
            Err(error) => return Err(error),
        };
    }
    Ok(())
}

/// Owner, group and permission bits of the directory `path`, `None` when there is none.
pub(crate) fn directory_owner(root: impl AsFd, path: &Path) -> Option<(u32, u32, u32)> {
    let directory = open(root, path, OFlag::O_PATH | OFlag::O_DIRECTORY).ok()?;
    let stat = fstat(&directory).ok()?;
    Some((stat.st_uid, stat.st_gid, stat.st_mode & 0o7777))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    fn root_of(directory: &Path) -> File {
        File::open(directory).unwrap()
    }

    #[test]
    fn a_link_out_of_the_root_stays_inside() {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("etc")).unwrap();
        symlink("/etc/hostname", directory.path().join("etc/passwd")).unwrap();
        let read = read_text(root_of(directory.path()), Path::new("/etc/passwd"), 1000).unwrap();
        assert_eq!(read, None, "the host's file must not be seen");
        fs::write(directory.path().join("etc/hostname"), "inside").unwrap();
        let read = read_text(root_of(directory.path()), Path::new("/etc/passwd"), 1000).unwrap();
        assert_eq!(read.as_deref(), Some("inside"));
    }

    #[test]
    fn missing_directories_are_made_inside_the_root() {
        let directory = tempfile::tempdir().unwrap();
        symlink("/somewhere", directory.path().join("job")).unwrap();
        fs::create_dir(directory.path().join("somewhere")).unwrap();
        make_directories(root_of(directory.path()), Path::new("/job/a/b"), 12345).unwrap();
        assert!(directory.path().join("somewhere/a/b").is_dir());
    }
}
