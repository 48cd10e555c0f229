//! `ListTaskDefinitionFamilies`.

use api_ecs::ops::ListTaskDefinitionFamilies;
use api_ecs::types::{
    ListTaskDefinitionFamiliesRequest, ListTaskDefinitionFamiliesResponse,
    TaskDefinitionFamilyStatus,
};
use domain::TaskDefinitionStatus;
use policy::{Access, Authorized, Caller};
use state::View;
use wire::ApiError;

use crate::EcsContext;
use crate::page::page;

pub(crate) fn accesses(
    _ctx: &EcsContext,
    _caller: &Caller,
    _input: &ListTaskDefinitionFamiliesRequest,
) -> Vec<Access> {
    vec![Access::of::<ListTaskDefinitionFamilies>("*")]
}

pub(crate) async fn execute(
    ctx: &EcsContext,
    call: Authorized<ListTaskDefinitionFamilies>,
) -> Result<ListTaskDefinitionFamiliesResponse, ApiError> {
    let input = call.input();
    let prefix = input.family_prefix.as_deref().unwrap_or_default();
    let view = ctx.state.view();
    let listed = view
        .families()
        .map(|family| family.family.as_str())
        .filter(|family| family.starts_with(prefix))
        .filter(|family| is_listed(&view, family, input.status.as_ref()));
    let (families, next_token) = page(
        listed,
        |family| (*family).to_owned(),
        input.max_results,
        input.next_token.as_deref(),
        100,
    )?;
    let families = families.into_iter().map(str::to_owned).collect();
    Ok(ListTaskDefinitionFamiliesResponse { families: Some(families), next_token })
}

/// A family is ACTIVE while one of its revisions is; one without revisions is none any more.
fn is_listed(view: &View, family: &str, status: Option<&TaskDefinitionFamilyStatus>) -> bool {
    let mut revisions = view.revisions_of(family).rev();
    let has = |wanted: TaskDefinitionStatus| {
        view.revisions_of(family).rev().any(|definition| definition.status == wanted)
    };
    match status {
        Some(TaskDefinitionFamilyStatus::Active) => has(TaskDefinitionStatus::Active),
        Some(TaskDefinitionFamilyStatus::Inactive) => {
            !has(TaskDefinitionStatus::Active) && has(TaskDefinitionStatus::Inactive)
        }
        Some(TaskDefinitionFamilyStatus::All | TaskDefinitionFamilyStatus::Unrecognized(_))
        | None => {
            revisions.any(|definition| definition.status != TaskDefinitionStatus::DeleteInProgress)
        }
    }
}
