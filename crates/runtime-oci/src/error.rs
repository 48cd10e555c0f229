//! Why the driver could not do something.

use std::path::PathBuf;

use shim_proto::{Failure, FailureKind};

use crate::ContainerId;

/// Why the driver could not do something. One line each, fit for a task's stopped reason.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// ECS's `CannotCreateContainerError`.
    #[error("cannot create container `{}`: {failure}", container.name)]
    CannotCreateContainer {
        /// Which.
        container: ContainerId,
        /// What, why, and what to do.
        failure: Failure,
    },
    /// ECS's `CannotStartContainerError`.
    #[error("cannot start container `{}`: {failure}", container.name)]
    CannotStartContainer {
        /// Which.
        container: ContainerId,
        /// What, why, and what to do.
        failure: Failure,
    },
    /// ECS's `ResourceInitializationError`: the task's namespaces, cgroup or volumes.
    #[error("cannot prepare task `{task_id}`: {failure}")]
    ResourceInitialization {
        /// Which task.
        task_id: String,
        /// What, why, and what to do.
        failure: Failure,
    },
    /// Something else asked of a container did not work.
    #[error("cannot {action} container `{container}`: {failure}")]
    Container {
        /// What was asked: `signal`, `run a program in`, `delete`, …
        action: &'static str,
        /// Which.
        container: ContainerId,
        /// What, why, and what to do.
        failure: Failure,
    },
    /// There is no such container.
    #[error("there is no container `{0}` on this node")]
    NoSuchContainer(ContainerId),
    /// The driver's own directories are not usable.
    #[error("cannot {action} `{}`: {source}", path.display())]
    Directory {
        /// What was tried.
        action: &'static str,
        /// On which path.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The driver cannot work as configured.
    #[error("{0}")]
    Configuration(String),
    /// A container's output cannot be read.
    #[error(transparent)]
    Output(#[from] log_spool::SpoolError),
}

impl RuntimeError {
    /// ECS's name for the error, as it begins a container's reason.
    pub fn ecs_name(&self) -> &'static str {
        match self {
            Self::CannotCreateContainer { .. } => "CannotCreateContainerError",
            Self::CannotStartContainer { .. } => "CannotStartContainerError",
            Self::ResourceInitialization { .. } => "ResourceInitializationError",
            Self::Container { .. }
            | Self::NoSuchContainer(_)
            | Self::Directory { .. }
            | Self::Configuration(_)
            | Self::Output(_) => "ContainerRuntimeError",
        }
    }

    /// Whether trying the same again may work: the machine was at fault, not what was asked.
    pub fn is_machine_fault(&self) -> bool {
        match self {
            Self::CannotCreateContainer { failure, .. }
            | Self::CannotStartContainer { failure, .. }
            | Self::ResourceInitialization { failure, .. }
            | Self::Container { failure, .. } => failure.kind == FailureKind::Machine,
            Self::Directory { .. } | Self::Output(_) => true,
            Self::NoSuchContainer(_) | Self::Configuration(_) => false,
        }
    }

    pub(crate) fn create(container: &ContainerId, failure: Failure) -> Self {
        Self::CannotCreateContainer { container: container.clone(), failure }
    }

    pub(crate) fn start(container: &ContainerId, failure: Failure) -> Self {
        Self::CannotStartContainer { container: container.clone(), failure }
    }

    pub(crate) fn prepare(task_id: &str, failure: Failure) -> Self {
        Self::ResourceInitialization { task_id: task_id.to_owned(), failure }
    }

    pub(crate) fn container(
        action: &'static str,
        container: &ContainerId,
        failure: Failure,
    ) -> Self {
        Self::Container { action, container: container.clone(), failure }
    }
}
