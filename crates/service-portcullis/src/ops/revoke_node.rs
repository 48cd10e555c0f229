//! `RevokeNode`: takes a machine's identity away. From then on it is answered nothing; no task is
//! placed on it, and services replace those that it had. It can come back as a new machine only.

use api_portcullis::ops::RevokeNode;
use api_portcullis::types::{RevokeNodeRequest, RevokeNodeResponse};
use domain::ContainerInstanceStatus;
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::error::not_found;
use crate::{PortcullisContext, render, resource};

const STATUS_REASON: &str = "The node's identity was revoked.";

pub(crate) fn accesses(
    ctx: &PortcullisContext,
    _caller: &Caller,
    input: &RevokeNodeRequest,
) -> Vec<Access> {
    let id = input.id.as_deref().unwrap_or_default();
    let access = Access::of::<RevokeNode>(resource::node(&ctx.scope, id));
    let view = ctx.state.view();
    let cluster = view.identities().node_identity(id).map(|node| node.cluster.as_str());
    vec![resource::in_cluster(access, cluster)]
}

pub(crate) async fn execute(
    ctx: &PortcullisContext,
    call: Authorized<RevokeNode>,
) -> Result<RevokeNodeResponse, ApiError> {
    let (_, input) = call.into_parts();
    let id = input.id.unwrap_or_default();
    ctx.commit(|view, change| {
        let Some(known) = view.identities().node_identity(&id) else {
            return Err(not_found(format!("There is no node {id}.")));
        };
        if known.revoked {
            return Ok(());
        }
        let mut node = known.value.as_ref().clone();
        node.revoked = true;
        change.update(known, &node);
        if let Some(row) = view.instance(&id) {
            let mut instance = row.value.as_ref().clone();
            instance.agent_connected = false;
            if instance.status == ContainerInstanceStatus::Active {
                instance.status = ContainerInstanceStatus::Draining;
            }
            instance.status_reason = Some(STATUS_REASON.to_owned());
            instance.version = instance.version.saturating_add(1);
            change.update(row, &instance);
            // Placements that were decided before are decided again.
            change.fence(&id, view.fence(&id));
        }
        Ok(())
    })
    .await?;
    let view = ctx.state.view();
    let node = view.identities().node_identity(&id);
    Ok(RevokeNodeResponse { node: node.map(|node| render::node(&ctx.scope, &view, node)) })
}
