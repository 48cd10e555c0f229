//! Tasks on two instances.

use base::{SeededIds, Timestamp};
use domain::*;
use node_proto::TaskReport;

/// A definition, a task of it on `one`, and a task of it on `other`.
pub(super) fn tasks(one: &str, other: &str, now: Timestamp) -> (TaskDefinition, Task, Task) {
    let container = ContainerSpec {
        name: "main".to_owned(),
        essential: true,
        cpu_units: 10,
        memory_mib: Some(10),
        ..ContainerSpec::default()
    };
    let definition = TaskDefinition {
        id: TaskDefinitionId { family: "web".to_owned(), revision: 1 },
        status: TaskDefinitionStatus::Active,
        spec: TaskSpec {
            containers: vec![container],
            volumes: Vec::new(),
            network_mode: NetworkMode::Bridge,
            cpu_units: None,
            memory_mib: None,
            task_role_arn: None,
            execution_role_arn: None,
            ephemeral_storage_mib: None,
            compatible_with_ec2: true,
            compatible_with_fargate: false,
            placement_expressions: Vec::new(),
        },
        document: Document::default(),
        tags: Tags::new(),
        registered_at: now,
        registered_by: "root".to_owned(),
        deregistered_at: None,
        delete_requested_at: None,
        guard_notes: Vec::new(),
    };
    let ids = SeededIds::new(99);
    let task = |instance: &str| {
        NewTask {
            cluster: "edge",
            task_definition: &definition.id,
            spec: &definition.spec,
            group: "family:web".to_owned(),
            launch_type: LaunchType::Ec2,
            container_instance: instance.to_owned(),
            now,
        }
        .accept(&ids)
    };
    let (mine, others) = (task(one), task(other));
    (definition, mine, others)
}

/// That a task runs.
pub(super) fn report(task: &str, now: Timestamp) -> TaskReport {
    TaskReport {
        task_id: task.to_owned(),
        observation: TaskObservation {
            sequence: 1,
            last_status: TaskStatus::Running,
            containers: Vec::new(),
            health_status: HealthStatus::Unknown,
            address: None,
            mac_address: None,
            stop: None,
            pull_started_at: None,
            pull_stopped_at: None,
            started_at: Some(now),
            execution_stopped_at: None,
            stopped_at: None,
        },
    }
}
