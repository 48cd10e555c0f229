//! Who is calling.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use base::{AccountId, Region, Timestamp};

use crate::Permissions;

/// Who is calling: the owner of the credentials that signed the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// The account it belongs to.
    pub account: AccountId,
    /// Its name in messages and records: `arn:aws:iam::123456789012:user/ann`,
    /// `arn:aws:sts::123456789012:assumed-role/deploy/session`.
    pub arn: String,
    /// The unique id that `GetCallerIdentity` answers: for root the account id, for a user
    /// `AIDA…`, for a role's session `AROA…:session`.
    pub user_id: String,
    /// What kind of principal it is.
    pub kind: PrincipalKind,
    /// Its tags; of a session, those of the role, overlaid by those of the session.
    pub tags: BTreeMap<String, String>,
}

/// The kinds of principals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PrincipalKind {
    /// The account itself.
    Root,
    /// An IAM user.
    User {
        /// Its name, without the path.
        name: String,
    },
    /// A session of a role.
    AssumedRole {
        /// The role's ARN, with its path; what `aws:PrincipalArn` is.
        role_arn: String,
        /// The role's name, without the path.
        role_name: String,
        /// The session's name.
        session_name: String,
    },
    /// A part of AWS acting by itself: `ecs-tasks.amazonaws.com`.
    Service {
        /// The service's principal name.
        name: String,
    },
    /// Nobody: the request bears no signature. Who brings a token of an identity provider instead is
    /// this with [`SessionFacts::federated_provider`], which `Federated` principals are compared with.
    Anonymous,
}

impl Principal {
    /// Nobody, in a call to `account` that bears no signature.
    pub fn anonymous(account: AccountId) -> Self {
        Self {
            account,
            arn: "anonymous".to_owned(),
            user_id: "anonymous".to_owned(),
            kind: PrincipalKind::Anonymous,
            tags: BTreeMap::new(),
        }
    }

    /// The root of `account`.
    pub fn root(account: AccountId) -> Self {
        Self {
            arn: format!("arn:aws:iam::{account}:root"),
            user_id: account.to_string(),
            kind: PrincipalKind::Root,
            tags: BTreeMap::new(),
            account,
        }
    }
}

/// What is known of the session that a request was made in. All absent for a long-term key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SessionFacts {
    /// When the credentials were issued; `aws:TokenIssueTime`. `None` for long-term credentials.
    pub issued_at: Option<Timestamp>,
    /// When the holder proved a second factor; `aws:MultiFactorAuthPresent` and `…Age`.
    pub mfa_at: Option<Timestamp>,
    /// `aws:SourceIdentity`, as set by AssumeRole.
    pub source_identity: Option<String>,
    /// `aws:FederatedProvider`: the ARN of the identity provider that vouched.
    pub federated_provider: Option<String>,
    /// The ARN of the task that the credentials are bound to.
    pub task_arn: Option<String>,
    /// Keys of the session tags that sessions made from this one inherit.
    pub transitive_tag_keys: BTreeSet<String>,
}

/// Who is calling, with what policies may ask about the request itself.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Whose credentials signed the request.
    pub principal: Arc<Principal>,
    /// The policies that apply to it.
    pub permissions: Arc<Permissions>,
    /// The session.
    pub session: Arc<SessionFacts>,
    /// The access key id that signed the request; empty when nothing was signed.
    pub access_key_id: Arc<str>,
    /// The request's identifier, a UUID, as the caller will see it.
    pub request_id: Arc<str>,
    /// The address the request came from.
    pub source_ip: IpAddr,
    /// The endpoint of ours that the request came through (`aws:SourceVpce`): `vpce-task-link`
    /// for the tasks' link, none otherwise.
    pub source_vpce: Option<&'static str>,
    /// The `user-agent` header, when it is text.
    pub user_agent: Option<String>,
    /// Whether the request came over TLS; `aws:SecureTransport`.
    pub secure_transport: bool,
    /// When the request came; `aws:CurrentTime`.
    pub time: Timestamp,
    /// The region that the signature names; `aws:RequestedRegion`.
    pub region: Region,
}

impl Caller {
    /// The root of `account` at `time`, from this machine over plain HTTP: what a program that calls
    /// the operations itself, and tests, start from.
    pub fn root(account: AccountId, region: Region, time: Timestamp) -> Self {
        Self {
            principal: Arc::new(Principal::root(account)),
            permissions: Arc::new(Permissions::default()),
            session: Arc::new(SessionFacts::default()),
            access_key_id: "".into(),
            request_id: "00000000-0000-0000-0000-000000000000".into(),
            source_ip: IpAddr::V4(std::net::Ipv4Addr::LOCALHOST),
            source_vpce: None,
            user_agent: None,
            secure_transport: false,
            time,
            region,
        }
    }
}
