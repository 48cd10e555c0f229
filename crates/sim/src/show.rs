//! What a script shows: services as the API describes them, tasks and nodes as the store has them.

use std::fmt::Write as _;
use std::sync::Arc;

use base::Timestamp;
use domain::{DesiredStatus, Task, TaskStatus};
use serde_json::{Value, json};

use crate::env::BEGIN;
use crate::executor::lock;
use crate::world::World;

/// Seconds since the world began, with a tenth.
fn seconds(at: Timestamp) -> String {
    let tenths = at.ms_since(BEGIN) / 100;
    format!("{}.{}s", tenths / 10, tenths % 10)
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or("-")
}

fn number(value: &Value, pointer: &str) -> i64 {
    value.pointer(pointer).and_then(Value::as_i64).unwrap_or(0)
}

fn list<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

impl World {
    fn describe(&mut self, name: &str) -> Value {
        let answer =
            self.call_and_wait("DescribeServices", json!({"services": [name]}).to_string());
        answer.body.pointer("/services/0").cloned().unwrap_or(Value::Null)
    }

    pub(crate) fn show_service(&mut self, name: &str) -> String {
        let service = self.describe(name);
        if service.is_null() {
            return format!("  no service {name}\n");
        }
        let mut out = format!(
            "  {name} {}: desired {}, running {}, pending {}\n",
            text(&service, "/status"),
            number(&service, "/desiredCount"),
            number(&service, "/runningCount"),
            number(&service, "/pendingCount"),
        );
        for deployment in list(&service, "/deployments") {
            let definition = text(deployment, "/taskDefinition");
            let definition = definition.rsplit('/').next().unwrap_or_default();
            let line = format!(
                "    {} {} {definition}: {}, desired {}, running {}, pending {}, failed {}: {}",
                text(deployment, "/id"),
                text(deployment, "/status"),
                text(deployment, "/rolloutState"),
                number(deployment, "/desiredCount"),
                number(deployment, "/runningCount"),
                number(deployment, "/pendingCount"),
                number(deployment, "/failedTasks"),
                text(deployment, "/rolloutStateReason"),
            );
            let _infallible = writeln!(out, "{}", lock(&self.env.names).shorten(&line));
        }
        out
    }

    pub(crate) fn show_events(&mut self, name: &str) -> String {
        let service = self.describe(name);
        let mut out = String::new();
        for event in list(&service, "/events").iter().rev() {
            let at = event.pointer("/createdAt").and_then(Value::as_f64).unwrap_or(0.0);
            let at = seconds(Timestamp::from_epoch_seconds(at));
            let message = lock(&self.env.names).shorten(text(event, "/message"));
            let _infallible = writeln!(out, "  {at:>9} {message}");
        }
        out
    }

    pub(crate) fn show_deployments(&self, name: &str) -> String {
        let Some(control) = &self.control else {
            return "  the control plane is down\n".to_owned();
        };
        let view = control.state.view();
        let mut records: Vec<_> = view.deployments_of("default", name).collect();
        records.sort_by_key(|record| (record.created_at, record.id.clone()));
        let mut out = String::new();
        for record in records {
            let reason = record.status_reason.as_deref().unwrap_or("-");
            let line = format!(
                "  {} {}: breaker failures {}{}: {reason}",
                record.deployment_id,
                record.status.as_str(),
                record.breaker_failures,
                if record.breaker_triggered { ", triggered" } else { "" },
            );
            let _infallible = writeln!(out, "{}", lock(&self.env.names).shorten(&line));
        }
        out
    }

    /// All tasks that live, and with `all` those that are STOPPED and not yet forgotten.
    pub(crate) fn show_tasks(&self, all: bool, verbose: bool) -> String {
        let mut tasks: Vec<Arc<Task>> = {
            let monitor = lock(&self.env.monitor);
            monitor.tasks().values().cloned().collect()
        };
        let names = lock(&self.env.names);
        let order = |task: &Task| {
            names.of(&task.id).trim_start_matches('t').parse::<u64>().unwrap_or(u64::MAX)
        };
        tasks.sort_by_key(|task| order(task));
        let mut out = String::new();
        for task in tasks {
            if !all && task.last_status == TaskStatus::Stopped {
                continue;
            }
            let wanted = match task.desired_status {
                DesiredStatus::Running => "",
                DesiredStatus::Stopped => ", to stop",
            };
            let mut line = format!(
                "  {} {} {} on {}: {}{wanted}",
                task.id,
                task.group,
                task.task_definition,
                task.container_instance,
                task.last_status.as_str(),
            );
            let health = task.health_status.as_str();
            if health != "UNKNOWN" {
                let _infallible = write!(line, ", {health}");
            }
            if let (Some(code), Some(reason)) = (task.stop_code, &task.stopped_reason) {
                let _infallible = write!(line, "; {}: {reason}", code.as_str());
            }
            let _infallible = writeln!(out, "{}", names.shorten(&line));
            if verbose {
                out.push_str(&containers(&task));
            }
        }
        if out.is_empty() { "  no tasks\n".to_owned() } else { out }
    }

    pub(crate) fn show_nodes(&self) -> String {
        let monitor = lock(&self.env.monitor);
        let mut out = String::new();
        for node in &self.nodes {
            let Some(instance) = monitor.instances().get(&node.id) else {
                let _infallible = writeln!(out, "  {}: not registered", node.name);
                continue;
            };
            let live = monitor.tasks().values().filter(|task| {
                task.container_instance == node.id && task.last_status != TaskStatus::Stopped
            });
            let (mut tasks, mut cpu_units, mut memory_mib) = (0_u32, 0_u32, 0_u32);
            for task in live {
                tasks = tasks.saturating_add(1);
                cpu_units = cpu_units.saturating_add(task.reserved_cpu_units);
                memory_mib = memory_mib.saturating_add(task.reserved_memory_mib);
            }
            let connected = if instance.agent_connected { "connected" } else { "disconnected" };
            let _infallible = writeln!(
                out,
                "  {}: {}, {connected}, {tasks} tasks, {cpu_units} of {} CPU units, {memory_mib} of {} MiB",
                node.name,
                instance.status.as_str(),
                instance.registered.cpu_units,
                instance.registered.memory_mib,
            );
        }
        out
    }
}

fn containers(task: &Task) -> String {
    let mut out = String::new();
    for container in &task.containers {
        let mut line = format!("      {} {}", container.name, container.last_status.as_str());
        if container.restart_count > 0 {
            let _infallible = write!(line, ", {} restarts", container.restart_count);
        }
        if let Some(code) = container.exit_code {
            let _infallible = write!(line, ", exit code {code}");
        }
        if let Some(reason) = &container.reason {
            let _infallible = write!(line, ": {reason}");
        }
        let _infallible = writeln!(out, "{line}");
    }
    let times = [
        ("created", Some(task.created_at)),
        ("started", task.started_at),
        ("asked to stop", task.stopping_at),
        ("stopped", task.stopped_at),
    ];
    let times = times.into_iter().filter_map(|(what, at)| Some(format!("{what} {}", seconds(at?))));
    let _infallible = writeln!(out, "      {}", times.collect::<Vec<_>>().join(", "));
    out
}
