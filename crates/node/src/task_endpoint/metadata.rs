//! The task metadata endpoint, version 4, as AWS documents it; what this product does not have is left out.

use domain::{HealthStatus, NetworkMode};
use node_proto::{TagsRequest, TaskTags};
use serde_json::{Map, Value, json};
use task_engine::{ContainerPhase, ContainerState, observe};

use super::Endpoint;
use crate::effects::container_id;
use crate::live_tasks::LiveTask;

impl Endpoint {
    /// The task with its tags and its container instance's, or with the reason why they are not to be had, as
    /// AWS answers.
    pub(super) async fn task_with_tags(&self, task: &LiveTask) -> Value {
        let mut body = self::task(task, &self.zone);
        let Some(fields) = body.as_object_mut() else { return body };
        let (instance_id, task_id) = (self.instance_id.clone(), task.assignment.task_id.clone());
        match self.control_plane.tags(TagsRequest { instance_id, task_id }).await {
            Ok(TaskTags { task, container_instance }) => {
                fields.insert("TaskTags".to_owned(), json!(task));
                fields.insert("ContainerInstanceTags".to_owned(), json!(container_instance));
            }
            Err(error) => {
                tracing::warn!(task = task.assignment.task_id, %error, "no tags for a task");
                let reason = json!([{
                    "ErrorField": "TaskTags", "ErrorCode": "ServerException",
                    "ErrorMessage": "the tags cannot be read now",
                }]);
                fields.insert("Errors".to_owned(), reason);
            }
        }
        body
    }

    /// What a container uses, in the shape of Docker's statistics: CPU time, memory and processes. `null` when it
    /// does not run.
    pub(super) async fn stats(&self, task: &LiveTask, index: usize) -> Value {
        let Some(container) = task.state.containers.get(index) else { return Value::Null };
        let assignment = &task.assignment;
        let id = container_id(&assignment.task_id, &container.name, container.attempt);
        let Ok(stats) = self.runtime.stats(&id).await else { return Value::Null };
        let spec = assignment.spec.containers.get(index);
        let mut memory = json!({"usage": stats.memory_bytes});
        let limit_mib = spec.and_then(|spec| spec.memory_mib).or(assignment.spec.memory_mib);
        if let (Some(limit_mib), Some(memory)) = (limit_mib, memory.as_object_mut()) {
            memory.insert("limit".to_owned(), json!(u64::from(limit_mib) << 20));
        }
        json!({
            "read": self.clock.now().to_string(),
            "name": id.name,
            "id": container.id,
            "cpu_stats": {"cpu_usage": {"total_usage": stats.cpu_usage_ns}},
            "memory_stats": memory,
            "pids_stats": {"current": stats.pids},
        })
    }

    /// The statistics of all containers, by their ids.
    pub(super) async fn all_stats(&self, task: &LiveTask) -> Value {
        let mut all = Map::new();
        for (index, container) in task.state.containers.iter().enumerate() {
            all.insert(container.id.clone(), self.stats(task, index).await);
        }
        Value::Object(all)
    }
}

/// Fields in order, without those that have no value.
fn object<const N: usize>(fields: [(&str, Value); N]) -> Value {
    let fields = fields.into_iter().filter(|(_, value)| !value.is_null());
    Value::Object(fields.map(|(name, value)| (name.to_owned(), value)).collect())
}

/// `/task`.
pub(super) fn task(task: &LiveTask, zone: &str) -> Value {
    let LiveTask { assignment, state, .. } = task;
    let spec = &assignment.spec;
    let observation = observe(spec, assignment.desired_status, state, 0);
    let limits = object([
        ("CPU", json!(spec.cpu_units.map(|units| f64::from(units) / 1024.0))),
        ("Memory", json!(spec.memory_mib)),
    ]);
    let limited = spec.cpu_units.is_some() || spec.memory_mib.is_some();
    let containers: Vec<Value> =
        (0..state.containers.len()).filter_map(|index| container(task, index)).collect();
    object([
        ("Cluster", json!(assignment.cluster)),
        ("TaskARN", json!(assignment.task_arn)),
        ("Family", json!(assignment.task_definition.family)),
        ("Revision", json!(assignment.task_definition.revision.to_string())),
        ("ServiceName", json!(assignment.service)),
        ("DesiredStatus", json!(assignment.desired_status.as_str())),
        ("KnownStatus", json!(observation.last_status.as_str())),
        ("Limits", if limited { limits } else { Value::Null }),
        ("PullStartedAt", time(state.pull_started_at)),
        ("PullStoppedAt", time(state.pull_stopped_at)),
        ("ExecutionStoppedAt", time(state.execution_stopped_at)),
        ("AvailabilityZone", json!(zone)),
        ("LaunchType", json!(assignment.launch_type.as_str())),
        ("Containers", json!(containers)),
    ])
}

