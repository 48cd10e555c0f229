//! `DeleteTaskDefinitions`: INACTIVE revisions become `DELETE_IN_PROGRESS`.

use api_ecs::ops::DeleteTaskDefinitions;
use api_ecs::types::{DeleteTaskDefinitionsRequest, DeleteTaskDefinitionsResponse, Failure};
use domain::{TaskDefinition, TaskDefinitionStatus};
use policy::{Access, Authorized, Caller};
use state::{Change, View};
use wire::ApiError;

use crate::error::invalid_parameter;
use crate::{EcsContext, access, arn, name, render};

/// The most revisions of one call.
const MAX_DEFINITIONS: usize = 10;

pub(crate) fn accesses(
    ctx: &EcsContext,
    _caller: &Caller,
    input: &DeleteTaskDefinitionsRequest,
) -> Vec<Access> {
    let given = input.task_definitions.as_deref();
    access::task_definition_by_revision::<DeleteTaskDefinitions>(ctx, given)
}

pub(crate) async fn execute(
    ctx: &EcsContext,
    call: Authorized<DeleteTaskDefinitions>,
) -> Result<DeleteTaskDefinitionsResponse, ApiError> {
    let given = call.input().task_definitions.as_deref().unwrap_or_default();
    if given.is_empty() || given.len() > MAX_DEFINITIONS {
        return Err(invalid_parameter(format!(
            "taskDefinitions must name 1 to {MAX_DEFINITIONS} task definitions, not {}.",
            given.len()
        )));
    }
    let mut wanted: Vec<&str> = given.iter().map(String::as_str).collect();
    wanted.sort_unstable();
    wanted.dedup();
    let (deleted, failures) = ctx
        .commit(|view, change| {
            let (mut deleted, mut failures) = (Vec::new(), Vec::new());
            for given in &wanted {
                match delete(ctx, view, change, given) {
                    Ok(definition) => deleted.push(definition),
                    Err(failure) => failures.push(failure),
                }
            }
            Ok((deleted, failures))
        })
        .await?;
    let deleted =
        deleted.iter().map(|definition| render::task_definition::described(&ctx.scope, definition));
    Ok(DeleteTaskDefinitionsResponse {
        task_definitions: Some(deleted.collect()),
        failures: Some(failures),
    })
}

fn delete(
    ctx: &EcsContext,
    view: &View,
    change: &mut Change,
    given: &str,
) -> Result<TaskDefinition, Failure> {
    let failure = |arn: String, reason: String| Failure {
        arn: Some(arn),
        reason: Some(reason),
        detail: None,
    };
    let id = name::revision(&ctx.scope, given)
        .map_err(|error| failure(given.to_owned(), error.message))?;
    let arn = arn::task_definition(&ctx.scope, &id);
    let Some(row) = view.task_definition(&id) else {
        return Err(failure(arn, "The specified task definition does not exist. Specify a valid account, family, revision and try again.".to_owned()));
    };
    let mut definition = row.value.as_ref().clone();
    match definition.status {
        TaskDefinitionStatus::Active => {
            return Err(failure(arn, "The specified task definition is still in ACTIVE status. Please deregister the target and try again.".to_owned()));
        }
        TaskDefinitionStatus::Inactive => {
            definition.status = TaskDefinitionStatus::DeleteInProgress;
            definition.delete_requested_at = Some(ctx.now());
            change.update(row, &definition);
        }
        TaskDefinitionStatus::DeleteInProgress => {}
    }
    Ok(definition)
}
