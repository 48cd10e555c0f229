//! `DeleteAttributes`.

use api_ecs::ops::DeleteAttributes;
use api_ecs::types::{Attribute, DeleteAttributesRequest, DeleteAttributesResponse};
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use super::put_attributes::targets;
use crate::access::Kind;
use crate::read::attribute;
use crate::{EcsContext, access, arn, name};

pub(crate) fn accesses(
    ctx: &EcsContext,
    _caller: &Caller,
    input: &DeleteAttributesRequest,
) -> Vec<Access> {
    let given = input.attributes.iter().flatten();
    let targets: Vec<String> = given.map(|one| one.target_id.clone().unwrap_or_default()).collect();
    let cluster = input.cluster.as_deref();
    access::each_in_cluster::<DeleteAttributes>(
        ctx,
        Kind::ContainerInstance,
        cluster,
        Some(&targets),
    )
}

pub(crate) async fn execute(
    ctx: &EcsContext,
    call: Authorized<DeleteAttributes>,
) -> Result<DeleteAttributesResponse, ApiError> {
    let input = call.input();
    let given = attribute::read(input.attributes.as_deref())?;
    let attributes = ctx
        .commit(|view, change| {
            let cluster = name::cluster(view, &ctx.scope, input.cluster.as_deref())?;
            let mut changed = targets(view, &cluster.name, &given)?;
            let mut answer = Vec::new();
            for one in &given {
                let id = name::in_cluster("container-instance", &one.target).1;
                let removed =
                    changed.get_mut(id).and_then(|instance| instance.attributes.remove(&one.name));
                // What is not there needs no deletion and is not answered.
                let Some(value) = removed else { continue };
                answer.push(Attribute {
                    name: Some(one.name.clone()),
                    value,
                    target_id: Some(arn::container_instance(&ctx.scope, &cluster.name, id)),
                    target_type: None,
                });
            }
            for (id, mut instance) in changed {
                let Some(row) = view.instance(&id) else { continue };
                if row.attributes != instance.attributes {
                    instance.version = instance.version.saturating_add(1);
                    change.update(row, &instance);
                }
            }
            Ok(answer)
        })
        .await?;
    Ok(DeleteAttributesResponse { attributes: Some(attributes) })
}
