//! What `RunTask` and `StartTask` change in a task definition for one task.

use serde::{Deserialize, Serialize};

use crate::TaskSpec;

/// `overrides` of a task.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct TaskOverride {
    /// Over the task-level CPU limit, in CPU units.
    pub cpu_units: Option<u32>,
    /// Over the task-level memory limit, in MiB.
    pub memory_mib: Option<u32>,
    /// Over the task role.
    pub task_role_arn: Option<String>,
    /// Over the execution role.
    pub execution_role_arn: Option<String>,
    /// Over the ephemeral storage, in MiB.
    pub ephemeral_storage_mib: Option<u32>,
    /// Per container.
    pub containers: Vec<ContainerOverride>,
}

/// What is changed in one container.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ContainerOverride {
    /// Name of a container of the definition.
    pub name: String,
    /// Over the command, when given.
    pub command: Option<Vec<String>>,
    /// Added to the environment, over variables of the same name.
    pub environment: Vec<(String, String)>,
    /// Over the CPU units.
    pub cpu_units: Option<u32>,
    /// Over the hard memory limit, in MiB.
    pub memory_mib: Option<u32>,
    /// Over the memory reservation, in MiB.
    pub memory_reservation_mib: Option<u32>,
}

impl TaskOverride {
    /// `spec` with these overrides applied. Overrides of containers that are not in `spec` are
    /// ignored here: the API refuses them.
    #[must_use]
    pub fn apply(&self, spec: &TaskSpec) -> TaskSpec {
        let mut spec = spec.clone();
        spec.cpu_units = self.cpu_units.or(spec.cpu_units);
        spec.memory_mib = self.memory_mib.or(spec.memory_mib);
        spec.ephemeral_storage_mib = self.ephemeral_storage_mib.or(spec.ephemeral_storage_mib);
        if self.task_role_arn.is_some() {
            spec.task_role_arn.clone_from(&self.task_role_arn);
        }
        if self.execution_role_arn.is_some() {
            spec.execution_role_arn.clone_from(&self.execution_role_arn);
        }
        for changed in &self.containers {
            let found = spec.containers.iter_mut().find(|container| container.name == changed.name);
            if let Some(container) = found {
                if let Some(command) = &changed.command {
                    container.command.clone_from(command);
                }
                container.environment.extend(changed.environment.iter().cloned());
                container.cpu_units = changed.cpu_units.unwrap_or(container.cpu_units);
                container.memory_mib = changed.memory_mib.or(container.memory_mib);
                container.memory_reservation_mib =
                    changed.memory_reservation_mib.or(container.memory_reservation_mib);
            }
        }
        spec
    }
}
