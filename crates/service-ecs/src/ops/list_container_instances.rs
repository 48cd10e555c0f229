//! `ListContainerInstances`: by status, and by a query of the cluster query language.

use api_ecs::ops::ListContainerInstances;
use api_ecs::types::{ListContainerInstancesRequest, ListContainerInstancesResponse};
use domain::{ContainerInstance, ContainerInstanceStatus, Task};
use policy::{Access, Authorized, Caller};
use scheduler::Query;
use state::View;
use wire::ApiError;

use crate::error::invalid_parameter;
use crate::page::page;
use crate::{EcsContext, access, arn, name};

pub(crate) fn accesses(
    ctx: &EcsContext,
    _caller: &Caller,
    input: &ListContainerInstancesRequest,
) -> Vec<Access> {
    vec![access::cluster::<ListContainerInstances>(ctx, input.cluster.as_deref())]
}

pub(crate) async fn execute(
    ctx: &EcsContext,
    call: Authorized<ListContainerInstances>,
) -> Result<ListContainerInstancesResponse, ApiError> {
    let input = call.input();
    let query = input.filter.as_deref().filter(|filter| !filter.is_empty());
    let query = query.map(Query::parse).transpose().map_err(|error| {
        invalid_parameter(format!(
            "The filter is not a query of the cluster query language: {error}."
        ))
    })?;
    let view = ctx.state.view();
    let cluster = name::cluster(&view, &ctx.scope, input.cluster.as_deref())?;
    let listed = view.instances_of(&cluster.name).filter(|instance| {
        let wanted = match &input.status {
            Some(status) => instance.status.as_str() == status.as_str(),
            None => instance.status != ContainerInstanceStatus::Inactive,
        };
        wanted && query.as_ref().is_none_or(|query| matches(&view, query, instance))
    });
    let (instances, next_token) = page(
        listed,
        |instance| instance.id.clone(),
        input.max_results,
        input.next_token.as_deref(),
        100,
    )?;
    let arns = instances
        .iter()
        .map(|instance| arn::container_instance(&ctx.scope, &cluster.name, &instance.id));
    Ok(ListContainerInstancesResponse { container_instance_arns: Some(arns.collect()), next_token })
}

fn matches(view: &View, query: &Query, instance: &ContainerInstance) -> bool {
    let tasks: Vec<&Task> = view.tasks_on(&instance.id).map(|task| task.value.as_ref()).collect();
    query.matches(&placement::instance(instance, &tasks))
}
