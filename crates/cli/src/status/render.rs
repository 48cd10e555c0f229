//! Turns what was collected into text.

use std::fmt::Write as _;

use base::Timestamp;
use comfy_table::{Table, presets};

use super::collect::last_part;
use super::model::{ClusterStatus, Container, Instance, Resource, Service, Task};

/// Stopped tasks that are listed, newest first.
const STOPPED_SHOWN: usize = 10;

/// Everything, as of `now`.
pub(crate) fn render(clusters: &[ClusterStatus], now: Timestamp) -> String {
    if clusters.is_empty() {
        return "no clusters\n".to_owned();
    }
    let parts: Vec<String> = clusters.iter().map(|cluster| section(cluster, now)).collect();
    parts.join("\n")
}

fn section(cluster: &ClusterStatus, now: Timestamp) -> String {
    let mut text = format!("CLUSTER {}\n", printable(&cluster.name));
    let mut add = |title: &str, header: &[&str], rows: Vec<Vec<String>>| {
        if rows.is_empty() {
            return;
        }
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_header(header);
        for row in rows {
            table.add_row(row.iter().map(|cell| printable(cell)));
        }
        let _written = writeln!(text, "\n{title}\n{}", table.trim_fmt());
    };
    add(
        "NODES",
        &["ID", "STATUS", "AGENT", "TASKS", "CPU FREE", "MEMORY FREE", "VERSION"],
        cluster.instances.iter().map(instance_row).collect(),
    );
    add(
        "SERVICES",
        &["NAME", "STATUS", "DESIRED", "RUNNING", "PENDING", "TASK DEFINITION", "DEPLOYMENT"],
        cluster.services.iter().map(service_row).collect(),
    );
    add(
        "TASKS",
        &["ID", "GROUP", "TASK DEFINITION", "STATUS", "WANTED", "HEALTH", "AGE", "PORTS"],
        cluster.tasks.iter().map(|task| task_row(task, now)).collect(),
    );
    add(
        "RECENTLY STOPPED",
        &["ID", "GROUP", "STOPPED", "CODE", "REASON"],
        cluster.stopped.iter().take(STOPPED_SHOWN).map(|task| stopped_row(task, now)).collect(),
    );
    add("NOT RUNNING", &["WHAT", "WHY"], reasons(cluster));
    if cluster.services.is_empty() && cluster.tasks.is_empty() {
        text += "\nno services and no running tasks\n";
    }
    if cluster.truncated {
        text += "\nnot all tasks are shown: there are too many\n";
    }
    text
}

fn instance_row(instance: &Instance) -> Vec<String> {
    vec![
        short(&instance.container_instance_arn),
        instance.status.clone(),
        if instance.agent_connected { "connected" } else { "disconnected" }.to_owned(),
        format!("{} + {} pending", instance.running_tasks_count, instance.pending_tasks_count),
        free(instance, "CPU", "units"),
        free(instance, "MEMORY", "MiB"),
        instance.version_info.agent_version.clone(),
    ]
}

fn free(instance: &Instance, name: &str, unit: &str) -> String {
    let value = |resources: &[Resource]| {
        resources
            .iter()
            .find(|resource| resource.name == name)
            .map_or_else(|| "?".to_owned(), |resource| resource.integer_value.to_string())
    };
    format!(
        "{} of {} {unit}",
        value(&instance.remaining_resources),
        value(&instance.registered_resources)
    )
}

fn service_row(service: &Service) -> Vec<String> {
    let primary = service.deployments.iter().find(|deployment| deployment.status == "PRIMARY");
    vec![
        service.service_name.clone(),
        service.status.clone(),
        service.desired_count.to_string(),
        service.running_count.to_string(),
        service.pending_count.to_string(),
        last_part(&service.task_definition).to_owned(),
        primary.map(|deployment| deployment.rollout_state.clone()).unwrap_or_default(),
    ]
}

