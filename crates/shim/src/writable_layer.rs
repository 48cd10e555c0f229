//! The size-limited file system that takes a container's writes.
//!
//! An ext4 image in a file without a name, copied sparsely from a template and attached to a loop
//! device that lets go by itself: when the shim and the container are gone, nothing is left,
//! however they went. Where there are no loop devices, a tmpfs of the same size.

#![expect(unsafe_code, reason = "loop device ioctls have no safe wrapper")]

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::sys::stat::{Mode, SFlag, makedev, mknod};
use shim_proto::Failure;

const LOOP_CONFIGURE: libc::Ioctl = 0x4c0a;
const LOOP_CTL_GET_FREE: libc::Ioctl = 0x4c82;
const LO_FLAGS_AUTOCLEAR: u32 = 4;
const LOOP_MAJOR: u64 = 7;
/// Others ask for free devices at the same time; each round somebody gets one.
const LOOP_ATTEMPTS: u32 = 64;

/// `struct loop_info64` of linux/loop.h.
#[repr(C)]
struct LoopInfo {
    device: u64,
    inode: u64,
    rdevice: u64,
    offset: u64,
    size_limit: u64,
    number: u32,
    encrypt_type: u32,
    encrypt_key_size: u32,
    flags: u32,
    file_name: [u8; 64],
    crypt_name: [u8; 64],
    encrypt_key: [u8; 32],
    init: [u64; 2],
}

/// `struct loop_config` of linux/loop.h.
#[repr(C)]
struct LoopConfig {
    fd: u32,
    block_size: u32,
    info: LoopInfo,
    reserved: [u64; 8],
}

/// Mounts the writable layer at `target`; `container_directory` is where its image lives.
pub(crate) fn mount_at(
    target: &Path,
    template: Option<&Path>,
    container_directory: &Path,
    size_mib: u32,
) -> Result<(), Failure> {
    let with_image = template.map(|template| {
        let image = copy_sparse(template, container_directory)?;
        let (device, node) = attach(&image, target)?;
        let mounted = mount(
            Some(&node),
            target,
            Some("ext4"),
            MsFlags::MS_NODEV | MsFlags::MS_NOATIME,
            Some("noinit_itable,nobarrier"),
        );
        let _ = std::fs::remove_file(&node);
        drop(device);
        Ok::<(), io::Error>(mounted?)
    });
    match with_image {
        Some(Ok(())) => return Ok(()),
        Some(Err(error)) if error.raw_os_error() == Some(libc::ENOSPC) => {
            return Err(Failure::machine(format!(
                "cannot make the writable layer: no space left on the file system of `{}`; free \
                 some or move the state directory",
                container_directory.display()
            )));
        }
        Some(Err(error)) => {
            crate::run::note(&format!("no loop device ({error}): the writable layer is in memory"));
        }
        None => {}
    }
    mount(
        Some("tmpfs"),
        target,
        Some("tmpfs"),
        MsFlags::MS_NODEV | MsFlags::MS_NOATIME,
        Some(format!("size={size_mib}m,mode=0755").as_str()),
    )
    .map_err(|errno| {
        Failure::machine(format!("cannot mount a writable layer of {size_mib} MiB: {errno}"))
    })
}

/// A nameless copy of `template` in `directory` that takes only the space its data takes.
fn copy_sparse(template: &Path, directory: &Path) -> io::Result<File> {
    let source = File::open(template)?;
    let length = source.metadata()?.len();
    let copy = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(libc::O_TMPFILE)
        .mode(0o600)
        .open(directory)?;
    copy.set_len(length)?;
    let end = i64::try_from(length).unwrap_or(i64::MAX);
    let mut at = 0;
    while let Some(data) = seek(&source, at, libc::SEEK_DATA)? {
        let hole = seek(&source, data, libc::SEEK_HOLE)?.unwrap_or(end);
        let (mut from, mut to) = (data, data);
        while from < hole {
            let wanted = usize::try_from(hole - from).unwrap_or(usize::MAX);
            // SAFETY: both descriptors are open and both offsets are ours.
            let copied = unsafe {
                libc::copy_file_range(
                    source.as_raw_fd(),
                    &raw mut from,
                    copy.as_raw_fd(),
                    &raw mut to,
                    wanted,
                    0,
                )
            };
            match copied {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                1.. => {}
                _ => return Err(io::Error::last_os_error()),
            }
        }
        at = hole;
    }
    Ok(copy)
}

/// The next data or hole at or after `offset`; `None` past the last.
fn seek(file: &File, offset: i64, whence: i32) -> io::Result<Option<i64>> {
    // SAFETY: the descriptor is open.
    let found = unsafe { libc::lseek(file.as_raw_fd(), offset, whence) };
    match Errno::result(found) {
        Ok(found) => Ok(Some(found)),
        Err(Errno::ENXIO) => Ok(None),
        Err(errno) => Err(errno.into()),
    }
}

/// A loop device over `image`, and a node for it next to `target`. The device is freed when the
/// descriptor is closed and nothing is mounted from it.
fn attach(image: &File, target: &Path) -> io::Result<(OwnedFd, std::path::PathBuf)> {
    let control = OpenOptions::new().read(true).write(true).open("/dev/loop-control")?;
    let node = target.with_extension("device");
    let mut busy = io::Error::from(Errno::EBUSY);
    for _ in 0..LOOP_ATTEMPTS {
        // SAFETY: takes no argument.
        let number = unsafe { libc::ioctl(control.as_raw_fd(), LOOP_CTL_GET_FREE) };
        let Ok(number) = u64::try_from(number) else { return Err(io::Error::last_os_error()) };
        // An own node: /dev may be a plain directory that lacks the device.
        let _ = std::fs::remove_file(&node);
        let device_number = makedev(LOOP_MAJOR, number);
        mknod(&node, SFlag::S_IFBLK, Mode::from_bits_truncate(0o600), device_number)?;
        let device = OpenOptions::new().read(true).write(true).open(&node)?;
        match configure(&device, image) {
            Ok(()) => return Ok((device.into(), node)),
            Err(error) if error.raw_os_error() == Some(libc::EBUSY) => busy = error,
            Err(error) => return Err(error),
        }
    }
    Err(busy)
}

fn configure(device: &File, image: &File) -> io::Result<()> {
    let fd = u32::try_from(image.as_raw_fd()).map_err(|_| io::ErrorKind::InvalidInput)?;
    let config = LoopConfig {
        fd,
        block_size: 4096,
        info: LoopInfo {
            device: 0,
            inode: 0,
            rdevice: 0,
            offset: 0,
            size_limit: 0,
            number: 0,
            encrypt_type: 0,
            encrypt_key_size: 0,
            flags: LO_FLAGS_AUTOCLEAR,
            file_name: [0; 64],
            crypt_name: [0; 64],
            encrypt_key: [0; 32],
            init: [0; 2],
        },
        reserved: [0; 8],
    };
    // SAFETY: the struct has the kernel's layout and lives through the call.
    let result = unsafe { libc::ioctl(device.as_raw_fd(), LOOP_CONFIGURE, &raw const config) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
