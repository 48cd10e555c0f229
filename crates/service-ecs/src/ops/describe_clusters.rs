//! `DescribeClusters`.

use api_ecs::ops::DescribeClusters;
use api_ecs::types::{DescribeClustersRequest, DescribeClustersResponse};
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::error::invalid_parameter;
use crate::render::failure;
use crate::{EcsContext, access, arn, name, render};

/// The most clusters of one call.
const MAX_CLUSTERS: usize = 100;

pub(crate) fn accesses(
    ctx: &EcsContext,
    _caller: &Caller,
    input: &DescribeClustersRequest,
) -> Vec<Access> {
    access::clusters::<DescribeClusters>(ctx, input.clusters.as_deref())
}

pub(crate) async fn execute(
    ctx: &EcsContext,
    call: Authorized<DescribeClusters>,
) -> Result<DescribeClustersResponse, ApiError> {
    let (_, input) = call.into_parts();
    let given = named(&input);
    if given.len() > MAX_CLUSTERS {
        return Err(invalid_parameter("Clusters cannot have more than 100 elements."));
    }
    let include = input.include.as_deref().unwrap_or_default();
    let (mut clusters, mut failures) = (Vec::new(), Vec::new());
    let view = ctx.state.view();
    for given in given {
        if given.starts_with("arn:") {
            name::parse_arn(&ctx.scope, given, "cluster/")?;
        }
        let name = name::cluster_name(Some(given));
        match view.cluster(name) {
            Some(row) => clusters.push(render::cluster::described(ctx, &view, row, include)),
            None => failures.push(failure::missing(arn::cluster(&ctx.scope, name))),
        }
    }
    Ok(DescribeClustersResponse { clusters: Some(clusters), failures: Some(failures) })
}

/// The clusters asked for; the default one when none is named.
fn named(input: &DescribeClustersRequest) -> Vec<&str> {
    match input.clusters.as_deref() {
        None | Some([]) => vec![name::DEFAULT_CLUSTER],
        Some(given) => given.iter().map(String::as_str).collect(),
    }
}
