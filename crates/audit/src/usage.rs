//! When what was last used: an index in memory, from the records.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use base::{AccountId, Timestamp};
use identity::{ActionUse, KeyKind, LastUse};
use operation::CallRecord;
use policy::PrincipalKind;
use serde::Deserialize;

use crate::segment::Segment;
use crate::writer::Shared;

/// Actions with resources that are kept of one principal.
const MAX_ACTIONS: usize = 10_000;
/// Access keys, and principals, that are kept. Beyond that, new ones are not.
const MAX_KEPT: usize = 100_000;
/// Segments that are read at the start: about 1 GiB of records.
const MAX_SEGMENTS: usize = 64;

/// What one record tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Use {
    /// The role, user or root.
    arn: String,
    account: String,
    access_key_id: String,
    last: LastUse,
    /// What was allowed and performed.
    actions: Vec<(String, String)>,
}

impl Use {
    /// What the call of an authenticated caller tells.
    pub(crate) fn of(call: &CallRecord) -> Option<Self> {
        let principal = call.who.principal.as_ref()?;
        let arn = match &principal.kind {
            PrincipalKind::AssumedRole { role_arn, .. } => role_arn,
            PrincipalKind::Root | PrincipalKind::User { .. } => &principal.arn,
            PrincipalKind::Service { .. } | PrincipalKind::Anonymous => return None,
        };
        let is_performed = call.error.is_none();
        let allowed = call.decisions.iter().filter(|decided| decided.decision.is_allowed());
        let actions = allowed
            .filter(|_| is_performed)
            .map(|decided| (decided.access.action.to_string(), decided.access.resource.clone()))
            .collect();
        Some(Self {
            arn: arn.clone(),
            account: principal.account.to_string(),
            access_key_id: call.who.access_key_id.to_string(),
            last: LastUse {
                at: call.time,
                region: call.region.to_string(),
                service: call.api.signing_name.to_owned(),
            },
            actions,
        })
    }

