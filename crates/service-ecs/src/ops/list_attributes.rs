//! `ListAttributes`.

use api_ecs::ops::ListAttributes;
use api_ecs::types::{Attribute, ListAttributesRequest, ListAttributesResponse};
use domain::ContainerInstanceStatus;
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::error::invalid_parameter;
use crate::page::page;
use crate::{EcsContext, access, arn, name};

pub(crate) fn accesses(
    ctx: &EcsContext,
    _caller: &Caller,
    input: &ListAttributesRequest,
) -> Vec<Access> {
    vec![access::cluster::<ListAttributes>(ctx, input.cluster.as_deref())]
}

pub(crate) async fn execute(
    ctx: &EcsContext,
    call: Authorized<ListAttributes>,
) -> Result<ListAttributesResponse, ApiError> {
    let input = call.input();
    let wanted_name = input.attribute_name.as_deref();
    let wanted_value = input.attribute_value.as_deref();
    if wanted_value.is_some() && wanted_name.is_none() {
        return Err(invalid_parameter("An attributeValue needs an attributeName."));
    }
    let view = ctx.state.view();
    let cluster = name::cluster(&view, &ctx.scope, input.cluster.as_deref())?;
    let listed = view
        .instances_of(&cluster.name)
        .filter(|instance| instance.status != ContainerInstanceStatus::Inactive)
        .flat_map(|instance| {
            instance.attributes.iter().map(|(name, value)| (&instance.id, name, value))
        })
        .filter(|(_, name, _)| wanted_name.is_none_or(|wanted| wanted == name.as_str()))
        .filter(|(_, _, value)| wanted_value.is_none_or(|wanted| value.as_deref() == Some(wanted)));
    let (attributes, next_token) = page(
        listed,
        |(id, name, _)| format!("{id}/{name}"),
        input.max_results,
        input.next_token.as_deref(),
        100,
    )?;
    let attributes = attributes.into_iter().map(|(id, name, value)| Attribute {
        name: Some(name.clone()),
        value: value.clone(),
        target_id: Some(arn::container_instance(&ctx.scope, &cluster.name, id)),
        target_type: None,
    });
    Ok(ListAttributesResponse { attributes: Some(attributes.collect()), next_token })
}
