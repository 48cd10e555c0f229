//! One small file per attached task, so that a new agent knows what the old one gave away.
//!
//! A record is written to the page cache, not to the disk: it matters only as long as the kernel state that it
//! describes, and both end with the machine. A record that cannot be parsed belongs to no intact task.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::{
    driver::{Attachment, NetworkMode, Protocol},
    error::NetworkError,
};

/// A port open to this host at the task's own address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HostOpenPort {
    pub(crate) protocol: Protocol,
    pub(crate) port: u16,
}

/// Everything a task has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) task_id: String,
    pub(crate) mode: NetworkMode,
    pub(crate) attachment: Attachment,
    pub(crate) host_open: Vec<HostOpenPort>,
}

/// The directory of the records.
#[derive(Debug)]
pub(crate) struct RecordStore {
    directory: PathBuf,
}

const SUFFIX: &str = ".json";
/// What is being written and has not its name yet.
const STAGED: &str = ".new";

impl RecordStore {
    pub(crate) fn open(directory: PathBuf) -> Result<Self, NetworkError> {
        fs::create_dir_all(&directory).map_err(failed(&directory, "created"))?;
        Ok(Self { directory })
    }

    pub(crate) fn write(&self, record: &Record) -> Result<(), NetworkError> {
        let path = self.path(&record.task_id);
        let temporary = self.directory.join(format!(".{}{STAGED}", record.task_id));
        serde_json::to_vec(record)
            .map_err(io::Error::from)
            .and_then(|bytes| fs::write(&temporary, bytes))
            .inspect(|()| crash_point::crash_point!("network.record.staged"))
            .and_then(|()| fs::rename(&temporary, &path))
            .map_err(failed(&path, "written"))
    }

    pub(crate) fn remove(&self, task_id: &str) -> Result<(), NetworkError> {
        let path = self.path(task_id);
        match fs::remove_file(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            result => result.map_err(failed(&path, "removed")),
        }
    }

    /// All records by name; `None` where the file is not a record.
    pub(crate) fn load(&self) -> Result<Vec<(String, Option<Record>)>, NetworkError> {
        let unreadable = || failed(&self.directory, "read");
        let mut records = Vec::new();
        for entry in fs::read_dir(&self.directory).map_err(unreadable())? {
            let entry = entry.map_err(unreadable())?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.ends_with(STAGED) {
                // Of an agent that died while it wrote.
                fs::remove_file(entry.path()).map_err(failed(&entry.path(), "removed"))?;
            }
            let Some(task_id) = name.strip_suffix(SUFFIX) else { continue };
            let bytes = fs::read(entry.path()).map_err(failed(&entry.path(), "read"))?;
            let record = serde_json::from_slice::<Record>(&bytes)
                .ok()
                .filter(|record| record.task_id == task_id);
            records.push((task_id.to_owned(), record));
        }
        Ok(records)
    }

    fn path(&self, task_id: &str) -> PathBuf {
        self.directory.join(format!("{task_id}{SUFFIX}"))
    }
}

fn failed(path: &Path, action: &'static str) -> impl FnOnce(io::Error) -> NetworkError {
    let path = path.to_owned();
    move |reason| NetworkError::State { path, action, reason }
}
