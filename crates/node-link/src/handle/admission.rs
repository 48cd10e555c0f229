//! Certificates: for a machine that joins, and for a node whose own is half over.

use std::net::IpAddr;

use http::StatusCode;
use iam::{JoinToken, NodeIdentity};
use state::{Change, StateError, View};

use super::{Answer, Caller, Refused, Shared, json, parse};
use crate::authority::{Issued, NODE_SECONDS};
use crate::certificate::{CertifiedNode, NodePublicKey, proof_message};
use crate::messages::{CertificateAnswer, JoinAnswer, JoinRequest};
use crate::record::{NodeEvent, NodeEventKind};

/// How often a change is tried again when others changed the same records meanwhile.
const MAX_ATTEMPTS: usize = 20;
/// The longest text of a token's or an instance's id.
const MAX_ID: usize = 64;
/// What everybody is told whose token is worth nothing. Why is on record.
const NO_TOKEN: &str =
    "the join token is not valid: it is unknown, expired or used; ask for a new one";

/// A machine joins.
pub(super) async fn join(shared: &Shared, address: IpAddr, body: &[u8]) -> Answer {
    let now = shared.clock.now();
    if !shared.throttle.allows(address, now) {
        return Err(Refused::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too many attempts to join from this address: wait a minute",
        ));
    }
    let request: JoinRequest = parse(body)?;
    let admitted = match prepare(&request) {
        Ok(key) => admit(shared, &request, &key).await.map(|token| (token, key)),
        Err(reason) => Err(Failure::Refused { told: reason, reason }),
    };
    let event = |kind, reason| NodeEvent {
        kind,
        at: now,
        source_ip: address,
        instance_id: is_id(&request.instance_id).then(|| request.instance_id.clone()),
        join_token: is_id(&request.token_id).then(|| request.token_id.clone()),
        reason,
    };
    match admitted {
        Ok((token, key)) => {
            let recorded = shared.audit.record(event(NodeEventKind::Joined, None)).await;
            recorded.map_err(Refused::unavailable)?;
            tracing::info!(
                instance_id = request.instance_id, cluster = token.cluster, %address, "a node joined"
            );
            json(&JoinAnswer {
                cluster: token.cluster,
                authority: shared.authority.pem().to_owned(),
                certificate: certificate(shared, &request.instance_id, &key)?,
            })
        }
        Err(Failure::Refused { told, reason }) => {
            shared.throttle.failed(address, now);
            tracing::warn!(token = request.token_id, %address, reason, "a node was not let in");
            let event = event(NodeEventKind::JoinRefused, Some(reason.to_owned()));
            shared.audit.record(event).await.map_err(Refused::unavailable)?;
            Err(Refused::forbidden(told))
        }
        Err(Failure::Unavailable(reason)) => Err(Refused::unavailable(reason)),
    }
}

/// Why a machine was not let in.
enum Failure {
    /// For good.
    Refused { told: &'static str, reason: &'static str },
    /// The same request may succeed later.
    Unavailable(String),
}

const fn no_token(reason: &'static str) -> Failure {
    Failure::Refused { told: NO_TOKEN, reason }
}

const fn refused(reason: &'static str) -> Failure {
    Failure::Refused { told: reason, reason }
}

fn is_id(text: &str) -> bool {
    (1..=MAX_ID).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

/// The key in a request whose parts fit each other.
fn prepare(request: &JoinRequest) -> Result<NodePublicKey, &'static str> {
    if !is_id(&request.token_id) || !is_id(&request.instance_id) {
        return Err("an id in the request is none");
    }
    let point = hex::decode(&request.public_key).ok().and_then(NodePublicKey::new);
    let key = point.ok_or("the public key is not one of P-256")?;
    let proof = hex::decode(&request.proof).unwrap_or_default();
    let message = proof_message(&request.token_id, &request.instance_id, &request.public_key);
    if !key.verifies(&message, &proof) {
        return Err("the request does not prove that the machine has the key");
    }
    Ok(key)
}

/// Uses the token and makes the identity; both or neither, and once.
async fn admit(
    shared: &Shared,
    request: &JoinRequest,
    key: &NodePublicKey,
) -> Result<JoinToken, Failure> {
    let mut reason = String::new();
    for _ in 0..MAX_ATTEMPTS {
        let mut change = Change::new();
        let token = admit_in(shared, &shared.state.view(), &mut change, request, key)?;
        match shared.state.commit(change).await {
            Ok(_) => return Ok(token),
            Err(error @ (StateError::Conflict { .. } | StateError::OutcomeUnknown(_))) => {
                reason = error.to_string();
            }
            Err(error) => return Err(Failure::Unavailable(error.to_string())),
        }
    }
    Err(Failure::Unavailable(reason))
}

