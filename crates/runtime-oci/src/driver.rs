//! The driver.

mod containers;
mod recovery;
mod sandboxes;

use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::BoxFuture;
use log_spool::Position;
use shim_proto::{ContainerSpec, Failure};
use tokio::sync::mpsc;

use crate::cgroups::{Cgroups, ShimGroup};
use crate::id_ranges::IdRanges;
use crate::output::{ContainerOutput, OutputWatch};
use crate::run_directory::{RunDirectory, make_directory};
use crate::templates::Templates;
use crate::{
    ContainerExit, ContainerId, ContainerStats, ExecOutcome, ExecSpec, Recovered, Runtime,
    RuntimeConfig, RuntimeError, Sandbox, SandboxSpec, Started, validate,
};

/// Exits that nobody has taken yet; further ones wait in their shims.
const EXITS_LIMIT: usize = 1024;

/// Runs containers through `portcullis-shim`. Cheap to clone; all clones are one driver.
#[derive(Debug, Clone)]
pub struct OciRuntime {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    config: RuntimeConfig,
    run: RunDirectory,
    cgroups: Cgroups,
    shim_group: ShimGroup,
    templates: Templates,
    ranges: Mutex<IdRanges>,
    output_watch: Arc<OutputWatch>,
    exits: mpsc::Sender<ContainerExit>,
    exits_to_take: Mutex<Option<mpsc::Receiver<ContainerExit>>>,
}

impl OciRuntime {
    /// A driver over these directories. Must be called as root, inside a tokio runtime, and by
    /// one program at a time.
    ///
    /// # Errors
    /// When the directories cannot be made or are not usable.
    pub fn open(config: RuntimeConfig) -> Result<Self, RuntimeError> {
        for name in ["", "containers", "sandboxes", "volumes", "templates"] {
            make_directory(&config.state_dir.join(name), 0o700)?;
        }
        let run = RunDirectory::open(&config.run_dir)?;
        let read = |path: &str| {
            fs::read_to_string(path).map_err(|source| RuntimeError::Directory {
                action: "read",
                path: PathBuf::from(path),
                source,
            })
        };
        let cgroups = Cgroups::from_mountinfo(&read("/proc/self/mountinfo")?);
        let shim_group = format!("{}/shims", config.cgroup_parent);
        let shim_group = cgroups
            .make_shim_group(&shim_group, &read("/proc/self/cgroup")?)
            .map_err(|failure| RuntimeError::Configuration(failure.message))?;
        let output_watch = OutputWatch::start().map_err(|error| {
            RuntimeError::Configuration(format!(
                "cannot watch files with inotify: {error}; raise fs.inotify.max_user_instances"
            ))
        })?;
        let (exits, taken) = mpsc::channel(EXITS_LIMIT);
        let shared = Shared {
            templates: Templates::new(config.state_dir.join("templates")),
            ranges: Mutex::new(IdRanges::new(config.uid_first, config.uid_ranges)),
            config,
            run,
            cgroups,
            shim_group,
            output_watch,
            exits,
            exits_to_take: Mutex::new(Some(taken)),
        };
        shared.load_id_ranges()?;
        Ok(Self { shared: Arc::new(shared) })
    }
}

impl Shared {
    fn task_directory(&self, task_id: &str) -> PathBuf {
        self.config.state_dir.join("containers").join(task_id)
    }

    /// The container's directory; an error for a name that could be another's.
    fn container_directory(&self, id: &ContainerId) -> Result<PathBuf, RuntimeError> {
        if validate::is_container_id(id) {
            Ok(self.task_directory(&id.task_id).join(&id.name))
        } else {
            Err(RuntimeError::NoSuchContainer(id.clone()))
        }
    }

    fn check_task_id(task_id: &str) -> Result<(), RuntimeError> {
        if validate::is_task_id(task_id) {
            return Ok(());
        }
        let message = "the task's id must be 1 to 64 letters, digits, `-` and `_`".to_owned();
        Err(RuntimeError::prepare(task_id, Failure::specification(message)))
    }

