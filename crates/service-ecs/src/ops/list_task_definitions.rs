//! `ListTaskDefinitions`.

use api_ecs::ops::ListTaskDefinitions;
use api_ecs::types::{
    ListTaskDefinitionsRequest, ListTaskDefinitionsResponse, SortOrder, TaskDefinitionStatus,
};
use domain::TaskDefinition;
use policy::{Access, Authorized, Caller};
use state::{Row, View};
use wire::ApiError;

use crate::page::page;
use crate::{EcsContext, arn};

pub(crate) fn accesses(
    _ctx: &EcsContext,
    _caller: &Caller,
    _input: &ListTaskDefinitionsRequest,
) -> Vec<Access> {
    vec![Access::of::<ListTaskDefinitions>("*")]
}

pub(crate) async fn execute(
    ctx: &EcsContext,
    call: Authorized<ListTaskDefinitions>,
) -> Result<ListTaskDefinitionsResponse, ApiError> {
    let input = call.input();
    let status = input.status.as_ref().unwrap_or(&TaskDefinitionStatus::Active);
    let family = input.family_prefix.as_deref().filter(|family| !family.is_empty());
    let view = ctx.state.view();
    let listed = definitions(&view, family)
        .filter(|definition| definition.status.as_str() == status.as_str());
    let (max_results, next_token) = (input.max_results, input.next_token.as_deref());
    let (definitions, next_token) = match input.sort {
        Some(SortOrder::Desc) => {
            let reversed = listed.rev();
            page(reversed, |definition| inverted(&key(definition)), max_results, next_token, 100)?
        }
        Some(SortOrder::Asc | SortOrder::Unrecognized(_)) | None => {
            page(listed, |definition| key(definition), max_results, next_token, 100)?
        }
    };
    let arns =
        definitions.iter().map(|definition| arn::task_definition(&ctx.scope, &definition.id));
    Ok(ListTaskDefinitionsResponse { task_definition_arns: Some(arns.collect()), next_token })
}

/// Those of one family, or all; by family and revision.
fn definitions<'a>(
    view: &'a View,
    family: Option<&str>,
) -> Box<dyn DoubleEndedIterator<Item = &'a Row<TaskDefinition>> + 'a> {
    match family {
        Some(family) => Box::new(view.revisions_of(family)),
        None => Box::new(view.task_definitions()),
    }
}

/// Sorts as the state does.
fn key(definition: &TaskDefinition) -> String {
    format!("{}/{:010}", definition.id.family, definition.id.revision)
}

/// Sorts the other way round: the complement of every byte, and an end above all of them.
fn inverted(key: &str) -> String {
    let bytes: Vec<u8> = key.bytes().map(|byte| !byte).chain([u8::MAX]).collect();
    hex::encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::inverted;

    #[test]
    fn inverted_keys_sort_the_other_way_round() {
        let keys = ["a-b/0000000001", "a/0000000001", "a/0000000002", "aa/0000000001"];
        for pair in keys.windows(2) {
            assert!(pair[0] < pair[1] && inverted(pair[0]) > inverted(pair[1]), "{pair:?}");
        }
    }
}
