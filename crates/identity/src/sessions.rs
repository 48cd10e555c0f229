//! Temporary credentials that nobody keeps: all that is to be known of a session is sealed in its token.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use base::{AccountId, Clock, IdSource, Timestamp};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use iam::Sealed;
use serde::{Deserialize, Serialize};
use sigv4::SecretKey;
use zeroize::Zeroizing;

use crate::keys::{KeyKind, new_access_key};
use crate::{Refusal, Vault};

/// How long a session token may be, in bytes.
pub const MAX_TOKEN_BYTES: usize = 8 * 1024;

/// What session tokens begin with: how the rest is to be read.
const TOKEN_PREFIX: &str = "pc1.";

/// Whose session it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum SessionPrincipal {
    /// Somebody took on a role.
    Role {
        /// `AROA…`: the session ends when there is no role of this id any more.
        id: String,
        /// The role's name.
        name: String,
        /// The session's name.
        session_name: String,
    },
    /// A user (`GetSessionToken`).
    User {
        /// `AIDA…`: the session ends when there is no user of this id any more.
        id: String,
        /// The user's name.
        name: String,
    },
    /// The root of the account (`GetSessionToken`).
    Root,
}

/// Which of the two roles of a task a session is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum TaskPurpose {
    /// The role that its containers act with.
    TaskRole,
    /// The role that the platform starts it with; no container ever holds it.
    ExecutionRole,
}

/// The task that a session is bound to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskBinding {
    /// 32 hexadecimal digits.
    pub task_id: String,
    /// Its ARN.
    pub task_arn: String,
    /// The name of its cluster.
    pub cluster: String,
    /// Which of its roles.
    pub purpose: TaskPurpose,
}

/// What a session is to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionSpec {
    /// Whose it is.
    pub principal: SessionPrincipal,
    /// The account of the role, user or root.
    pub account: AccountId,
    /// The session policy that was passed inline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// ARNs of the managed policies that were passed as session policies.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policy_arns: Vec<String>,
    /// Session tags.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// Keys of the session tags that sessions made from this one inherit.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub transitive_tag_keys: BTreeSet<String>,
    /// `aws:SourceIdentity`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_identity: Option<String>,
    /// When the holder proved a second factor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mfa_at: Option<Timestamp>,
    /// The ARN of the identity provider that vouched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub federated_provider: Option<String>,
    /// The task that it is bound to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskBinding>,
}

impl SessionSpec {
    /// A session of `principal` with nothing special about it.
    pub const fn new(account: AccountId, principal: SessionPrincipal) -> Self {
        Self {
            principal,
            account,
            policy: None,
            policy_arns: Vec::new(),
            tags: BTreeMap::new(),
            transitive_tag_keys: BTreeSet::new(),
            source_identity: None,
            mfa_at: None,
            federated_provider: None,
            task: None,
        }
    }

    /// A session of `role`.
    pub fn of_role(role: &iam::Role, session_name: &str) -> Self {
        let principal = SessionPrincipal::Role {
            id: role.id.clone(),
            name: role.name.clone(),
            session_name: session_name.to_owned(),
        };
        Self::new(role.account.clone(), principal)
    }
}

/// A session, as its token tells.
#[derive(Debug, Clone)]
pub struct Session {
    /// `ASIA…`.
    pub access_key_id: String,
    /// What its requests are signed with.
    pub secret: SecretKey,
    /// When it was made.
    pub issued_at: Timestamp,
    /// From when it is worth nothing.
    pub expires_at: Timestamp,
    /// What it is.
    pub spec: SessionSpec,
}

/// Temporary credentials, for their holder only.
#[derive(Clone)]
pub struct IssuedCredentials {
    /// `ASIA…`.
    pub access_key_id: String,
    /// The secret.
    pub secret: SecretKey,
    /// The token, at most [`MAX_TOKEN_BYTES`].
    pub session_token: String,
    /// From when they are worth nothing.
    pub expires_at: Timestamp,
    /// How much of the room for policies and tags in the token is used, in percent; at least 1.
    pub packed_size_percent: u8,
}

