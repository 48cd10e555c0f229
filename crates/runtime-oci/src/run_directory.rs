//! The directory of pinned namespaces and the stage.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, MsFlags, mount, umount2};

use crate::RuntimeError;

/// Paths below the run directory.
#[derive(Debug)]
pub(crate) struct RunDirectory {
    pub(crate) sandboxes: PathBuf,
    pub(crate) stage: PathBuf,
}

fn failed<'a>(
    action: &'static str,
    path: &'a Path,
) -> impl FnOnce(io::Error) -> RuntimeError + use<'a> {
    move |source| RuntimeError::Directory { action, path: path.to_owned(), source }
}

/// Makes a directory with these permission bits, whatever the umask.
pub(crate) fn make_directory(path: &Path, mode: u32) -> Result<(), RuntimeError> {
    fs::create_dir_all(path).map_err(failed("make directory", path))?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
        .map_err(failed("set the permissions of", path))
}

impl RunDirectory {
    /// Makes what is missing.
    pub(crate) fn open(run_dir: &Path) -> Result<Self, RuntimeError> {
        let (sandboxes, stage) = (run_dir.join("sandboxes"), run_dir.join("stage"));
        make_directory(run_dir, 0o711)?;
        make_directory(&sandboxes, 0o700)?;
        make_directory(&stage, 0o755)?;
        for ancestor in run_dir.ancestors() {
            let mode = fs::metadata(ancestor).map_err(failed("look at", ancestor))?.permissions();
            if mode.mode() & 0o001 == 0 {
                return Err(RuntimeError::Configuration(format!(
                    "the run directory `{}` lies below `{}`, which not every user may traverse \
                     (mode {:03o}): container root is an unprivileged user; choose another, such \
                     as /run/portcullis, or `chmod o+x` that one",
                    run_dir.display(),
                    ancestor.display(),
                    mode.mode() & 0o777,
                )));
            }
        }
        // A mount of its own, so that each shim can let go of all pins at once.
        if !is_mount_point(&sandboxes)? {
            let bind = |source: Option<&Path>, flags: MsFlags| {
                mount(source, &sandboxes, None::<&str>, flags, None::<&str>)
                    .map_err(|errno| failed("mount", &sandboxes)(errno.into()))
            };
            bind(Some(&sandboxes), MsFlags::MS_BIND)?;
            bind(None, MsFlags::MS_PRIVATE)?;
        }
        Ok(Self { sandboxes, stage })
    }

    pub(crate) fn sandbox(&self, task_id: &str) -> PathBuf {
        self.sandboxes.join(task_id)
    }

    /// Lets go of a task's pins.
    pub(crate) fn unpin(&self, task_id: &str) -> Result<(), RuntimeError> {
        let directory = self.sandbox(task_id);
        for name in ["user", "network"] {
            let _ = umount2(&directory.join(name), MntFlags::MNT_DETACH);
        }
        match fs::remove_dir_all(&directory) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(failed("remove", &directory)(error))
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

/// Whether something is mounted at exactly `path`.
pub(crate) fn is_mount_point(path: &Path) -> Result<bool, RuntimeError> {
    let mounts = Path::new("/proc/self/mountinfo");
    let text = fs::read_to_string(mounts).map_err(failed("read", mounts))?;
    let path = fs::canonicalize(path).map_err(failed("resolve", path))?;
    // The kernel writes these four as octal.
    let escaped = path
        .to_string_lossy()
        .replace('\\', "\\134")
        .replace(' ', "\\040")
        .replace('\t', "\\011")
        .replace('\n', "\\012");
    Ok(text.lines().any(|line| line.split(' ').nth(4) == Some(&escaped)))
}
