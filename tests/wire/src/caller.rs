//! Who calls in a step: its member `as`.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use base::{AccountId, Timestamp};
use policy::{
    Caller, NamedPolicy, Permissions, Policy, PolicyKind, Principal, PrincipalKind, SessionFacts,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{fail, scope};

/// The caller of a step; the crate's documentation tells what the members mean.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Identity {
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<String>,
    #[serde(skip_serializing_if = "is_false")]
    anonymous: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<AccountId>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    policies: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    boundary: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_policies: Option<Vec<Value>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    service_control: Vec<Vec<Value>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    tags: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_ip: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_vpce: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_agent: Option<String>,
    #[serde(skip_serializing_if = "is_false")]
    secure_transport: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    mfa_age_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    issued_age_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_identity: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    access_key_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    time_ms: Option<i64>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

impl Identity {
    /// A user of the usual account.
    pub(crate) fn user(name: &str) -> Self {
        Self { user: Some(name.to_owned()), ..Self::default() }
    }

    /// The same caller with these identity policies and no other policies.
    pub(crate) fn with_only(self, policies: Vec<Value>) -> Self {
        let service_control = Vec::new();
        Self { policies, boundary: None, session_policies: None, service_control, ..self }
    }

    /// Whether it is a root or nobody, neither of whom policies of its own can allow anything.
    pub(crate) const fn has_no_policies(&self) -> bool {
        self.user.is_none() && self.role.is_none()
    }

    /// The caller at `now`.
    pub(crate) fn caller(&self, now: Timestamp) -> Caller {
        let now = self.time_ms.map_or(now, Timestamp::from_epoch_ms);
        let before = |age_ms: i64| Timestamp::from_epoch_ms(now.as_epoch_ms() - age_ms);
        let region = scope().region;
        let session = SessionFacts {
            issued_at: self.issued_age_ms.map(before),
            mfa_at: self.mfa_age_ms.map(before),
            source_identity: self.source_identity.clone(),
            ..SessionFacts::default()
        };
        Caller {
            principal: Arc::new(self.principal()),
            permissions: Arc::new(self.permissions()),
            session: Arc::new(session),
            access_key_id: self.access_key_id.as_deref().unwrap_or_default().into(),
            source_ip: self.source_ip.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            source_vpce: self.source_vpce.as_deref().map(|name| match name {
                "vpce-task-link" => "vpce-task-link",
                other => fail(&format!("no request comes through `{other}`")),
            }),
            user_agent: self.user_agent.clone(),
            secure_transport: self.secure_transport,
            ..Caller::root(scope().account, region, now)
        }
    }

    fn principal(&self) -> Principal {
        let account = self.account.clone().unwrap_or(scope().account);
        let root = Principal::root(account);
        let account = &root.account;
        let last = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
        let (arn, user_id, kind) = match (&self.user, &self.role) {
            (None, None) if self.anonymous => {
                (String::new(), String::new(), PrincipalKind::Anonymous)
            }
            (None, None) => return root,
            (Some(path), None) => (
                format!("arn:aws:iam::{account}:user/{path}"),
                "AIDAEXAMPLE0000000001".to_owned(),
                PrincipalKind::User { name: last(path) },
            ),
            (None, Some(path)) => {
                let (name, session) = (last(path), self.session.clone());
                let session = session.unwrap_or_else(|| "session".to_owned());
                (
                    format!("arn:aws:sts::{account}:assumed-role/{name}/{session}"),
                    format!("AROAEXAMPLE0000000001:{session}"),
                    PrincipalKind::AssumedRole {
                        role_arn: format!("arn:aws:iam::{account}:role/{path}"),
                        role_name: name,
                        session_name: session,
                    },
                )
            }
            (Some(_), Some(_)) => fail("a caller is a user or a role, not both"),
        };
        Principal { arn, user_id, kind, tags: self.tags.clone(), ..root }
    }

    fn permissions(&self) -> Permissions {
        let level = |documents: &Vec<Value>| {
            documents.iter().map(|one| named(one, PolicyKind::ServiceControl)).collect()
        };
        Permissions {
            identity: named_all(&self.policies),
            boundary: self.boundary.as_ref().map(|one| named(one, PolicyKind::Identity)),
            session: self.session_policies.as_ref().map(|documents| named_all(documents)),
            service_control: self.service_control.iter().map(level).collect(),
            organization: None,
        }
    }
}

fn named_all(documents: &[Value]) -> Vec<NamedPolicy> {
    documents.iter().map(|one| named(one, PolicyKind::Identity)).collect()
}

fn named(document: &Value, kind: PolicyKind) -> NamedPolicy {
    match Policy::parse(&document.to_string(), kind) {
        Ok(policy) => NamedPolicy { name: "golden".into(), policy: Arc::new(policy) },
        Err(errors) => fail(&format!("{document} is no policy: {errors:?}")),
    }
}
