//! What a task's containers share: namespaces, ids, cgroup, volumes.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::PoisonError;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use shim_proto::{Failure, SandboxReply, SandboxRequest};

use super::{Shared, remove_tree};
use crate::run_directory::{is_mount_point, make_directory};
use crate::{ContainerId, RuntimeError, Sandbox, SandboxSpec, one_shot, validate};

const SANDBOX_TIMEOUT: Duration = Duration::from_secs(20);

/// What is kept of a sandbox on disk.
#[derive(Debug, Serialize, Deserialize)]
struct SandboxRecord {
    uid_base: u32,
}

/// Writes a file that is there as a whole or not at all, whenever the agent dies.
fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = path.with_extension("new");
    fs::write(&temporary, bytes)?;
    crash_point::crash_point!("runtime.sandbox.staged");
    fs::rename(&temporary, path)
}

/// What a record says; `None` of one that the machine's death damaged, which took the namespaces too.
fn parse(text: &[u8], path: &Path) -> Option<SandboxRecord> {
    serde_json::from_slice(text)
        .inspect_err(|error| {
            tracing::warn!(%error, path = %path.display(), "a sandbox's record is damaged: left out");
        })
        .ok()
}

impl Shared {
    fn record_path(&self, task_id: &str) -> PathBuf {
        self.config.state_dir.join("sandboxes").join(format!("{task_id}.json"))
    }

    fn sandbox(&self, task_id: &str, uid_base: u32) -> Sandbox {
        let directory = self.run.sandbox(task_id);
        Sandbox {
            task_id: task_id.to_owned(),
            user_namespace: directory.join("user"),
            network_namespace: directory.join("network"),
            uid_base,
        }
    }

    /// The ranges that tasks of an earlier driver have.
    pub(super) fn load_id_ranges(&self) -> Result<(), RuntimeError> {
        let mut ranges = self.ranges.lock().unwrap_or_else(PoisonError::into_inner);
        for (task_id, record) in self.records()? {
            ranges.keep(&task_id, record.uid_base);
        }
        Ok(())
    }