impl fmt::Debug for IssuedCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IssuedCredentials")
            .field("access_key_id", &self.access_key_id)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// Why a session is not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IssueError {
    /// Its policies and tags do not fit.
    #[error(
        "the session token would be {bytes} bytes long, and at most {MAX_TOKEN_BYTES} are \
         allowed: pass smaller policies or fewer tags"
    )]
    TooLarge {
        /// How long it would be.
        bytes: usize,
    },
    /// It cannot be sealed.
    #[error("the session token cannot be sealed")]
    Seal,
}

/// What is sealed in a token.
#[derive(Serialize, Deserialize)]
struct Token<'a> {
    secret: &'a str,
    issued_at: Timestamp,
    expires_at: Timestamp,
    spec: SessionSpec,
}

/// Makes sessions and reads their tokens.
#[derive(Debug)]
pub struct Sessions {
    vault: Arc<Vault>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdSource>,
}

impl Sessions {
    /// Sessions whose tokens are sealed with `vault`.
    pub fn new(vault: Arc<Vault>, clock: Arc<dyn Clock>, ids: Arc<dyn IdSource>) -> Self {
        Self { vault, clock, ids }
    }

    /// Credentials of a new session that lasts for `lifetime` (whole seconds count). Whether somebody may
    /// have it was decided before.
    ///
    /// # Errors
    /// [`IssueError::TooLarge`] when policies and tags do not fit into a token.
    pub fn issue(
        &self,
        spec: SessionSpec,
        lifetime: Duration,
    ) -> Result<IssuedCredentials, IssueError> {
        let seconds = i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX);
        let issued_at = self.clock.now();
        // Expiry is told in whole seconds, and must be what was told.
        let end_ms = issued_at.plus_seconds(seconds).as_epoch_ms();
        let expires_at = Timestamp::from_epoch_ms(end_ms - end_ms.rem_euclid(1000));
        let ids = self.ids.as_ref();
        let (access_key_id, secret) = new_access_key(ids, KeyKind::Temporary, &spec.account);
        let token = Token { secret: secret.expose(), issued_at, expires_at, spec };
        let plain = Zeroizing::new(serde_json::to_vec(&token).map_err(|_| IssueError::Seal)?);
        let sealed = self.vault.seal(&purpose(&access_key_id), &plain, ids);
        let sealed = sealed.map_err(|_| IssueError::Seal)?;
        let session_token = format!("{TOKEN_PREFIX}{}", URL_SAFE_NO_PAD.encode(&sealed.0));
        let bytes = session_token.len();
        if bytes > MAX_TOKEN_BYTES {
            return Err(IssueError::TooLarge { bytes });
        }
        let percent = (bytes * 100).div_ceil(MAX_TOKEN_BYTES);
        let packed_size_percent = u8::try_from(percent).unwrap_or(100).max(1);
        Ok(IssuedCredentials {
            access_key_id,
            secret,
            session_token,
            expires_at,
            packed_size_percent,
        })
    }

    /// The session of a token.
    ///
    /// # Errors
    /// [`Refusal::Unknown`] when the token is not one of ours or belongs to another access key,
    /// [`Refusal::Expired`] when it ran out before `now`.
    pub fn open(
        &self,
        access_key_id: &str,
        token: &str,
        now: Timestamp,
    ) -> Result<Session, Refusal> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(Refusal::Unknown);
        }
        let encoded = token.strip_prefix(TOKEN_PREFIX).ok_or(Refusal::Unknown)?;
        let sealed = URL_SAFE_NO_PAD.decode(encoded).map_err(|_| Refusal::Unknown)?;
        let plain = self.vault.open(&purpose(access_key_id), &Sealed(sealed));
        let plain = plain.map_err(|_| Refusal::Unknown)?;
        let Token { secret, issued_at, expires_at, spec } =
            serde_json::from_slice(&plain).map_err(|_| Refusal::Unknown)?;
        if now >= expires_at {
            return Err(Refusal::Expired);
        }
        let secret = SecretKey::new(secret.to_owned());
        Ok(Session { access_key_id: access_key_id.to_owned(), secret, issued_at, expires_at, spec })
    }
}

