//! From records to wire types.

use api_portcullis::types;
use base::{Scope, Timestamp};
use iam::{Finding, JoinToken, NodeIdentity};
use state::View;

use crate::resource;

/// A join token as it is at `now`, without its secret.
pub(crate) fn join_token(scope: &Scope, token: &JoinToken, now: Timestamp) -> types::JoinToken {
    let status = if token.used_by.is_some() {
        types::JoinTokenStatus::Used
    } else if now >= token.expires_at {
        types::JoinTokenStatus::Expired
    } else {
        types::JoinTokenStatus::Active
    };
    types::JoinToken {
        arn: Some(resource::join_token(scope, &token.id)),
        id: Some(token.id.clone()),
        cluster: Some(token.cluster.clone()),
        status: Some(status),
        created_by: Some(token.created_by.clone()),
        created_at: Some(token.created_at),
        expires_at: Some(token.expires_at),
        used_by: token.used_by.clone(),
    }
}

/// A machine that joined.
pub(crate) fn node(scope: &Scope, view: &View, node: &NodeIdentity) -> types::Node {
    let status = if node.revoked { types::NodeStatus::Revoked } else { types::NodeStatus::Active };
    let id = &node.instance_id;
    let instance = view.instance(id);
    types::Node {
        arn: Some(resource::node(scope, id)),
        cluster: Some(node.cluster.clone()),
        status: Some(status),
        container_instance_arn: instance.map(|instance| {
            scope.arn("ecs", format_args!("container-instance/{}/{id}", instance.cluster))
        }),
        connected: Some(instance.is_some_and(|instance| instance.agent_connected)),
        join_token_id: Some(node.join_token.clone()),
        joined_at: Some(node.joined_at),
        certificate_expires_at: Some(node.certificate_expires_at),
        id: Some(id.clone()),
    }
}

/// Something that somebody should look at.
pub(crate) fn finding(scope: &Scope, finding: &Finding) -> types::Finding {
    types::Finding {
        arn: Some(resource::finding(scope, &finding.id)),
        id: Some(finding.id.clone()),
        rule: Some(finding.rule.clone()),
        severity: Some(finding.severity.as_str().into()),
        title: Some(finding.title.clone()),
        resource: Some(finding.resource.clone()),
        principal: finding.principal.clone(),
        evidence: Some(finding.evidence.clone()),
        first_seen_at: Some(finding.first_seen_at),
        last_seen_at: Some(finding.last_seen_at),
        archived: Some(finding.archived),
    }
}
