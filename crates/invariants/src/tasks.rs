//! Predicates over a task's record.

use domain::{ContainerStatus, DesiredStatus, Task, TaskSpec, TaskStatus};

use crate::Finding;

/// INV-001, of the record: a task stays where it was placed.
pub fn placement_is_fixed(before: &Task, after: &Task) -> Finding {
    Finding::check(before.container_instance == after.container_instance, || {
        format!(
            "task {} moved from instance {} to {}",
            after.id, before.container_instance, after.container_instance
        )
    })
}

/// INV-007.
pub fn never_back(before: &Task, after: &Task) -> Finding {
    let status = Finding::check(before.last_status <= after.last_status, || {
        let (from, to) = (before.last_status.as_str(), after.last_status.as_str());
        format!("task {} went back from {from} to {to}", after.id)
    });
    let desired = before.desired_status <= after.desired_status;
    let desired = Finding::check(desired, || format!("task {} is to run again", after.id));
    let numbers =
        before.version <= after.version && before.report_sequence <= after.report_sequence;
    let numbers = Finding::check(numbers, || {
        format!(
            "task {} went back from version {} and report {} to {} and {}",
            after.id, before.version, before.report_sequence, after.version, after.report_sequence
        )
    });
    status.and(desired).and(numbers)
}

/// INV-009. `spec` is what the task runs.
pub fn essential_exit(task: &Task, spec: &TaskSpec) -> Finding {
    let mut finding = Finding::idle();
    for (container, spec) in task.containers.iter().zip(&spec.containers) {
        if spec.essential && container.last_status == ContainerStatus::Stopped {
            finding = finding.and(Finding::check(task.last_status >= TaskStatus::Stopping, || {
                format!(
                    "task {} is {} though its essential container `{}` has stopped",
                    task.id,
                    task.last_status.as_str(),
                    spec.name
                )
            }));
        }
    }
    finding
}

/// INV-016.
pub fn stop_has_reason(task: &Task) -> Finding {
    if task.last_status == TaskStatus::Stopped && task.desired_status != DesiredStatus::Stopped {
        return Finding::check(false, || format!("task {} is STOPPED for no reason", task.id));
    }
    if task.desired_status != DesiredStatus::Stopped {
        return Finding::idle();
    }
    let reason = task.stopped_reason.as_deref().is_some_and(|reason| !reason.is_empty());
    Finding::check(task.stop_code.is_some() && reason, || {
        format!(
            "task {} is to stop with code {:?} and reason {:?}",
            task.id, task.stop_code, task.stopped_reason
        )
    })
}
