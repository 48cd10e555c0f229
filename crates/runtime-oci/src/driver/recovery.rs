//! Finding containers again, and noticing when they end.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use base::Timestamp;
use shim_proto::{ExitRecord, Reply, Request, file};

use super::{Shared, containers};
use crate::shim_client::ShimClient;
use crate::{
    ContainerExit, ContainerId, Recovered, RecoveredState, RuntimeError, Started, validate,
};

/// Exit code of a container whose shim was killed, and with it its processes: as after SIGKILL.
const KILLED: i32 = 137;
const SIGKILL: i32 = 9;
/// Between attempts to reach a shim that is there but does not answer as it should.
const RECONNECT_PAUSE: Duration = Duration::from_secs(1);

impl ContainerExit {
    fn new(container: ContainerId, record: ExitRecord) -> Self {
        Self {
            container,
            exit_code: record.exit_code,
            oom_killed: record.oom_killed,
            started_at: record.started_at_ms.map(Timestamp::from_epoch_ms),
            finished_at: Timestamp::from_epoch_ms(record.finished_at_ms),
            reason: record.reason,
        }
    }
}

/// Everything on disk, with its state.
pub(super) async fn recover(shared: &Arc<Shared>) -> Result<Recovered, RuntimeError> {
    let mut recovered = Recovered { sandboxes: shared.pinned_sandboxes()?, containers: Vec::new() };
    for id in container_ids(shared)? {
        let directory = shared.container_directory(&id)?;
        let state = state_of(shared, &id, &directory).await;
        recovered.containers.push((id, state));
    }
    Ok(recovered)
}

fn container_ids(shared: &Shared) -> Result<Vec<ContainerId>, RuntimeError> {
    let root = shared.config.state_dir.join("containers");
    let mut ids = Vec::new();
    for task_id in names_in(&root)? {
        for name in names_in(&root.join(&task_id))? {
            ids.push(ContainerId::new(&*task_id, name));
        }
    }
    ids.retain(validate::is_container_id);
    ids.sort();
    Ok(ids)
}

fn names_in(directory: &Path) -> Result<Vec<String>, RuntimeError> {
    let list = || -> io::Result<Vec<String>> {
        let entries = fs::read_dir(directory)?.collect::<io::Result<Vec<_>>>()?;
        Ok(entries.into_iter().filter_map(|entry| entry.file_name().into_string().ok()).collect())
    };
    list().map_err(|source| RuntimeError::Directory {
        action: "list",
        path: directory.to_owned(),
        source,
    })
}

async fn state_of(shared: &Arc<Shared>, id: &ContainerId, directory: &Path) -> RecoveredState {
    if let Some(record) = exit_record(directory) {
        return RecoveredState::Exited(ContainerExit::new(id.clone(), record));
    }
    let reply = match ShimClient::connect(directory).await {
        Ok(mut client) => client.ask(&Request::Status).await.ok(),
        Err(_) => None,
    };
    match reply {
        Some(Reply::Created { .. }) => {
            watch(shared, id, directory);
            RecoveredState::Created
        }
        Some(Reply::Running { pid, started_at_ms }) => {
            watch(shared, id, directory);
            let started_at = Timestamp::from_epoch_ms(started_at_ms);
            RecoveredState::Running(Started { pid, started_at })
        }
        Some(Reply::Exited(record)) => {
            RecoveredState::Exited(ContainerExit::new(id.clone(), record))
        }
        // The agent's death kept it from being made: its program never ran, and may run yet.
        None if started_at_ms(directory).is_none() => {
            shared.cgroups.kill(&shared.container_cgroup(id));
            RecoveredState::Created
        }
        Some(Reply::Done | Reply::Failed(_)) | None => {
            let record = end_without_shim(shared, id, directory);
            RecoveredState::Exited(ContainerExit::new(id.clone(), record))
        }
    }
}

fn exit_record(directory: &Path) -> Option<ExitRecord> {
    let text = fs::read(directory.join(file::EXIT)).ok()?;
    serde_json::from_slice(&text).ok()
}

/// Tells of the container's end when it comes.
pub(super) fn watch(shared: &Arc<Shared>, id: &ContainerId, directory: &Path) {
    let (shared, id, directory) = (Arc::downgrade(shared), id.clone(), directory.to_owned());
    let watched = Made::of(&directory);
    tokio::spawn(async move {
        let from_shim = wait_for_exit(&id, &directory, watched).await;
        let Some(shared) = shared.upgrade() else { return };
        let record = match from_shim {
            Some(record) => record,
            // Deleted, which nobody has to be told of; another of its name may be there now.
            None if watched.is_none() || Made::of(&directory) != watched => return,
            None => end_without_shim(&shared, &id, &directory),
        };
        // Fails only when nobody listens for exits any more.
        let _ = shared.exits.send(ContainerExit::new(id, record)).await;
    });
}

/// Tells a container's directory from a later one of the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Made {
    inode: u64,
    at: Option<SystemTime>,
}

impl Made {
    fn of(directory: &Path) -> Option<Self> {
        let data = directory.symlink_metadata().ok()?;
        Some(Self { inode: data.ino(), at: data.created().ok() })
    }
}

/// What the shim says when the container ends; `None` when there is no shim any more.
async fn wait_for_exit(
    id: &ContainerId,
    directory: &Path,
    watched: Option<Made>,
) -> Option<ExitRecord> {
    while Made::of(directory) == watched {
        let reply = match ShimClient::connect(directory).await {
            Ok(mut client) => client.wait().await,
            Err(error) if containers::no_shim(&error) => return None,
            Err(error) => Err(error),
        };
        match reply {
            Ok(Reply::Exited(record)) => return Some(record),
            Ok(reply) => tracing::error!(container = %id, ?reply, "unexpected answer from a shim"),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => continue,
            Err(error) => tracing::warn!(container = %id, %error, "lost a shim, trying again"),
        }
        tokio::time::sleep(RECONNECT_PAUSE).await;
    }
    None
}

/// When a container was started whose shim cannot tell any more; `None` when it never was.
fn started_at_ms(directory: &Path) -> Option<i64> {
    let moment = directory.join(file::STARTED).symlink_metadata().ok()?.modified().ok()?;
    let since_epoch = moment.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    i64::try_from(since_epoch.as_millis()).ok()
}

/// Makes sure that a container without a shim has ended, and records it.
fn end_without_shim(shared: &Shared, id: &ContainerId, directory: &Path) -> ExitRecord {
    if let Some(record) = exit_record(directory) {
        return record;
    }
    // The kernel kills process 1 with its shim, unless the program has asked it not to.
    shared.cgroups.kill(&shared.container_cgroup(id));
    let record = ExitRecord {
        exit_code: KILLED,
        signal: Some(SIGKILL),
        oom_killed: false,
        finished_at_ms: shared.config.clock.now().as_epoch_ms(),
        started_at_ms: started_at_ms(directory),
        reason: Some(
            "the process that keeps the container was killed, or the machine was restarted"
                .to_owned(),
        ),
    };
    let path = directory.join(file::EXIT);
    let unfinished = path.with_extension("new");
    let written = serde_json::to_vec(&record)
        .map_err(io::Error::from)
        .and_then(|text| fs::write(&unfinished, text))
        .and_then(|()| fs::rename(&unfinished, &path));
    if let Err(error) = written {
        tracing::warn!(container = %id, %error, "cannot record that a container has ended");
    }
    record
}
