//! `ListNodes`: the machines that joined with a token. The one that runs the control plane itself
//! needs none and is not among them.

use api_portcullis::ops::ListNodes;
use api_portcullis::types::{ListNodesRequest, ListNodesResponse};
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::page::page;
use crate::{PortcullisContext, render, resource};

pub(crate) fn accesses(
    ctx: &PortcullisContext,
    _caller: &Caller,
    input: &ListNodesRequest,
) -> Vec<Access> {
    let access = Access::of::<ListNodes>(resource::node(&ctx.scope, "*"));
    vec![resource::in_cluster(access, input.cluster.as_deref())]
}

pub(crate) async fn execute(
    ctx: &PortcullisContext,
    call: Authorized<ListNodes>,
) -> Result<ListNodesResponse, ApiError> {
    let (_, input) = call.into_parts();
    let view = ctx.state.view();
    let cluster = input.cluster.as_deref();
    let all = view
        .identities()
        .node_identities()
        .filter(|node| cluster.is_none_or(|cluster| node.cluster == cluster));
    let key = |node: &&state::Row<iam::NodeIdentity>| node.instance_id.clone();
    let (nodes, next_token) = page(all, key, input.max_results, input.next_token.as_deref())?;
    let nodes = nodes.into_iter().map(|node| render::node(&ctx.scope, &view, node));
    Ok(ListNodesResponse { nodes: Some(nodes.collect()), next_token })
}
