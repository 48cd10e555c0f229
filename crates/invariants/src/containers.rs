//! Predicates over what a node's runtime was seen to do.

use std::collections::BTreeMap;

use domain::{ContainerSpec, DependencyCondition, TaskSpec};

use crate::Finding;

/// What was seen of one container of a task.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// Whether it has ever started.
    pub started: bool,
    /// Starts whose process is alive, by number.
    pub alive: Vec<u32>,
    /// Exit codes, in order.
    pub exits: Vec<i32>,
    /// Whether a health check has ever passed.
    pub passed: bool,
}

/// What was seen of a task's containers, by name.
pub type SeenTask = BTreeMap<String, Seen>;

/// INV-010: `container` starts for the first time.
pub fn start_order(
    task: &str,
    spec: &TaskSpec,
    container: &ContainerSpec,
    seen: &SeenTask,
) -> Finding {
    let nothing = Seen::default();
    let needed = needs(container).filter(|(name, _)| spec.container(name).is_some());
    needed
        .map(|(name, condition)| {
            let other = seen.get(name).unwrap_or(&nothing);
            let met = match condition {
                DependencyCondition::Start => other.started,
                DependencyCondition::Complete => !other.exits.is_empty(),
                DependencyCondition::Success => other.exits.contains(&0),
                DependencyCondition::Healthy => other.passed,
            };
            Finding::check(met, || {
                let condition = condition.as_str();
                format!(
                    "container `{}` of task {task} started before `{name}` was {condition}",
                    container.name
                )
            })
        })
        .collect()
}

/// INV-011: `container` is told to stop.
pub fn stop_order(task: &str, spec: &TaskSpec, container: &str, seen: &SeenTask) -> Finding {
    let dependants =
        spec.containers.iter().filter(|other| needs(other).any(|(needed, _)| needed == container));
    dependants
        .map(|dependant| {
            let alive = seen.get(&dependant.name).is_some_and(|seen| !seen.alive.is_empty());
            Finding::check(!alive, || {
                format!(
                    "container `{container}` of task {task} is stopped before `{}`, which needs it",
                    dependant.name
                )
            })
        })
        .collect()
}

/// INV-008, when a task has become STOPPED.
pub fn nothing_alive(task: &str, seen: &SeenTask) -> Finding {
    let alive = seen.iter().find(|(_, seen)| !seen.alive.is_empty());
    Finding::check(alive.is_none(), || {
        let name = alive.map(|(name, _)| name.as_str()).unwrap_or_default();
        format!("task {task} is STOPPED and its container `{name}` is alive")
    })
}

fn needs(container: &ContainerSpec) -> impl Iterator<Item = (&str, DependencyCondition)> {
    let depends_on =
        container.depends_on.iter().map(|one| (one.container_name.as_str(), one.condition));
    let volumes_from =
        container.volumes_from.iter().map(|(name, _)| (name.as_str(), DependencyCondition::Start));
    depends_on.chain(volumes_from)
}