    /// What a line of the log tells.
    fn read(line: &[u8]) -> Option<Self> {
        let line: Line = serde_json::from_slice(line).ok()?;
        let additional = line.additional_event_data.unwrap_or_default();
        if additional.authentication.is_some() || line.event_type != "AwsApiCall" {
            return None;
        }
        let identity = line.user_identity;
        let issuer = identity.session_context.and_then(|context| context.session_issuer);
        let arn = issuer.map(|issuer| issuer.arn).or(identity.arn)?;
        let actions = additional
            .authorization
            .into_iter()
            .filter(|one| one.decision == "Allowed" && line.error_code.is_none())
            .map(|one| (one.action, one.resource))
            .collect();
        Some(Self {
            arn,
            account: identity.account_id?,
            access_key_id: identity.access_key_id.unwrap_or_default(),
            last: LastUse {
                at: Timestamp::from_epoch_ms(line.portcullis.time_ms),
                region: line.aws_region,
                service: line.event_source.split('.').next().unwrap_or_default().to_owned(),
            },
            actions,
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    event_type: String,
    event_source: String,
    aws_region: String,
    error_code: Option<String>,
    user_identity: Identity,
    additional_event_data: Option<Additional>,
    portcullis: crate::chain::Link,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Identity {
    arn: Option<String>,
    account_id: Option<String>,
    access_key_id: Option<String>,
    session_context: Option<SessionContext>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SessionContext {
    session_issuer: Option<Issuer>,
}

#[derive(Deserialize)]
struct Issuer {
    arn: String,
}

#[derive(Deserialize, Default)]
struct Additional {
    authentication: Option<String>,
    #[serde(default)]
    authorization: Vec<Allowed>,
}

#[derive(Deserialize)]
struct Allowed {
    action: String,
    resource: String,
    decision: String,
}

#[derive(Debug)]
struct Known {
    account: String,
    last: LastUse,
    actions: BTreeMap<String, BTreeMap<String, (Timestamp, u64)>>,
    count: usize,
}

/// The index.
#[derive(Debug, Default)]
pub(crate) struct Index {
    keys: BTreeMap<String, LastUse>,
    principals: BTreeMap<String, Known>,
}

fn later(last: &mut LastUse, other: &LastUse) {
    if other.at >= last.at {
        last.clone_from(other);
    }
}

/// Whether anybody can ask for the last use of this key: those of sessions come and go by the
/// thousands, and would take the room of the others.
fn is_lasting(access_key_id: &str) -> bool {
    !access_key_id.is_empty() && !access_key_id.starts_with(KeyKind::Temporary.prefix())
}

impl Index {
    pub(crate) fn add(&mut self, uses: &Use) {
        if let Some(last) = self.keys.get_mut(&uses.access_key_id) {
            later(last, &uses.last);
        } else if is_lasting(&uses.access_key_id) && self.keys.len() < MAX_KEPT {
            self.keys.insert(uses.access_key_id.clone(), uses.last.clone());
        }
        if !self.principals.contains_key(&uses.arn) {
            if self.principals.len() >= MAX_KEPT {
                return;
            }
            let known = Known {
                account: uses.account.clone(),
                last: uses.last.clone(),
                actions: BTreeMap::new(),
                count: 0,
            };
            self.principals.insert(uses.arn.clone(), known);
        }
        let Some(known) = self.principals.get_mut(&uses.arn) else { return };
        later(&mut known.last, &uses.last);
        for (action, resource) in &uses.actions {
            known.add(action, resource, uses.last.at);
        }
    }

    pub(crate) fn access_key(&self, access_key_id: &str) -> Option<LastUse> {
        self.keys.get(access_key_id).cloned()
    }

    pub(crate) fn principal(&self, arn: &str) -> Option<LastUse> {
        self.principals.get(arn).map(|known| known.last.clone())
    }

    pub(crate) fn actions(&self, arn: &str) -> Vec<ActionUse> {
        let Some(known) = self.principals.get(arn) else { return Vec::new() };
        let mut all = Vec::with_capacity(known.count);
        for (action, resources) in &known.actions {
            for (resource, (last_used_at, count)) in resources {
                all.push(ActionUse {
                    action: action.clone(),
                    resource: resource.clone(),
                    last_used_at: *last_used_at,
                    count: *count,
                });
            }
        }
        all
    }

    pub(crate) fn principals(&self, account: &AccountId) -> Vec<String> {
        let own = self.principals.iter().filter(|(_, known)| known.account == account.as_str());
        own.map(|(arn, _)| arn.clone()).collect()
    }
}

impl Known {
    fn add(&mut self, action: &str, resource: &str, at: Timestamp) {
        let used = self.actions.get_mut(action).and_then(|resources| resources.get_mut(resource));
        if let Some((last, count)) = used {
            (*last, *count) = ((*last).max(at), count.saturating_add(1));
        } else if self.count < MAX_ACTIONS {
            self.count = self.count.saturating_add(1);
            let resources = self.actions.entry(action.to_owned()).or_default();
            resources.insert(resource.to_owned(), (at, 1));
        }
    }
}

/// Reads what was recorded before, up to line `last`, in a thread of its own: until it is done,
/// answers are incomplete.
pub(crate) fn start(
    shared: Arc<Shared>,
    mut segments: Vec<Segment>,
    last: u64,
) -> std::io::Result<()> {
    let recent = segments.split_off(segments.len().saturating_sub(MAX_SEGMENTS));
    let reader = std::thread::Builder::new().name("audit usage".to_owned());
    reader.spawn(move || {
        for segment in recent {
            let mut sequence = segment.first;
            let read = crate::log::each_line(&segment, |line| {
                if sequence > last {
                    return Ok(false);
                }
                sequence = sequence.saturating_add(1);
                if let Some(uses) = Use::read(line) {
                    shared.usage.lock().unwrap_or_else(PoisonError::into_inner).add(&uses);
                }
                // Nobody waits for an index of a log that was closed.
                Ok(Arc::strong_count(&shared) > 1)
            });
            if let Err(error) = read {
                tracing::warn!(reason = error.reason(), "uses of before cannot be read");
            }
        }
    })?;
    Ok(())
}
