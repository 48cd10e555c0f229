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

#[cfg(test)]
mod tests {
    use super::*;

    fn spec() -> TaskSpec {
        let web = serde_json::json!({ "name": "web", "image": "web:1", "cpu_units": 10,
            "memory_mib": 64, "memory_reservation_mib": null, "essential": true, "entry_point": [],
            "command": ["serve"], "environment": { "KEPT": "1", "CHANGED": "1" },
            "secret_names": [], "working_directory": null, "user": null, "hostname": null,
            "extra_hosts": [], "depends_on": [], "start_timeout_seconds": null,
            "stop_timeout_seconds": null, "health_check": null, "restart_policy": null,
            "port_mappings": [], "mount_points": [], "volumes_from": [], "ulimits": [],
            "linux": { "capabilities_add": [], "capabilities_drop": [], "init_process": false,
                "shared_memory_size_mib": null, "tmpfs": [] },
            "read_only_root": false, "system_controls": {}, "log_configuration": null });
        let mut side = web.clone();
        side["name"] = "side".into();
        serde_json::from_value(serde_json::json!({ "containers": [web, side], "volumes": [],
            "network_mode": "Bridge", "cpu_units": null, "memory_mib": null,
            "task_role_arn": "role", "execution_role_arn": "execution",
            "ephemeral_storage_mib": null, "compatible_with_ec2": true,
            "compatible_with_fargate": false, "placement_expressions": [] }))
        .unwrap()
    }

    #[test]
    fn overrides_change_what_they_name_and_nothing_else() {
        let web = ContainerOverride {
            name: "web".to_owned(),
            command: Some(vec!["run".to_owned()]),
            environment: vec![("CHANGED".to_owned(), "2".to_owned())],
            cpu_units: Some(20),
            memory_reservation_mib: Some(32),
            ..ContainerOverride::default()
        };
        let absent = ContainerOverride { name: "absent".to_owned(), ..web.clone() };
        let changed = TaskOverride {
            task_role_arn: Some("other".to_owned()),
            containers: vec![web, absent],
            ..TaskOverride::default()
        }
        .apply(&spec());
        let mut expected = spec();
        expected.task_role_arn = Some("other".to_owned());
        let container = &mut expected.containers[0];
        container.command = vec!["run".to_owned()];
        container.environment.insert("CHANGED".to_owned(), "2".to_owned());
        container.cpu_units = 20;
        container.memory_reservation_mib = Some(32);
        assert_eq!(changed, expected);
        assert_eq!((changed.reserved_cpu_units(), changed.reserved_memory_mib()), (30, 96));
    }

    #[test]
    fn limits_of_the_task_are_what_it_reserves() {
        let limits =
            TaskOverride { cpu_units: Some(5), memory_mib: Some(6), ..TaskOverride::default() };
        let changed = limits.apply(&spec());
        assert_eq!((changed.reserved_cpu_units(), changed.reserved_memory_mib()), (5, 6));
        assert_eq!(TaskOverride::default().apply(&spec()), spec());
    }
}
