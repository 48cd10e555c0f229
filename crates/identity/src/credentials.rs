//! Where access keys are found.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use base::Timestamp;
use policy::{Permissions, Principal, SessionFacts};
use sigv4::SecretKey;

/// An access key's secret, its owner, and what applies to the owner.
#[derive(Debug, Clone)]
pub struct Credential {
    /// The secret that requests are signed with.
    pub secret: SecretKey,
    /// Whose it is.
    pub principal: Arc<Principal>,
    /// The policies that apply to the owner.
    pub permissions: Arc<Permissions>,
    /// The session, for temporary credentials.
    pub session: Arc<SessionFacts>,
}

/// Which of our doors a request came through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Door {
    /// The endpoint for clients.
    Endpoint,
    /// The link-local address that tasks reach; the peer's address is a task's own. Machines may give
    /// their tasks the same addresses: only both together name a task.
    TaskLink {
        /// The id of the container instance whose tasks come through it.
        container_instance: Arc<str>,
    },
}

/// What a request claims, before its signature is verified.
#[derive(Debug, Clone, Copy)]
pub struct Claim<'a> {
    /// The access key id.
    pub access_key_id: &'a str,
    /// The session token, when one came along.
    pub session_token: Option<&'a str>,
    /// The address the request came from.
    pub source_ip: IpAddr,
    /// The door it came through.
    pub door: &'a Door,
    /// When it came.
    pub now: Timestamp,
}

/// Why a claim is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no such access key, it is inactive, or the token does not belong to it. Which of
    /// these is nobody's business.
    #[error("the security token included in the request is invalid")]
    Unknown,
    /// The temporary credentials ran out.
    #[error("the security token included in the request is expired")]
    Expired,
    /// The credentials of a task came from elsewhere than the task.
    #[error("the credentials are bound to a task and may be used only from within it")]
    BoundElsewhere {
        /// Whose they are, for the record.
        principal: Arc<Principal>,
        /// The task they are bound to.
        task_arn: String,
    },
}

/// Where access keys are found.
pub trait Credentials: Send + Sync {
    /// The credential that the claim is about, with everything checked but the signature.
    ///
    /// # Errors
    /// Why the claim is not believed.
    fn find(&self, claim: &Claim<'_>) -> Result<Arc<Credential>, Refusal>;
}

/// The one access key of the account's root.
pub struct RootCredentials {
    access_key_id: String,
    credential: Arc<Credential>,
}

impl RootCredentials {
    /// The root's key.
    pub fn new(access_key_id: String, secret: SecretKey, principal: Principal) -> Self {
        let credential = Arc::new(Credential {
            secret,
            principal: Arc::new(principal),
            permissions: Arc::default(),
            session: Arc::default(),
        });
        Self { access_key_id, credential }
    }
}

impl Credentials for RootCredentials {
    fn find(&self, claim: &Claim<'_>) -> Result<Arc<Credential>, Refusal> {
        let fits = claim.access_key_id == self.access_key_id && claim.session_token.is_none();
        if fits { Ok(Arc::clone(&self.credential)) } else { Err(Refusal::Unknown) }
    }
}

impl fmt::Debug for RootCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RootCredentials")
            .field("access_key_id", &self.access_key_id)
            .finish_non_exhaustive()
    }
}