    fn task_cgroup(&self, task_id: &str) -> String {
        format!("{}/{task_id}", self.config.cgroup_parent)
    }

    fn container_cgroup(&self, id: &ContainerId) -> String {
        format!("{}/{}", self.task_cgroup(&id.task_id), id.name)
    }
}

/// Removes a directory with all in it, away from the async threads. No error when it is missing.
async fn remove_tree(path: PathBuf) -> Result<(), RuntimeError> {
    let removed = tokio::task::spawn_blocking({
        let path = path.clone();
        move || fs::remove_dir_all(path)
    });
    let source = match removed.await {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(error)) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Ok(Err(error)) => error,
        Err(error) => std::io::Error::other(error),
    };
    Err(RuntimeError::Directory { action: "remove", path, source })
}

impl Runtime for OciRuntime {
    fn create_sandbox(&self, spec: SandboxSpec) -> BoxFuture<'_, Result<Sandbox, RuntimeError>> {
        Box::pin(self.shared.create_sandbox(spec))
    }

    fn remove_sandbox<'a>(&'a self, task_id: &'a str) -> BoxFuture<'a, Result<(), RuntimeError>> {
        Box::pin(async move { self.shared.remove_sandbox(task_id) })
    }

    fn create_volume<'a>(
        &'a self,
        task_id: &'a str,
        name: &'a str,
    ) -> BoxFuture<'a, Result<PathBuf, RuntimeError>> {
        Box::pin(async move { self.shared.create_volume(task_id, name) })
    }

    fn create_container(&self, spec: ContainerSpec) -> BoxFuture<'_, Result<(), RuntimeError>> {
        Box::pin(containers::create(&self.shared, spec))
    }

    fn start_container<'a>(
        &'a self,
        id: &'a ContainerId,
    ) -> BoxFuture<'a, Result<Started, RuntimeError>> {
        Box::pin(self.shared.start(id))
    }

    fn signal<'a>(
        &'a self,
        id: &'a ContainerId,
        signal: i32,
    ) -> BoxFuture<'a, Result<(), RuntimeError>> {
        Box::pin(self.shared.signal(id, signal))
    }

    fn exec<'a>(
        &'a self,
        id: &'a ContainerId,
        spec: ExecSpec,
    ) -> BoxFuture<'a, Result<ExecOutcome, RuntimeError>> {
        Box::pin(self.shared.exec(id, spec))
    }

    fn exits(&self) -> Option<mpsc::Receiver<ContainerExit>> {
        self.shared.exits_to_take.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn recover(&self) -> BoxFuture<'_, Result<Recovered, RuntimeError>> {
        Box::pin(recovery::recover(&self.shared))
    }

    fn output(
        &self,
        id: &ContainerId,
        position: Option<Position>,
    ) -> Result<ContainerOutput, RuntimeError> {
        let directory = self.shared.container_directory(id)?;
        if directory.symlink_metadata().is_err() {
            return Err(RuntimeError::NoSuchContainer(id.clone()));
        }
        ContainerOutput::open(&self.shared.output_watch, &directory, position)
    }

    fn stats<'a>(
        &'a self,
        id: &'a ContainerId,
    ) -> BoxFuture<'a, Result<ContainerStats, RuntimeError>> {
        Box::pin(async move { self.shared.stats(id) })
    }

    fn delete_container<'a>(
        &'a self,
        id: &'a ContainerId,
    ) -> BoxFuture<'a, Result<(), RuntimeError>> {
        Box::pin(self.shared.delete(id))
    }

    fn remove_task<'a>(&'a self, task_id: &'a str) -> BoxFuture<'a, Result<(), RuntimeError>> {
        Box::pin(self.shared.remove_task(task_id))
    }
}
