//! Shuts the calling process into its working directory.

use rustix::mount::{MountFlags, MountPropagationFlags, UnmountFlags};
use rustix::process::{Resource, Rlimit, Signal};
use rustix::thread::{CapabilitySet, CapabilitySets, UnshareFlags};

use crate::limits::Limits;

/// Open files: standard streams, the root, one parent directory, one file, and a few to spare.
const OPEN_FILES: u64 = 32;

/// What is needed to write files as their owners have them. Whiteouts need nothing more: the kernel lets anybody
/// make the device 0:0.
const KEPT: CapabilitySet = CapabilitySet::CHOWN
    .union(CapabilitySet::DAC_OVERRIDE)
    .union(CapabilitySet::FOWNER)
    .union(CapabilitySet::FSETID);

/// Afterwards the working directory is the root of all that can be named, there is no network, and nothing
/// can be gained by executing anything. The process must be single-threaded.
pub(super) fn confine(limits: &Limits) -> Result<(), String> {
    let step = |what: &'static str| {
        move |errno: rustix::io::Errno| format!("cannot {what}: {errno}; it has to run as root")
    };
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(step("follow its parent"))?;
    rustix::process::umask(rustix::fs::Mode::empty());
    let home =
        std::env::current_dir().map_err(|error| format!("cannot find its directory: {error}"))?;
    set_limits(limits).map_err(step("limit itself"))?;
    unshare().map_err(step("leave the machine's namespaces"))?;
    let propagation = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    rustix::mount::mount_change("/", propagation).map_err(step("make its mounts private"))?;
    rustix::mount::mount_bind(&home, &home).map_err(step("mount its directory"))?;
    let flags = MountFlags::BIND | MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    rustix::mount::mount_remount(&home, flags, "").map_err(step("restrict its directory"))?;
    rustix::process::chdir(&home).map_err(step("enter its directory"))?;
    // With the old root stacked on the new one, detaching "." detaches the old.
    rustix::process::pivot_root(".", ".").map_err(step("change its root"))?;
    rustix::mount::unmount(".", UnmountFlags::DETACH)
        .map_err(step("detach the machine's files"))?;
    rustix::process::chdir("/").map_err(step("enter its root"))?;
    drop_privileges().map_err(step("give up privileges"))
}

#[expect(unsafe_code, reason = "the kernel's call is unsafe for one flag that is not used here")]
fn unshare() -> rustix::io::Result<()> {
    let flags =
        UnshareFlags::NEWNS | UnshareFlags::NEWNET | UnshareFlags::NEWIPC | UnshareFlags::NEWUTS;
    // SAFETY: only UnshareFlags::FILES can invalidate descriptors that other code holds, and it is not among the flags.
    unsafe { rustix::thread::unshare_unsafe(flags) }
}

fn set_limits(limits: &Limits) -> rustix::io::Result<()> {
    let all = [
        (Resource::Fsize, limits.file_bytes),
        (Resource::Nofile, OPEN_FILES),
        (Resource::Cpu, limits.cpu_seconds),
        (Resource::As, limits.memory_bytes),
        (Resource::Core, 0),
    ];
    for (resource, wanted) in all {
        // Only lowering is possible without privilege, and enough.
        let allowed = rustix::process::getrlimit(resource).maximum.unwrap_or(u64::MAX).min(wanted);
        rustix::process::setrlimit(
            resource,
            Rlimit { current: Some(allowed), maximum: Some(allowed) },
        )?;
    }
    Ok(())
}

fn drop_privileges() -> rustix::io::Result<()> {
    rustix::thread::set_no_new_privs(true)?;
    for bit in 0..64 {
        let capability = CapabilitySet::from_bits_retain(1 << bit);
        if !KEPT.contains(capability) {
            match rustix::thread::remove_capability_from_bounding_set(capability) {
                // The kernel knows fewer than 64.
                Ok(()) | Err(rustix::io::Errno::INVAL) => {}
                Err(errno) => return Err(errno),
            }
        }
    }
    rustix::thread::clear_ambient_capability_set()?;
    let sets =
        CapabilitySets { effective: KEPT, permitted: KEPT, inheritable: CapabilitySet::empty() };
    rustix::thread::set_capabilities(None, sets)
}
