//! `ListClusters`.

use api_ecs::ops::ListClusters;
use api_ecs::types::{ListClustersRequest, ListClustersResponse};
use domain::ClusterStatus;
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::page::page;
use crate::{EcsContext, arn};

pub(crate) fn accesses(
    _ctx: &EcsContext,
    _caller: &Caller,
    _input: &ListClustersRequest,
) -> Vec<Access> {
    vec![Access::of::<ListClusters>("*")]
}

pub(crate) async fn execute(
    ctx: &EcsContext,
    call: Authorized<ListClusters>,
) -> Result<ListClustersResponse, ApiError> {
    let input = call.input();
    let view = ctx.state.view();
    let (clusters, next_token) = page(
        view.clusters().filter(|cluster| cluster.status == ClusterStatus::Active),
        |cluster| cluster.name.clone(),
        input.max_results,
        input.next_token.as_deref(),
        100,
    )?;
    let arns = clusters.iter().map(|cluster| arn::cluster(&ctx.scope, &cluster.name));
    Ok(ListClustersResponse { cluster_arns: Some(arns.collect()), next_token })
}
