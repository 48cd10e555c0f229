//! `UpdateClusterSettings`.

use api_ecs::ops::UpdateClusterSettings;
use api_ecs::types::{UpdateClusterSettingsRequest, UpdateClusterSettingsResponse};
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::{EcsContext, access, name, read, render};

pub(crate) fn accesses(
    ctx: &EcsContext,
    _caller: &Caller,
    input: &UpdateClusterSettingsRequest,
) -> Vec<Access> {
    vec![access::cluster::<UpdateClusterSettings>(ctx, input.cluster.as_deref())]
}

pub(crate) async fn execute(
    ctx: &EcsContext,
    call: Authorized<UpdateClusterSettings>,
) -> Result<UpdateClusterSettingsResponse, ApiError> {
    let input = call.input();
    let settings = read::cluster::settings(ctx, input.settings.as_deref())?;
    let cluster = ctx
        .commit(|view, change| {
            let row = name::cluster(view, &ctx.scope, input.cluster.as_deref())?;
            let mut cluster = row.value.as_ref().clone();
            cluster.settings.clone_from(&settings);
            change.update(row, &cluster);
            Ok(render::cluster::updated(ctx, view, &cluster))
        })
        .await?;
    Ok(UpdateClusterSettingsResponse { cluster: Some(cluster) })
}
