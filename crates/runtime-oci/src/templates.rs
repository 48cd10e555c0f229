//! Empty ext4 file systems that writable layers are copied from.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::sync::Mutex;

/// mkfs writes a few MiB at most, whatever the size.
const MKFS_TIMEOUT: Duration = Duration::from_secs(60);
/// No journal: nothing survives the container anyway. No tables written ahead: the template
/// stays sparse and its copies cheap.
const MKFS_ARGUMENTS: [&str; 9] = [
    "-q",
    "-F",
    "-m0",
    "-b4096",
    "-O^has_journal,^resize_inode,uninit_bg,^metadata_csum",
    "-Elazy_itable_init=1,nodiscard,root_owner=0:0",
    "-I256",
    "-i32768",
    "-Lportcullis",
];
const MKFS_PROGRAMS: [&str; 3] = ["mkfs.ext4", "/usr/sbin/mkfs.ext4", "/sbin/mkfs.ext4"];

/// One template for each size asked for, made at its first use.
#[derive(Debug)]
pub(crate) struct Templates {
    directory: PathBuf,
    made: Mutex<BTreeMap<u32, Option<PathBuf>>>,
}

impl Templates {
    pub(crate) fn new(directory: PathBuf) -> Self {
        Self { directory, made: Mutex::new(BTreeMap::new()) }
    }

    /// The template of `size_mib`; `None` where none can be made, and the writable layer is to be
    /// in memory.
    pub(crate) async fn get(&self, size_mib: u32) -> Option<PathBuf> {
        let mut made = self.made.lock().await;
        if let Some(known) = made.get(&size_mib) {
            return known.clone();
        }
        let template = match self.find_or_make(size_mib).await {
            Ok(path) => Some(path),
            Err(reason) => {
                tracing::warn!(
                    size_mib,
                    reason,
                    "no ext4 for writable layers: they are kept in memory; install e2fsprogs"
                );
                None
            }
        };
        made.insert(size_mib, template.clone());
        template
    }

    async fn find_or_make(&self, size_mib: u32) -> Result<PathBuf, String> {
        let path = self.directory.join(format!("writable-{size_mib}.ext4"));
        if tokio::fs::try_exists(&path).await.is_ok_and(|exists| exists) {
            return Ok(path);
        }
        let unfinished = path.with_extension("new");
        let file = tokio::fs::File::create(&unfinished).await.map_err(|error| error.to_string())?;
        file.set_len(u64::from(size_mib) << 20).await.map_err(|error| error.to_string())?;
        drop(file);
        make_file_system(&unfinished).await?;
        tokio::fs::rename(&unfinished, &path).await.map_err(|error| error.to_string())?;
        Ok(path)
    }
}

async fn make_file_system(image: &Path) -> Result<(), String> {
    for program in MKFS_PROGRAMS {
        // The environment of this program may hold secrets.
        let run = Command::new(program)
            .env_clear()
            .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
            .args(MKFS_ARGUMENTS)
            .arg(image)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        match tokio::time::timeout(MKFS_TIMEOUT, run).await {
            Err(_) => return Err(format!("`{program}` took more than {MKFS_TIMEOUT:?}")),
            Ok(Err(error)) if error.kind() == std::io::ErrorKind::NotFound => {}
            Ok(Err(error)) => return Err(format!("`{program}`: {error}")),
            Ok(Ok(output)) if output.status.success() => return Ok(()),
            Ok(Ok(output)) => {
                let said = String::from_utf8_lossy(&output.stderr);
                return Err(format!("`{program}` failed: {}", said.trim()));
            }
        }
    }
    Err("`mkfs.ext4` is not installed".to_owned())
}