/// A container, by its place in the definition.
pub(super) fn container(task: &LiveTask, index: usize) -> Option<Value> {
    let LiveTask { assignment, state, .. } = task;
    let (state, spec) = (state.containers.get(index)?, assignment.spec.containers.get(index)?);
    let image_id = state.image_digest.as_ref().map(|digest| digest.to_string());
    let runtime = container_id(&assignment.task_id, &state.name, state.attempt);
    let health = (spec.health_check.is_some()).then(|| json!({"status": health(state)}));
    let ports: Vec<Value> = state
        .network_bindings
        .iter()
        .map(|binding| {
            json!({
                "ContainerPort": binding.container_port, "Protocol": binding.protocol.as_str(),
                "HostPort": binding.host_port, "HostIp": binding.bind_ip,
            })
        })
        .collect();
    Some(object([
        ("DockerId", json!(state.id)),
        ("Name", json!(state.name)),
        ("DockerName", json!(runtime.to_string())),
        ("Image", json!(spec.image)),
        ("ImageID", json!(image_id)),
        ("Labels", labels(task, state)),
        ("DesiredStatus", json!(assignment.desired_status.as_str())),
        ("KnownStatus", json!(known_status(state.phase))),
        ("ExitCode", json!(state.exit_code)),
        ("Limits", object([("CPU", json!(spec.cpu_units)), ("Memory", json!(spec.memory_mib))])),
        ("CreatedAt", time(state.started_at)),
        ("StartedAt", time(state.started_at)),
        ("FinishedAt", time(state.stopped_at)),
        ("Type", json!("NORMAL")),
        ("Health", json!(health)),
        ("ContainerARN", json!(container_arn(&assignment.task_arn, &state.id))),
        ("Ports", if ports.is_empty() { Value::Null } else { json!(ports) }),
        ("Networks", json!([network(task)])),
    ]))
}

fn labels(task: &LiveTask, container: &ContainerState) -> Value {
    let assignment = &task.assignment;
    json!({
        "com.amazonaws.ecs.cluster": assignment.cluster,
        "com.amazonaws.ecs.container-name": container.name,
        "com.amazonaws.ecs.task-arn": assignment.task_arn,
        "com.amazonaws.ecs.task-definition-family": assignment.task_definition.family,
        "com.amazonaws.ecs.task-definition-version":
            assignment.task_definition.revision.to_string(),
    })
}

fn network(task: &LiveTask) -> Value {
    let mode = match task.assignment.spec.network_mode {
        NetworkMode::Awsvpc => "awsvpc",
        NetworkMode::Bridge | NetworkMode::Host => "bridge",
        NetworkMode::None => "none",
    };
    let awsvpc = task.assignment.spec.network_mode == NetworkMode::Awsvpc;
    object([
        ("NetworkMode", json!(mode)),
        ("IPv4Addresses", json!([task.address.to_string()])),
        ("AttachmentIndex", if awsvpc { json!(0) } else { Value::Null }),
        ("MACAddress", json!(task.state.mac_address)),
    ])
}

fn container_arn(task_arn: &str, container_id: &str) -> String {
    format!("{}/{container_id}", task_arn.replacen(":task/", ":container/", 1))
}

/// The ECS agent's names.
const fn known_status(phase: ContainerPhase) -> &'static str {
    match phase {
        ContainerPhase::Waiting => "NONE",
        ContainerPhase::Starting => "CREATED",
        ContainerPhase::Running | ContainerPhase::Stopping { .. } => "RUNNING",
        ContainerPhase::Stopped => "STOPPED",
    }
}

const fn health(container: &ContainerState) -> &'static str {
    match container.health.status {
        HealthStatus::Healthy => "HEALTHY",
        HealthStatus::Unhealthy => "UNHEALTHY",
        HealthStatus::Unknown => "UNKNOWN",
    }
}

fn time(at: Option<base::Timestamp>) -> Value {
    json!(at.map(|at| at.to_string()))
}
