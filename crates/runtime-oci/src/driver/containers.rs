//! The life of a container, as the driver sees it.

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use base::Timestamp;
use shim_proto::{
    ContainerSpec, CreateReply, CreateRequest, ExecReply, ExecRequest, Failure, Reply, Request,
    SpoolLimits,
};
use tokio::process::Child;

use super::{Shared, recovery, remove_tree};
use crate::shim_client::ShimClient;
use crate::{
    ContainerId, ContainerStats, ExecOutcome, ExecSpec, RuntimeError, Sandbox, Started, one_shot,
    validate,
};

const CREATE_TIMEOUT: Duration = Duration::from_secs(60);
/// What an exec may take beyond the program's own time.
const EXEC_EXTRA: Duration = Duration::from_secs(15);
const EXEC_OUTPUT_LIMIT_BYTES: usize = 64 * 1024;

/// Creates a container and begins to watch for its end.
pub(super) async fn create(shared: &Arc<Shared>, spec: ContainerSpec) -> Result<(), RuntimeError> {
    let id = ContainerId::new(&*spec.task_id, &*spec.name);
    let failed = |failure| RuntimeError::create(&id, failure);
    let Ok(directory) = shared.container_directory(&id) else {
        return Err(failed(Failure::specification(
            "task ids and container names are letters, digits, `-` and `_`".to_owned(),
        )));
    };
    validate::container(&spec).map_err(failed)?;
    let sandbox = shared
        .find_sandbox(&id.task_id)?
        .ok_or_else(|| failed(Failure::state("its task has no sandbox on this node".to_owned())))?;
    make_container_directory(&directory).map_err(|source| {
        if source.kind() == io::ErrorKind::AlreadyExists {
            failed(Failure::state("a container of this name exists already".to_owned()))
        } else {
            RuntimeError::Directory { action: "make", path: directory.clone(), source }
        }
    })?;
    crash_point::crash_point!("runtime.container.directory");
    let launched = match shared.create_request(&id, spec, &sandbox, &directory).await {
        Ok(request) => shared.launch(&id, &request).await,
        Err(failure) => Err(failure),
    };
    match launched {
        Ok(mut child) => {
            tokio::spawn(async move { child.wait().await });
            recovery::watch(shared, &id, &directory);
            Ok(())
        }
        Err(failure) => {
            // Nothing is left behind.
            let _ = shared.cgroups.remove(&shared.container_cgroup(&id)).await;
            remove_tree(directory).await?;
            Err(failed(failure))
        }
    }
}

fn make_container_directory(directory: &Path) -> io::Result<()> {
    if let Some(task_directory) = directory.parent() {
        fs::create_dir_all(task_directory)?;
    }
    fs::DirBuilder::new().mode(0o700).create(directory)
}

impl Shared {
    async fn create_request(
        &self,
        id: &ContainerId,
        spec: ContainerSpec,
        sandbox: &Sandbox,
        directory: &Path,
    ) -> Result<CreateRequest, Failure> {
        let cgroup = self.container_cgroup(id);
        let cgroups = self.cgroups.make_container_group(&cgroup, &spec.limits, &self.shim_group)?;
        Ok(CreateRequest {
            writable_template: self.templates.get(spec.writable_layer_mib).await,
            spec,
            directory: directory.to_owned(),
            stage_directory: self.run.stage.clone(),
            sandboxes_directory: self.run.sandboxes.clone(),
            user_namespace: sandbox.user_namespace.clone(),
            network_namespace: sandbox.network_namespace.clone(),
            uid_base: sandbox.uid_base,
            cgroups,
            spool: SpoolLimits {
                segment_bytes: self.config.spool_segment_bytes,
                total_bytes: self.config.spool_total_bytes,
            },
        })
    }

    async fn launch(&self, id: &ContainerId, request: &CreateRequest) -> Result<Child, Failure> {
        let label = id.to_string();
        let program = &self.config.shim_program;
        let answered = one_shot::ask(program, "run", &label, request, CREATE_TIMEOUT).await?;
        match answered.reply {
            CreateReply::Created { .. } => Ok(answered.child),
            CreateReply::Failed(failure) => Err(failure),
        }
    }

    /// Asks the container's shim. `None` when there is none.
    async fn ask(&self, directory: &Path, request: &Request) -> Result<Option<Reply>, Failure> {
        match ShimClient::connect(directory).await {
            Ok(mut client) => client.ask(request).await.map(Some),
            Err(error) if no_shim(&error) => Ok(None),
            Err(error) => Err(Failure::machine(format!("cannot reach its shim: {error}"))),
        }
    }