fn purpose(access_key_id: &str) -> String {
    format!("session/{access_key_id}")
}

#[cfg(test)]
mod tests {
    use base::{ManualClock, SeededIds};

    use super::*;
    use crate::VaultKey;

    fn sessions(clock: &Arc<ManualClock>, seed: u64) -> Sessions {
        let ids = Arc::new(SeededIds::new(seed));
        let vault = Arc::new(Vault::new(&VaultKey::generate(ids.as_ref())).unwrap());
        Sessions::new(vault, Arc::<ManualClock>::clone(clock), ids)
    }

    fn spec() -> SessionSpec {
        let principal = SessionPrincipal::User { id: "AIDAX".to_owned(), name: "ann".to_owned() };
        let mut spec = SessionSpec::new("123456789012".parse().unwrap(), principal);
        spec.tags.insert("team".to_owned(), "blue".to_owned());
        spec
    }

    #[test]
    fn a_token_tells_all_of_its_session_until_it_expires() {
        let clock = Arc::new(ManualClock::new(Timestamp::from_epoch_ms(1_000_500)));
        let sessions = sessions(&clock, 1);
        let issued = sessions.issue(spec(), Duration::from_secs(900)).unwrap();
        assert_eq!(issued.expires_at, Timestamp::from_epoch_ms(1_900_000));
        assert!(!issued.session_token.contains(issued.secret.expose()));
        let open = |id: &str, token: &str, now_ms| {
            sessions.open(id, token, Timestamp::from_epoch_ms(now_ms))
        };
        let session = open(&issued.access_key_id, &issued.session_token, 1_899_999).unwrap();
        assert_eq!(session.spec, spec());
        assert!(session.secret.is(issued.secret.expose()));
        assert_eq!(session.issued_at, clock.now());
        let late = open(&issued.access_key_id, &issued.session_token, 1_900_000);
        assert_eq!(late.unwrap_err(), Refusal::Expired);
    }

    #[test]
    fn a_token_that_is_not_exactly_as_issued_is_unknown() {
        let clock = Arc::new(ManualClock::default());
        let sessions = sessions(&clock, 1);
        let issued = sessions.issue(spec(), Duration::from_secs(900)).unwrap();
        let (id, token) = (issued.access_key_id.as_str(), issued.session_token.as_str());
        let other = sessions.issue(spec(), Duration::from_secs(900)).unwrap();
        let middle = token.len() / 2;
        let changed: String = token
            .char_indices()
            .map(|(at, char)| match (at == middle, char) {
                (true, 'A') => 'B',
                (true, _) => 'A',
                (false, char) => char,
            })
            .collect();
        for (id, token) in [
            (id, other.session_token.as_str()),
            (other.access_key_id.as_str(), token),
            (id, changed.as_str()),
            (id, token.strip_prefix("pc1.").unwrap()),
            (id, ""),
            (id, "pc1."),
            (id, &format!("{token}A")),
            (id, &"pc1.A".repeat(MAX_TOKEN_BYTES)),
        ] {
            assert_eq!(sessions.open(id, token, clock.now()).unwrap_err(), Refusal::Unknown);
        }
        let stranger = self::sessions(&clock, 2);
        assert_eq!(stranger.open(id, token, clock.now()).unwrap_err(), Refusal::Unknown);
    }

    #[test]
    fn a_token_has_a_longest_length() {
        let sessions = sessions(&Arc::new(ManualClock::default()), 1);
        let mut spec = spec();
        spec.policy = Some("x".repeat(MAX_TOKEN_BYTES));
        let error = sessions.issue(spec, Duration::from_secs(900)).unwrap_err();
        assert!(matches!(error, IssueError::TooLarge { bytes } if bytes > MAX_TOKEN_BYTES));
    }
}
