//! The parts of ECS's answers that are shown.

use serde::Deserialize;

/// One cluster with all that is shown of it.
#[derive(Debug, Default)]
pub(crate) struct ClusterStatus {
    pub(crate) name: String,
    pub(crate) services: Vec<Service>,
    /// Running and about to run.
    pub(crate) tasks: Vec<Task>,
    /// Stopped, newest first.
    pub(crate) stopped: Vec<Task>,
    pub(crate) instances: Vec<Instance>,
    /// Whether there are more stopped tasks than were asked for.
    pub(crate) truncated: bool,
}

macro_rules! answers {
    ($($(#[$meta:meta])* $name:ident { $($field:ident: $type:ty),+ $(,)? })+) => {
        $(
            $(#[$meta])*
            #[derive(Debug, Clone, Default, Deserialize)]
            #[serde(rename_all = "camelCase", default)]
            pub(crate) struct $name {
                $(pub(crate) $field: $type,)+
            }
        )+
    };
}

answers! {
    /// A page of ARNs, whatever the list is called.
    Page {
        cluster_arns: Vec<String>,
        service_arns: Vec<String>,
        task_arns: Vec<String>,
        container_instance_arns: Vec<String>,
        next_token: Option<String>,
    }
    /// What a describe call answers.
    Described {
        services: Vec<Service>,
        tasks: Vec<Task>,
        container_instances: Vec<Instance>,
        failures: Vec<CallFailure>,
    }
    CallFailure { arn: String, reason: String }
    Service {
        service_name: String,
        status: String,
        desired_count: i64,
        running_count: i64,
        pending_count: i64,
        task_definition: String,
        deployments: Vec<Deployment>,
        events: Vec<Event>,
    }
    Deployment {
        status: String,
        rollout_state: String,
        rollout_state_reason: String,
        failed_tasks: i64,
    }
    Event { created_at: f64, message: String }
    Task {
        task_arn: String,
        group: String,
        task_definition_arn: String,
        last_status: String,
        desired_status: String,
        health_status: String,
        launch_type: String,
        created_at: f64,
        started_at: Option<f64>,
        stopped_at: Option<f64>,
        stop_code: String,
        stopped_reason: String,
        containers: Vec<Container>,
    }
    Container {
        name: String,
        last_status: String,
        exit_code: Option<i64>,
        reason: String,
        network_bindings: Vec<Binding>,
    }
    Binding { host_port: i64, container_port: i64, protocol: String }
    Instance {
        container_instance_arn: String,
        status: String,
        status_reason: String,
        agent_connected: bool,
        running_tasks_count: i64,
        pending_tasks_count: i64,
        registered_resources: Vec<Resource>,
        remaining_resources: Vec<Resource>,
        version_info: VersionInfo,
    }
    Resource { name: String, integer_value: i64 }
    VersionInfo { agent_version: String }
}
