//! What containers wait for: `dependsOn`, `links` and `volumesFrom`.

use std::collections::{BTreeMap, BTreeSet};

use api_ecs::types::{ContainerCondition, ContainerDefinition};

use super::Surroundings;
use super::network::link_parts;
use super::problems::Problems;

/// Checks that every dependency can be met.
pub(super) fn check(surroundings: Surroundings<'_>, problems: &mut Problems) {
    let by_name: BTreeMap<&str, &ContainerDefinition> = surroundings
        .containers
        .iter()
        .filter_map(|container| Some((container.name.as_deref()?, container)))
        .collect();
    for container in surroundings.containers {
        let name = container.name.as_deref().unwrap_or_default();
        for dependency in container.depends_on.as_deref().unwrap_or_default() {
            let target = dependency.container_name.as_deref().unwrap_or_default();
            let Some(found) = by_name.get(target).filter(|_| target != name) else {
                problems.of_container(
                    name,
                    format_args!("'dependsOn' `{target}` is not another container of the task."),
                );
                continue;
            };
            match &dependency.condition {
                Some(condition @ (ContainerCondition::Complete | ContainerCondition::Success))
                    if found.essential == Some(true) =>
                {
                    problems.of_container(
                        name,
                        format_args!("It depends on '{target}' with condition {condition}, but '{target}' is essential: its end would end the task."),
                    );
                }
                Some(ContainerCondition::Healthy) if found.health_check.is_none() => {
                    problems.of_container(
                        name,
                        format_args!("It depends on '{target}' with condition HEALTHY, but '{target}' has no healthCheck."),
                    );
                }
                Some(
                    ContainerCondition::Start
                    | ContainerCondition::Complete
                    | ContainerCondition::Success
                    | ContainerCondition::Healthy
                    | ContainerCondition::Unrecognized(_),
                )
                | None => {}
            }
        }
    }
    let left = in_cycles(surroundings.containers);
    if !left.is_empty() {
        let names: Vec<&str> = left.into_iter().collect();
        problems
            .push(format!("The dependencies of the containers {} form a cycle.", names.join(", ")));
    }
}

/// The containers that can never start, because they wait for each other.
fn in_cycles(containers: &[ContainerDefinition]) -> BTreeSet<&str> {
    let mut waiting: BTreeMap<&str, BTreeSet<&str>> = containers
        .iter()
        .filter_map(|container| Some((container.name.as_deref()?, targets(container))))
        .collect();
    loop {
        let names: BTreeSet<&str> = waiting.keys().copied().collect();
        let before = waiting.len();
        // A container that waits for none of the others can start.
        waiting.retain(|name, targets| {
            targets.iter().any(|target| target != name && names.contains(target))
        });
        if waiting.len() == before {
            return names;
        }
    }
}

fn targets(container: &ContainerDefinition) -> BTreeSet<&str> {
    let depends_on = container.depends_on.as_deref().unwrap_or_default();
    let links = container.links.as_deref().unwrap_or_default();
    let volumes_from = container.volumes_from.as_deref().unwrap_or_default();
    depends_on
        .iter()
        .filter_map(|dependency| dependency.container_name.as_deref())
        .chain(links.iter().map(|link| link_parts(link).0))
        .chain(volumes_from.iter().filter_map(|from| from.source_container.as_deref()))
        .collect()
}
