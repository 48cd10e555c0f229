//! `UpdateCluster`.

use api_ecs::ops::UpdateCluster;
use api_ecs::types::{UpdateClusterRequest, UpdateClusterResponse};
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::{EcsContext, access, name, read, render};

pub(crate) fn accesses(
    ctx: &EcsContext,
    _caller: &Caller,
    input: &UpdateClusterRequest,
) -> Vec<Access> {
    let access = access::cluster::<UpdateCluster>(ctx, input.cluster.as_deref());
    vec![access::with_storage_key(access, input.configuration.as_ref())]
}

pub(crate) async fn execute(
    ctx: &EcsContext,
    call: Authorized<UpdateCluster>,
) -> Result<UpdateClusterResponse, ApiError> {
    let input = call.input();
    read::cluster::check_configuration(input.configuration.as_ref())?;
    let cluster = ctx
        .commit(|view, change| {
            let row = name::cluster(view, &ctx.scope, input.cluster.as_deref())?;
            let mut cluster = row.value.as_ref().clone();
            if let Some(given) = &input.settings {
                cluster.settings = read::cluster::settings(ctx, Some(given))?;
            }
            if let Some(given) = &input.configuration {
                cluster.configuration = read::cluster::document(Some(given))?;
            }
            if let Some(given) = &input.service_connect_defaults {
                // An empty namespace takes the default away.
                let kept = given.namespace.as_deref().is_some_and(|name| !name.is_empty());
                cluster.service_connect_defaults =
                    read::cluster::document(Some(given).filter(|_| kept))?;
            }
            change.update(row, &cluster);
            Ok(render::cluster::updated(ctx, view, &cluster))
        })
        .await?;
    Ok(UpdateClusterResponse { cluster: Some(cluster) })
}