    pub(super) async fn start(&self, id: &ContainerId) -> Result<Started, RuntimeError> {
        let directory = self.container_directory(id)?;
        let failed = |failure| RuntimeError::start(id, failure);
        match self.ask(&directory, &Request::Start).await.map_err(failed)? {
            Some(Reply::Running { pid, started_at_ms }) => {
                Ok(Started { pid, started_at: Timestamp::from_epoch_ms(started_at_ms) })
            }
            Some(Reply::Failed(failure)) => Err(failed(failure)),
            Some(reply) => Err(failed(Failure::machine(format!("unexpected answer {reply:?}")))),
            None => Err(self.without_shim(id, &directory, failed)),
        }
    }

    /// Why there is nobody to ask.
    fn without_shim(
        &self,
        id: &ContainerId,
        directory: &Path,
        failed: impl FnOnce(Failure) -> RuntimeError,
    ) -> RuntimeError {
        if directory.symlink_metadata().is_ok() {
            failed(Failure::state("its shim has ended".to_owned()))
        } else {
            RuntimeError::NoSuchContainer(id.clone())
        }
    }

    pub(super) async fn signal(&self, id: &ContainerId, signal: i32) -> Result<(), RuntimeError> {
        let directory = self.container_directory(id)?;
        let failed = |failure| RuntimeError::container("signal", id, failure);
        match self.ask(&directory, &Request::Signal { signal }).await.map_err(failed)? {
            Some(Reply::Done) => Ok(()),
            Some(Reply::Failed(failure)) => Err(failed(failure)),
            Some(reply) => Err(failed(Failure::machine(format!("unexpected answer {reply:?}")))),
            None => Err(self.without_shim(id, &directory, failed)),
        }
    }

    pub(super) async fn exec(
        &self,
        id: &ContainerId,
        spec: ExecSpec,
    ) -> Result<ExecOutcome, RuntimeError> {
        let directory = self.container_directory(id)?;
        let failed = |failure| RuntimeError::container("run a program in", id, failure);
        if directory.symlink_metadata().is_err() {
            return Err(RuntimeError::NoSuchContainer(id.clone()));
        }
        let program = spec.argv.first().is_some_and(|program| !program.is_empty());
        if !program || spec.argv.iter().any(|text| text.contains('\0')) {
            let message = "the command is empty or contains a NUL character".to_owned();
            return Err(failed(Failure::specification(message)));
        }
        let timeout = Duration::from_millis(spec.timeout_ms).saturating_add(EXEC_EXTRA);
        let sandbox = self.find_sandbox(&id.task_id)?.ok_or_else(|| {
            failed(Failure::state("its task has no sandbox on this node".to_owned()))
        })?;
        let request = ExecRequest {
            directory,
            user_namespace: sandbox.user_namespace,
            cgroups: self.cgroups.files(&self.container_cgroup(id), &self.shim_group),
            argv: spec.argv,
            timeout_ms: spec.timeout_ms,
            output_limit_bytes: spec.output_limit_bytes.min(EXEC_OUTPUT_LIMIT_BYTES),
        };
        let label = id.to_string();
        let answered =
            one_shot::ask(&self.config.shim_program, "exec", &label, &request, timeout).await;
        let mut answered = answered.map_err(failed)?;
        tokio::spawn(async move { answered.child.wait().await });
        match answered.reply {
            ExecReply::Ended { exit_code, timed_out, output } => {
                Ok(ExecOutcome { exit_code, timed_out, output })
            }
            ExecReply::Failed(failure) => Err(failed(failure)),
        }
    }

    pub(super) fn stats(&self, id: &ContainerId) -> Result<ContainerStats, RuntimeError> {
        self.container_directory(id)?;
        self.cgroups.stats(&self.container_cgroup(id)).map_err(|error| {
            if error.kind() == io::ErrorKind::NotFound {
                RuntimeError::NoSuchContainer(id.clone())
            } else {
                RuntimeError::container("measure", id, Failure::machine(error.to_string()))
            }
        })
    }

    pub(super) async fn delete(&self, id: &ContainerId) -> Result<(), RuntimeError> {
        let directory: PathBuf = self.container_directory(id)?;
        if directory.symlink_metadata().is_err() {
            return Ok(());
        }
        let failed = |failure| RuntimeError::container("delete", id, failure);
        if let Some(Reply::Failed(failure)) =
            self.ask(&directory, &Request::Delete).await.map_err(failed)?
        {
            return Err(failed(failure));
        }
        self.cgroups.remove(&self.container_cgroup(id)).await.map_err(failed)?;
        remove_tree(directory).await
    }
}

/// Whether a failed connection means that there is no shim, rather than that it is busy.
pub(super) fn no_shim(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused)
}