fn admit_in(
    shared: &Shared,
    view: &View,
    change: &mut Change,
    request: &JoinRequest,
    key: &NodePublicKey,
) -> Result<JoinToken, Failure> {
    let now = shared.clock.now();
    let instance_id = &request.instance_id;
    let Some(row) = view.identities().join_token(&request.token_id) else {
        return Err(no_token("the token is not known"));
    };
    // First of all: who does not hold the secret learns nothing.
    if !node_proto::secret_matches(request.secret.expose(), &row.secret_digest) {
        return Err(no_token("the secret is wrong"));
    }
    if now >= row.expires_at {
        return Err(no_token("the token has expired"));
    }
    let key_digest = key.digest();
    let known = view.identities().node_identity(instance_id);
    // The same machine may ask again when it did not get the answer, or its certificate has ended.
    let is_same = known.is_some_and(|known| {
        node_proto::same_digest(&known.key_digest, &key_digest) && known.cluster == row.cluster
    });
    match &row.used_by {
        None => {}
        Some(by) if by == instance_id && is_same => {}
        Some(_) => return Err(no_token("the token was used before")),
    }
    if known.is_some_and(|known| known.revoked) {
        return Err(refused(
            "the node's identity was revoked: remove its state to join as a new one",
        ));
    }
    if known.is_some() && !is_same {
        return Err(refused(
            "another key or cluster belongs to this instance: remove the node's state",
        ));
    }
    if known.is_none() && view.instance(instance_id).is_some() {
        return Err(refused("there is such an instance, and it did not join with a token"));
    }
    let mut token = row.value.as_ref().clone();
    token.used_by = Some(instance_id.clone());
    change.update(row, &token);
    let identity = NodeIdentity {
        instance_id: instance_id.clone(),
        cluster: token.cluster.clone(),
        key_digest,
        join_token: token.id.clone(),
        joined_at: known.map_or(now, |known| known.joined_at),
        certificate_expires_at: now.plus_seconds(NODE_SECONDS),
        revoked: false,
    };
    change.put(known, &identity);
    Ok(token)
}

/// A node's certificate is half over.
pub(super) async fn renew(
    shared: &Shared,
    caller: &Caller<'_>,
    certified: &CertifiedNode,
) -> Answer {
    let instance_id = &caller.identity.instance_id;
    let now = shared.clock.now();
    let mut committed = false;
    for _ in 0..MAX_ATTEMPTS {
        let mut change = Change::new();
        {
            let view = shared.state.view();
            let known = view.identities().node_identity(instance_id);
            let Some(row) = known.filter(|row| !row.revoked) else {
                return Err(Refused::forbidden("the node's identity was revoked"));
            };
            let mut identity = row.value.as_ref().clone();
            identity.certificate_expires_at = now.plus_seconds(NODE_SECONDS);
            change.update(row, &identity);
        }
        match shared.state.commit(change).await {
            Ok(_) => {
                committed = true;
                break;
            }
            Err(StateError::Conflict { .. }) => {}
            Err(error) => return Err(Refused::unavailable(error.to_string())),
        }
    }
    if !committed {
        return Err(Refused::unavailable("the node's record changed each time"));
    }
    let event = NodeEvent {
        kind: NodeEventKind::CertificateRenewed,
        at: now,
        source_ip: caller.peer.address,
        instance_id: Some(instance_id.clone()),
        join_token: None,
        reason: None,
    };
    shared.audit.record(event).await.map_err(Refused::unavailable)?;
    json(&certificate(shared, instance_id, &certified.key)?)
}

fn certificate(
    shared: &Shared,
    instance_id: &str,
    key: &NodePublicKey,
) -> Result<CertificateAnswer, Refused> {
    let now = shared.clock.now();
    match shared.authority.issue(instance_id, key, shared.ids.as_ref(), now) {
        Ok(Issued { pem, expires_at }) => {
            Ok(CertificateAnswer { certificate: pem, issued_at: now, expires_at })
        }
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "no certificate");
            Err(Refused::unavailable(error.to_string()))
        }
    }
}