    fn records(&self) -> Result<Vec<(String, SandboxRecord)>, RuntimeError> {
        let directory = self.config.state_dir.join("sandboxes");
        let failed =
            |source| RuntimeError::Directory { action: "read", path: directory.clone(), source };
        let mut records = Vec::new();
        for entry in fs::read_dir(&directory).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name();
            if name.as_encoded_bytes().ends_with(b".new") {
                // Of an agent that died while it wrote.
                fs::remove_file(entry.path()).map_err(failed)?;
            }
            let task_id = name.to_str().and_then(|name| name.strip_suffix(".json"));
            let Some(task_id) = task_id.filter(|task_id| validate::is_task_id(task_id)) else {
                continue;
            };
            if let Some(record) = parse(&fs::read(entry.path()).map_err(failed)?, &entry.path()) {
                records.push((task_id.to_owned(), record));
            }
        }
        Ok(records)
    }

    /// The sandbox of a task, if its namespaces are pinned.
    pub(super) fn find_sandbox(&self, task_id: &str) -> Result<Option<Sandbox>, RuntimeError> {
        let path = self.record_path(task_id);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(RuntimeError::Directory { action: "read", path, source }),
        };
        let Some(record) = parse(&text, &path) else { return Ok(None) };
        let sandbox = self.sandbox(task_id, record.uid_base);
        let pinned = is_pinned(&sandbox.user_namespace) && is_pinned(&sandbox.network_namespace);
        Ok(pinned.then_some(sandbox))
    }

    pub(super) fn pinned_sandboxes(&self) -> Result<Vec<Sandbox>, RuntimeError> {
        let found = self.records()?.into_iter().map(|(task_id, _)| self.find_sandbox(&task_id));
        Ok(found.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
    }

    pub(super) async fn create_sandbox(&self, spec: SandboxSpec) -> Result<Sandbox, RuntimeError> {
        let SandboxSpec { task_id, limits } = spec;
        Self::check_task_id(&task_id)?;
        // Of an agent that died before it could write down that it had made it.
        if let Some(sandbox) = self.find_sandbox(&task_id)? {
            return Ok(sandbox);
        }
        // What an earlier start of the machine left.
        self.remove_sandbox(&task_id)?;
        let made = self.make_sandbox(&task_id, &limits).await;
        if made.is_err() {
            self.remove_sandbox(&task_id)?;
            let _ = self.cgroups.remove(&self.task_cgroup(&task_id)).await;
        }
        made
    }

    async fn make_sandbox(
        &self,
        task_id: &str,
        limits: &shim_proto::Limits,
    ) -> Result<Sandbox, RuntimeError> {
        let failed = |failure| RuntimeError::prepare(task_id, failure);
        self.cgroups.make_group(&self.task_cgroup(task_id), limits).map_err(failed)?;
        let taken = self.ranges.lock().unwrap_or_else(PoisonError::into_inner).take(task_id);
        let uid_base = taken.ok_or_else(|| {
            failed(Failure::machine(format!(
                "all {} ranges of user ids are in use: this node cannot hold more tasks",
                self.config.uid_ranges
            )))
        })?;
        let sandbox = self.sandbox(task_id, uid_base);
        let record = serde_json::to_vec(&SandboxRecord { uid_base })
            .map_err(|error| failed(Failure::machine(error.to_string())))?;
        let path = self.record_path(task_id);
        write_whole(&path, &record).map_err(|source| RuntimeError::Directory {
            action: "write",
            path,
            source,
        })?;
        crash_point::crash_point!("runtime.sandbox.recorded");
        let directory = self.run.sandbox(task_id);
        make_directory(&directory, 0o700)?;
        let request = SandboxRequest { directory, uid_base };
        let mut answered =
            one_shot::ask(&self.config.shim_program, "sandbox", task_id, &request, SANDBOX_TIMEOUT)
                .await
                .map_err(failed)?;
        tokio::spawn(async move { answered.child.wait().await });
        match answered.reply {
            SandboxReply::Ready => Ok(sandbox),
            SandboxReply::Failed(failure) => Err(failed(failure)),
        }
    }

    pub(super) fn remove_sandbox(&self, task_id: &str) -> Result<(), RuntimeError> {
        Self::check_task_id(task_id)?;
        self.run.unpin(task_id)?;
        let path = self.record_path(task_id);
        match fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                return Err(RuntimeError::Directory { action: "remove", path, source });
            }
            Ok(()) | Err(_) => {}
        }
        self.ranges.lock().unwrap_or_else(PoisonError::into_inner).give_back(task_id);
        Ok(())
    }

    pub(super) fn create_volume(&self, task_id: &str, name: &str) -> Result<PathBuf, RuntimeError> {
        Self::check_task_id(task_id)?;
        if !validate::is_name(name, 255) {
            let message =
                format!("`{name}` is not a volume name: letters, digits, `-` and `_`, at most 255");
            return Err(RuntimeError::prepare(task_id, Failure::specification(message)));
        }
        let path = self.volumes_directory(task_id).join(name);
        fs::create_dir_all(&path).map_err(|source| RuntimeError::Directory {
            action: "make",
            path: path.clone(),
            source,
        })?;
        Ok(path)
    }

    fn volumes_directory(&self, task_id: &str) -> PathBuf {
        self.config.state_dir.join("volumes").join(task_id)
    }

    pub(super) async fn remove_task(&self, task_id: &str) -> Result<(), RuntimeError> {
        Self::check_task_id(task_id)?;
        let directory = self.task_directory(task_id);
        if let Ok(entries) = fs::read_dir(&directory) {
            for entry in entries.flatten() {
                if let Some(name) = entry.file_name().to_str() {
                    self.delete(&ContainerId::new(task_id, name)).await?;
                }
            }
        }
        remove_tree(directory).await?;
        let cgroup = self.task_cgroup(task_id);
        let removed = self.cgroups.remove(&cgroup).await;
        removed.map_err(|failure| RuntimeError::prepare(task_id, failure))?;
        self.remove_sandbox(task_id)?;
        remove_tree(self.volumes_directory(task_id)).await
    }
}

fn is_pinned(path: &Path) -> bool {
    is_mount_point(path).unwrap_or(false)
}
