//! `PutAttributes`.

use std::collections::BTreeMap;

use api_ecs::errors::{attribute_limit_exceeded_exception, target_not_found_exception};
use api_ecs::ops::PutAttributes;
use api_ecs::types::{Attribute, PutAttributesRequest, PutAttributesResponse};
use domain::{ContainerInstance, ContainerInstanceStatus};
use policy::{Access, Authorized, Caller};
use state::View;
use wire::ApiError;

use crate::access::Kind;
use crate::read::attribute::{self, MAX_ATTRIBUTES, TargetedAttribute};
use crate::{EcsContext, access, arn, name};

pub(crate) fn accesses(
    ctx: &EcsContext,
    _caller: &Caller,
    input: &PutAttributesRequest,
) -> Vec<Access> {
    let given = input.attributes.iter().flatten();
    let targets: Vec<String> = given.map(|one| one.target_id.clone().unwrap_or_default()).collect();
    let cluster = input.cluster.as_deref();
    access::each_in_cluster::<PutAttributes>(ctx, Kind::ContainerInstance, cluster, Some(&targets))
}

pub(crate) async fn execute(
    ctx: &EcsContext,
    call: Authorized<PutAttributes>,
) -> Result<PutAttributesResponse, ApiError> {
    let input = call.input();
    let given = attribute::read(input.attributes.as_deref())?;
    let attributes = ctx
        .commit(|view, change| {
            let cluster = name::cluster(view, &ctx.scope, input.cluster.as_deref())?;
            let mut changed = targets(view, &cluster.name, &given)?;
            let mut answer = Vec::new();
            for one in &given {
                let id = name::in_cluster("container-instance", &one.target).1;
                let Some(instance) = changed.get_mut(id) else { continue };
                instance.attributes.insert(one.name.clone(), one.value.clone());
                answer.push(Attribute {
                    name: Some(one.name.clone()),
                    value: one.value.clone(),
                    target_id: Some(arn::container_instance(&ctx.scope, &cluster.name, id)),
                    target_type: None,
                });
            }
            for (id, mut instance) in changed {
                check_limit(&instance)?;
                instance.version = instance.version.saturating_add(1);
                if let Some(row) = view.instance(&id) {
                    change.update(row, &instance);
                }
            }
            Ok(answer)
        })
        .await?;
    Ok(PutAttributesResponse { attributes: Some(attributes) })
}

/// The instances that a call changes, by id.
pub(super) fn targets(
    view: &View,
    cluster: &str,
    given: &[TargetedAttribute],
) -> Result<BTreeMap<String, ContainerInstance>, ApiError> {
    let mut targets = BTreeMap::new();
    for one in given {
        let row = name::container_instance(view, cluster, &one.target)
            .filter(|row| row.status != ContainerInstanceStatus::Inactive)
            .ok_or_else(|| {
                target_not_found_exception(format!(
                    "The specified target wasn't found: `{}`.",
                    one.target
                ))
            })?;
        targets.entry(row.id.clone()).or_insert_with(|| row.value.as_ref().clone());
    }
    Ok(targets)
}

fn check_limit(instance: &ContainerInstance) -> Result<(), ApiError> {
    let custom = instance.attributes.keys().filter(|name| !attribute::is_built_in(name)).count();
    if custom <= MAX_ATTRIBUTES {
        return Ok(());
    }
    Err(attribute_limit_exceeded_exception(format!(
        "The container instance `{}` would have {custom} custom attributes: at most {MAX_ATTRIBUTES} are possible.",
        instance.id
    )))
}
