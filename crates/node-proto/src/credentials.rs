//! What nodes and the control plane say about the credentials of tasks.

use std::fmt;

use base::Timestamp;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// Which role of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Purpose {
    /// `taskRoleArn`: the containers act with it.
    TaskRole,
    /// `executionRoleArn`: the agent acts with it, for this task only.
    ExecutionRole,
}

/// Asks for credentials.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CredentialRequest {
    /// The node that asks. Whoever carries this over a network vouches for it.
    pub instance_id: String,
    /// The task.
    pub task_id: String,
    /// Which of its roles.
    pub purpose: Purpose,
}

/// A secret on its way to a node: no `Debug`, wiped when dropped.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Wraps it.
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The secret, for the one place that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl From<Secret> for String {
    fn from(secret: Secret) -> Self {
        secret.expose().to_owned()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// Temporary credentials of a role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleCredentials {
    /// The role.
    pub role_arn: String,
    /// `ASIA…`.
    pub access_key_id: String,
    /// The secret.
    pub secret_access_key: Secret,
    /// The session token.
    pub session_token: Secret,
    /// When they were made.
    pub issued_at: Timestamp,
    /// From when they are worth nothing.
    pub expires_at: Timestamp,
}

/// Why there are no credentials.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum CredentialError {
    /// The task is not on this node, has stopped, or has no such role.
    #[error("the control plane refused credentials: {reason}")]
    Refused {
        /// What is wrong.
        reason: String,
    },
    /// There is no such role, or it does not trust the service. In the words of ECS.
    #[error(
        "ECS was unable to assume the role '{role_arn}' that was provided for this task. Please \
         verify that the role being passed has the proper trust relationship and permissions and \
         that your IAM user has permissions to pass this role: {reason}"
    )]
    NotAssumable {
        /// The role.
        role_arn: String,
        /// What is wrong and what to do.
        reason: String,
    },
    /// The control plane cannot be reached or cannot answer now; ask again.
    #[error("the control plane gave no credentials: {reason}; it is asked again")]
    Unavailable {
        /// What happened.
        reason: String,
    },
}

/// Why somebody who asked the tasks' endpoint was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum RefusalReason {
    /// Credentials without the authorization token: what a forged request of a server looks like.
    NoToken,
    /// Credentials with another token.
    WrongToken,
    /// Credentials, or metadata, of another task.
    ForeignTask,
    /// Another `Host`, or none, or two: DNS rebinding.
    WrongHost,
    /// The request had come through a proxy (`X-Forwarded-For`).
    Forwarded,
    /// Another method than the endpoint has.
    WrongMethod,
}

impl RefusalReason {
    /// For records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoToken => "no authorization token",
            Self::WrongToken => "wrong authorization token",
            Self::ForeignTask => "credentials or metadata of another task",
            Self::WrongHost => "wrong Host header",
            Self::Forwarded => "X-Forwarded-For header",
            Self::WrongMethod => "wrong method",
        }
    }
}

/// Refused attempts of one task for one reason, since the last message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedAttempt {
    /// The task that asked.
    pub task_id: String,
    /// Its address.
    pub source_ip: std::net::Ipv4Addr,
    /// Why it was refused.
    pub reason: RefusalReason,
    /// How often.
    pub count: u64,
    /// The first time.
    pub first_at: Timestamp,
    /// The last time.
    pub last_at: Timestamp,
}

/// What a node tells of refused attempts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedAttempts {
    /// The node. Whoever carries this over a network vouches for it.
    pub instance_id: String,
    /// At most 128.
    pub attempts: Vec<RefusedAttempt>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_cross_the_link_and_stay_out_of_logs() {
        let credentials = RoleCredentials {
            role_arn: "arn:aws:iam::123456789012:role/app".to_owned(),
            access_key_id: "ASIAX".to_owned(),
            secret_access_key: Secret::new("key-text".to_owned()),
            session_token: Secret::new("token-text".to_owned()),
            issued_at: Timestamp::from_epoch_ms(1),
            expires_at: Timestamp::from_epoch_ms(2),
        };
        let text = serde_json::to_string(&credentials).unwrap();
        assert_eq!(serde_json::from_str::<RoleCredentials>(&text).unwrap(), credentials);
        let shown = format!("{credentials:?}");
        assert!(!shown.contains("key-text") && !shown.contains("token-text"), "{shown}");
    }
}
