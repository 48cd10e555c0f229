//! `ListServicesByNamespace`: the services that Service Connect joins in a namespace.
//!
//! Service Connect is refused at creation, so no service is in any; a namespace is known when an
//! ACTIVE cluster names it as its default.

use api_ecs::ops::ListServicesByNamespace;
use api_ecs::types::{ListServicesByNamespaceRequest, ListServicesByNamespaceResponse};
use domain::ClusterStatus;
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::EcsContext;

pub(crate) fn accesses(
    _ctx: &EcsContext,
    _caller: &Caller,
    input: &ListServicesByNamespaceRequest,
) -> Vec<Access> {
    let namespace = input.namespace.as_deref().unwrap_or_default();
    vec![Access::of::<ListServicesByNamespace>("*").with_key("ecs:namespace", namespace)]
}

pub(crate) async fn execute(
    ctx: &EcsContext,
    call: Authorized<ListServicesByNamespace>,
) -> Result<ListServicesByNamespaceResponse, ApiError> {
    let namespace = call.input().namespace.as_deref().unwrap_or_default();
    let known = ctx.state.view().clusters().any(|cluster| {
        let defaults = cluster.service_connect_defaults.as_ref();
        let default = defaults.and_then(|defaults| defaults.0.get("namespace")?.as_str());
        cluster.status == ClusterStatus::Active && default == Some(namespace)
    });
    if !known {
        return Err(api_ecs::errors::namespace_not_found_exception(
            "The specified namespace wasn't found.",
        ));
    }
    Ok(ListServicesByNamespaceResponse { next_token: None, service_arns: Some(Vec::new()) })
}