fn task_row(task: &Task, now: Timestamp) -> Vec<String> {
    let ports: Vec<String> = task
        .containers
        .iter()
        .flat_map(|container| &container.network_bindings)
        .map(|binding| {
            format!("{}->{}/{}", binding.host_port, binding.container_port, binding.protocol)
        })
        .collect();
    vec![
        short(&task.task_arn),
        task.group.clone(),
        last_part(&task.task_definition_arn).to_owned(),
        task.last_status.clone(),
        task.desired_status.clone(),
        task.health_status.clone(),
        age(task.started_at.unwrap_or(task.created_at), now),
        ports.join(" "),
    ]
}

fn stopped_row(task: &Task, now: Timestamp) -> Vec<String> {
    let stopped = task.stopped_at.map(|at| format!("{} ago", age(at, now))).unwrap_or_default();
    vec![
        short(&task.task_arn),
        task.group.clone(),
        stopped,
        task.stop_code.clone(),
        why_stopped(task),
    ]
}

/// The task's reason and what its containers say.
fn why_stopped(task: &Task) -> String {
    let mut why: Vec<String> =
        Some(task.stopped_reason.clone()).into_iter().filter(|reason| !reason.is_empty()).collect();
    why.extend(task.containers.iter().filter_map(container_end));
    why.join("; ")
}

fn container_end(container: &Container) -> Option<String> {
    let Container { name, exit_code, reason, .. } = container;
    match (exit_code, reason.as_str()) {
        (None, "") => None,
        (None, reason) => Some(format!("{name}: {reason}")),
        (Some(code), "") => Some(format!("{name} exited with {code}")),
        (Some(code), reason) => Some(format!("{name} exited with {code}: {reason}")),
    }
}

/// What is not as it should be, each with the best explanation there is.
fn reasons(cluster: &ClusterStatus) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    for service in &cluster.services {
        if service.running_count >= service.desired_count {
            continue;
        }
        let what = format!(
            "service {}: {} of {} running",
            service.service_name, service.running_count, service.desired_count
        );
        rows.push(vec![what, why_short(cluster, service)]);
    }
    for task in cluster.tasks.iter().filter(|task| task.last_status != "RUNNING") {
        let waiting: Vec<String> = task
            .containers
            .iter()
            .filter(|container| !container.reason.is_empty())
            .map(|container| format!("{}: {}", container.name, container.reason))
            .collect();
        if !waiting.is_empty() {
            rows.push(vec![format!("task {}", short(&task.task_arn)), waiting.join("; ")]);
        }
    }
    if cluster.instances.is_empty() {
        rows.push(vec!["everything".to_owned(), "no node has joined this cluster".to_owned()]);
    }
    for instance in &cluster.instances {
        if !instance.agent_connected || instance.status != "ACTIVE" {
            let what = format!("node {}", short(&instance.container_instance_arn));
            let state = if instance.agent_connected { "connected" } else { "not connected" };
            let why = format!("{} and {state} {}", instance.status, instance.status_reason);
            rows.push(vec![what, why]);
        }
    }
    rows
}

/// Why a service has fewer tasks than it wants: its deployment, its newest event, its task that
/// stopped last.
fn why_short(cluster: &ClusterStatus, service: &Service) -> String {
    let mut why = Vec::new();
    let failed = service.deployments.iter().find(|one| one.rollout_state == "FAILED");
    why.extend(failed.map(|deployment| deployment.rollout_state_reason.clone()));
    why.extend(service.events.first().map(|event| event.message.clone()));
    let group = format!("service:{}", service.service_name);
    let last = cluster.stopped.iter().find(|task| task.group == group);
    why.extend(last.map(|task| format!("last stopped task: {}", why_stopped(task))));
    if why.is_empty() { "its tasks are being started".to_owned() } else { why.join("; ") }
}

/// The beginning of an id: enough to tell tasks apart.
fn short(arn: &str) -> String {
    last_part(arn).chars().take(12).collect()
}

fn age(since_epoch_s: f64, now: Timestamp) -> String {
    let seconds = now.ms_since(Timestamp::from_epoch_seconds(since_epoch_s)).max(0) / 1000;
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m", seconds / 60),
        3_600..86_400 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// Reasons may come from containers: nothing in them may move a terminal's cursor.
fn printable(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect()
}
