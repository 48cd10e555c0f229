//! `DeleteCluster`: an empty cluster becomes INACTIVE.

use api_ecs::errors::{
    cluster_contains_container_instances_exception, cluster_contains_services_exception,
    cluster_contains_tasks_exception,
};
use api_ecs::ops::DeleteCluster;
use api_ecs::types::{DeleteClusterRequest, DeleteClusterResponse};
use domain::{ClusterStatus, ContainerInstanceStatus, ServiceStatus};
use policy::{Access, Authorized, Caller};
use state::View;
use wire::ApiError;

use crate::{EcsContext, access, name, render};

pub(crate) fn accesses(
    ctx: &EcsContext,
    _caller: &Caller,
    input: &DeleteClusterRequest,
) -> Vec<Access> {
    vec![access::cluster::<DeleteCluster>(ctx, input.cluster.as_deref())]
}

pub(crate) async fn execute(
    ctx: &EcsContext,
    call: Authorized<DeleteCluster>,
) -> Result<DeleteClusterResponse, ApiError> {
    let input = call.input();
    let cluster = ctx
        .commit(|view, change| {
            let row = name::cluster(view, &ctx.scope, input.cluster.as_deref())?;
            check_empty(view, &row.name)?;
            let mut cluster = row.value.as_ref().clone();
            cluster.status = ClusterStatus::Inactive;
            cluster.deleted_at = Some(ctx.now());
            // What is put into a cluster requires its record unchanged, so this cannot miss any.
            change.update(row, &cluster);
            Ok(render::cluster::updated(ctx, view, &cluster))
        })
        .await?;
    Ok(DeleteClusterResponse { cluster: Some(cluster) })
}

fn check_empty(view: &View, cluster: &str) -> Result<(), ApiError> {
    if view
        .instances_of(cluster)
        .any(|instance| instance.status != ContainerInstanceStatus::Inactive)
    {
        return Err(cluster_contains_container_instances_exception(
            "The Cluster cannot be deleted while Container Instances are active or draining.",
        ));
    }
    if view.services_of(cluster).any(|service| service.status != ServiceStatus::Inactive) {
        return Err(cluster_contains_services_exception(
            "The Cluster cannot be deleted while Services are active.",
        ));
    }
    if view.tasks_of(cluster).any(|task| task.holds_resources()) {
        return Err(cluster_contains_tasks_exception(
            "The Cluster cannot be deleted while Tasks are active.",
        ));
    }
    Ok(())
}
