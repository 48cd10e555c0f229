//! `CreateCluster`: the cluster of that name, made unless it is there.

use api_ecs::ops::CreateCluster;
use api_ecs::types::{CreateClusterRequest, CreateClusterResponse};
use domain::{Cluster, ClusterStatus};
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::error::invalid_parameter;
use crate::{EcsContext, access, name, read, render, tag};

pub(crate) fn accesses(
    ctx: &EcsContext,
    _caller: &Caller,
    input: &CreateClusterRequest,
) -> Vec<Access> {
    access::create_cluster::<CreateCluster>(ctx, input)
}

pub(crate) async fn execute(
    ctx: &EcsContext,
    call: Authorized<CreateCluster>,
) -> Result<CreateClusterResponse, ApiError> {
    let (_, input) = call.into_parts();
    let name = input.cluster_name.as_deref().filter(|name| !name.is_empty());
    let name = name.unwrap_or(name::DEFAULT_CLUSTER);
    name::check(name, "cluster")?;
    read::cluster::check_configuration(input.configuration.as_ref())?;
    let wanted = Cluster {
        name: name.to_owned(),
        status: ClusterStatus::Active,
        deleted_at: None,
        settings: read::cluster::settings(ctx, input.settings.as_deref())?,
        configuration: read::cluster::document(input.configuration.as_ref())?,
        service_connect_defaults: read::cluster::document(input.service_connect_defaults.as_ref())?,
        capacity_providers: read::cluster::capacity_providers(&input)?,
        tags: tag::read(input.tags.clone())?,
    };
    let cluster = ctx
        .commit(|view, change| match view.cluster(name) {
            Some(row) if row.status == ClusterStatus::Active && !is_unconfigured(row) => {
                check_same(row, &wanted, &input)?;
                Ok(render::cluster::created(ctx, view, row))
            }
            other => {
                change.put(other, &wanted);
                Ok(render::cluster::created(ctx, view, &wanted))
            }
        })
        .await?;
    Ok(CreateClusterResponse { cluster: Some(cluster) })
}

/// Whether a node made the cluster by joining it, and nobody said anything about it since.
fn is_unconfigured(cluster: &Cluster) -> bool {
    cluster.settings.0.is_null()
        && cluster.configuration.is_none()
        && cluster.service_connect_defaults.is_none()
        && cluster.tags.is_empty()
}

/// A repeated creation may leave things out; what it names must be what the cluster has.
fn check_same(
    cluster: &Cluster,
    wanted: &Cluster,
    input: &CreateClusterRequest,
) -> Result<(), ApiError> {
    let same = (input.settings.is_none() || cluster.settings == wanted.settings)
        && (input.configuration.is_none() || cluster.configuration == wanted.configuration)
        && (input.service_connect_defaults.is_none()
            || cluster.service_connect_defaults == wanted.service_connect_defaults)
        && (input.capacity_providers.is_none()
            || cluster.capacity_providers == wanted.capacity_providers)
        && (input.tags.is_none() || cluster.tags == wanted.tags);
    if same {
        return Ok(());
    }
    Err(invalid_parameter(
        "Arguments on this idempotent request are inconsistent with arguments used in previous request(s).",
    ))
}
