//! Task definitions: registering, deleting, and which one a call means.

use api_ecs::ops::RegisterTaskDefinition;
use api_ecs::types::{self, RegisterTaskDefinitionRequest};
use base::Scope;
use domain::TaskDefinition;
use policy::Access;
use state::{Row, View};
use wire::Operation;

use super::{
    each, is_elsewhere, posture, tag_on_create, with, with_flag, with_request_tags, with_tags,
};
use crate::read::amount;
use crate::{EcsContext, arn, name};

/// The revision that tasks are to be started from.
#[derive(Debug)]
pub(super) struct Meant<'v> {
    /// It, when it is there.
    pub(super) row: Option<&'v Row<TaskDefinition>>,
    /// Its ARN; of a family without an ACTIVE revision `…:task-definition/FAMILY:*`.
    pub(super) resource: String,
    /// What a denial may tell of it: not which revision is the newest, nor whether there is one.
    pub(super) shown: String,
}

impl<'v> Meant<'v> {
    pub(super) fn find(view: &'v View, scope: &Scope, given: Option<&str>) -> Self {
        let given = given.unwrap_or_default();
        let row = name::task_definition(view, scope, given).ok();
        let shown = shown(scope, given);
        let resource =
            row.map_or_else(|| shown.clone(), |row| arn::task_definition(scope, &row.id));
        Self { row, resource, shown }
    }
}

/// `FAMILY:REVISION` or `FAMILY:*`, out of a name or an ARN.
fn shown(scope: &Scope, given: &str) -> String {
    if is_elsewhere(scope, given) {
        return given.to_owned();
    }
    let name = if given.starts_with("arn:") {
        name::parse_arn(scope, given, "task-definition/").unwrap_or(given)
    } else {
        given
    };
    let revision = if name.contains(':') { "" } else { ":*" };
    scope.arn("ecs", format_args!("task-definition/{name}{revision}"))
}

/// `Op` on revisions given as `family:revision` or ARN.
pub(crate) fn task_definition_by_revision<Op: Operation>(
    ctx: &EcsContext,
    given: Option<&[String]>,
) -> Vec<Access> {
    let view = ctx.state.view();
    let all = || Access::of::<Op>(ctx.scope.arn("ecs", "task-definition/*"));
    each::<Op>(given.unwrap_or_default(), all, |given| {
        vec![match name::revision(&ctx.scope, given) {
            Ok(id) => {
                let tags = view.task_definition(&id).map(|row| &row.value.tags);
                with_tags(Access::of::<Op>(arn::task_definition(&ctx.scope, &id)), tags)
            }
            Err(_) => Access::of::<Op>(shown(&ctx.scope, given)),
        }]
    })
}

/// A registration, the roles that it hands to tasks, and its tags.
pub(crate) fn register_task_definition(
    ctx: &EcsContext,
    input: &RegisterTaskDefinitionRequest,
) -> Vec<Access> {
    let family = input.family.as_deref().unwrap_or_default();
    let resource = ctx.scope.arn("ecs", format_args!("task-definition/{family}:*"));
    let access = Access::of::<RegisterTaskDefinition>(resource);
    let containers = input.container_definitions.as_deref().unwrap_or_default();
    let privileged = containers.iter().any(|container| container.privileged == Some(true));
    let mut access = with_request_tags(access, input.tags.as_deref());
    for compatibility in input.requires_compatibilities.iter().flatten() {
        access = access.with_key("ecs:compute-compatibility", compatibility.as_str());
    }
    let access = with_flag(access, "ecs:privileged", Some(privileged));
    let cpu_units = input.cpu.as_deref().and_then(|text| amount::cpu_units(text).ok());
    let memory_mib = input.memory.as_deref().and_then(|text| amount::memory_mib(text).ok());
    let access = with_size(access, cpu_units, memory_mib);
    let network_mode = input.network_mode.as_ref().map_or("bridge", types::NetworkMode::as_str);
    let access = posture::keys(access, network_mode, containers.iter().map(posture::of_wire));

    let tagging = tag_on_create::<RegisterTaskDefinition>(
        &ctx.state.view(),
        &access.resource,
        input.tags.as_deref(),
    );
    let roles = [input.task_role_arn.as_deref(), input.execution_role_arn.as_deref()];
    let roles = pass_roles(&ctx.scope, roles, TASKS);
    std::iter::once(access).chain(roles).chain(tagging).collect()
}

/// With `ecs:task-cpu` and `ecs:task-memory`.
pub(super) fn with_size(access: Access, cpu_units: Option<u32>, memory_mib: Option<u32>) -> Access {
    let access = with(access, "ecs:task-cpu", cpu_units.map(|units| units.to_string()));
    with(access, "ecs:task-memory", memory_mib.map(|mib| mib.to_string()))
}

/// Who gets the roles of a task.
pub(super) const TASKS: &str = "ecs-tasks.amazonaws.com";

/// `iam:PassRole` of each role to `service`.
pub(super) fn pass_roles<'a>(
    scope: &Scope,
    roles: impl IntoIterator<Item = Option<&'a str>>,
    service: &str,
) -> Vec<Access> {
    let mut accesses: Vec<Access> = Vec::new();
    for role in roles.into_iter().flatten().filter(|role| !role.is_empty()) {
        // A role may be given by its name.
        let arn = if role.starts_with("arn:") {
            role.to_owned()
        } else {
            format!("arn:aws:iam::{}:role/{role}", scope.account)
        };
        if !accesses.iter().any(|access| access.resource == arn) {
            let access = Access::new("iam:PassRole", arn);
            accesses.push(access.with_key("iam:PassedToService", service));
        }
    }
    accesses
}
