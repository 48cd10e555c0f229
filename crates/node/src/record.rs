//! What the node keeps on disk about its tasks: one file each, replaced as a whole.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use node_proto::Assignment;
use serde::{Deserialize, Serialize};
use task_engine::TaskState;

use crate::identity::{STAGED, write_atomically};

/// A task as it is kept. Survives the agent's death; after the machine's death the containers are
/// gone anyway, so nothing waits for the disk.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct TaskRecord {
    /// What the control plane last asked for.
    pub(crate) assignment: Arc<Assignment>,
    /// How far the task is.
    pub(crate) state: TaskState,
    /// Number of the last report made.
    pub(crate) sequence: u64,
}

/// The directory of the task files.
#[derive(Debug, Clone)]
pub(crate) struct TaskFiles(PathBuf);

impl TaskFiles {
    pub(crate) fn open(directory: &Path) -> io::Result<Self> {
        let tasks = directory.join("tasks");
        std::fs::create_dir_all(&tasks)?;
        Ok(Self(tasks))
    }

    /// All tasks. A file that cannot be read is set aside with a word in the log: its task is
    /// unknown to the node from then on and what is left of it is removed.
    pub(crate) fn load(&self) -> io::Result<Vec<TaskRecord>> {
        let mut records = Vec::new();
        for entry in std::fs::read_dir(&self.0)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == STAGED) {
                // Of an agent that died while it wrote.
                std::fs::remove_file(&path)?;
            }
            if path.extension().is_none_or(|extension| extension != "json") {
                continue;
            }
            match serde_json::from_slice(&std::fs::read(&path)?) {
                Ok(record) => records.push(record),
                Err(error) => {
                    tracing::error!(%error, path = %path.display(), "task file is damaged: set aside");
                    std::fs::rename(&path, path.with_extension("damaged"))?;
                }
            }
        }
        Ok(records)
    }

    pub(crate) fn save(&self, record: &TaskRecord) -> io::Result<()> {
        write_atomically(&self.path(&record.assignment.task_id), record, false)
    }

    pub(crate) fn remove(&self, task_id: &str) -> io::Result<()> {
        match std::fs::remove_file(self.path(task_id)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn path(&self, task_id: &str) -> PathBuf {
        self.0.join(format!("{task_id}.json"))
    }
}
