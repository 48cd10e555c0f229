//! Layers and volumes as the container's user namespace sees them.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use crate::syscalls;

/// Attaches a read-only copy of the directory `source` at `target`, in which owner 0 on disk is
/// the host id that the user namespace maps its 0 to.
///
/// # Errors
/// When the kernel or the file system of `source` cannot do it.
pub(crate) fn attach_layer(
    source: &Path,
    target: &Path,
    user_namespace: BorrowedFd<'_>,
) -> io::Result<()> {
    let tree = syscalls::open_tree_clone(source)?;
    syscalls::mount_setattr(tree.as_fd(), libc::MOUNT_ATTR_RDONLY, Some(user_namespace))?;
    syscalls::move_mount(tree.as_fd(), target)
}

/// Attaches a copy of the file or directory `source` at `target`, without devices and without
/// set-user-id programs.
///
/// # Errors
/// When the source is not there.
pub(crate) fn attach_plain(source: &Path, target: &Path, read_only: bool) -> io::Result<()> {
    let tree = syscalls::open_tree_clone(source)?;
    let read_only = if read_only { libc::MOUNT_ATTR_RDONLY } else { 0 };
    let attributes = libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV | read_only;
    syscalls::mount_setattr(tree.as_fd(), attributes, None)?;
    syscalls::move_mount(tree.as_fd(), target)
}
