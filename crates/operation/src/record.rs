//! What goes on record about a call, and who takes it.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use base::{Region, Timestamp};
use futures_util::future::BoxFuture;
use policy::{Caller, Decisions, Principal, SessionFacts};
use wire::{Api, ApiError, Recorded};

/// The longest request, and the longest answer, that a record holds, in bytes; longer ones are left
/// out, as CloudTrail does.
pub const MAX_ELEMENT_BYTES: usize = 100 * 1024;

/// An error, as a record holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorFacts {
    /// The code on the wire.
    pub code: Cow<'static, str>,
    /// What the caller was told.
    pub message: String,
}

impl From<&ApiError> for ErrorFacts {
    fn from(error: &ApiError) -> Self {
        Self { code: error.code.clone(), message: error.message.clone() }
    }
}

/// Who called, as far as it is known.
#[derive(Debug, Clone, Default)]
pub struct Who {
    /// Whose credentials they are; `None` when the claim was not believed.
    pub principal: Option<Arc<Principal>>,
    /// The session.
    pub session: Arc<SessionFacts>,
    /// The access key id that signed, or claims to have signed; empty without one.
    pub access_key_id: Arc<str>,
    /// The task that the credentials are bound to, when they were used outside of it.
    pub bound_elsewhere: Option<String>,
}

impl From<&Caller> for Who {
    fn from(caller: &Caller) -> Self {
        Self {
            principal: Some(Arc::clone(&caller.principal)),
            session: Arc::clone(&caller.session),
            access_key_id: Arc::clone(&caller.access_key_id),
            bound_elsewhere: None,
        }
    }
}

/// One call of one API, with its end.
#[derive(Debug, Clone)]
pub struct CallRecord {
    /// The service.
    pub api: &'static Api,
    /// The operation's name; `unknown` for one that the service does not have.
    pub operation: &'static str,
    /// Who called.
    pub who: Who,
    /// The request's identifier, as the caller saw it.
    pub request_id: Arc<str>,
    /// The address the request came from.
    pub source_ip: IpAddr,
    /// The endpoint of ours that it came through, when it was not that for clients.
    pub source_vpce: Option<&'static str>,
    /// The `user-agent` header, when it is text.
    pub user_agent: Option<String>,
    /// The `host` header, when it is text.
    pub host: Option<String>,
    /// Whether the request came over TLS.
    pub secure_transport: bool,
    /// When the request came.
    pub time: Timestamp,
    /// The region that answered.
    pub region: Region,
    /// What was asked for, without secrets.
    pub request: Recorded,
    /// What was answered, without secrets; of calls that change something only.
    pub elements: Recorded,
    /// What went wrong.
    pub error: Option<ErrorFacts>,
    /// What was decided.
    pub decisions: Decisions,
}

/// Why there is no record, and so no call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoRecord {
    /// Nothing was done: the call would have had no record.
    #[error("the audit log cannot take a record: {reason}")]
    Unavailable {
        /// What is wrong with the log.
        reason: String,
    },
    /// The record did not reach the disk.
    #[error("the audit log did not keep the record: {reason}")]
    Lost {
        /// What is wrong with the log.
        reason: String,
    },
}

/// Takes the records of calls.
pub trait Recorder: Send + Sync {
    /// Room for the record of a call that is about to be performed.
    ///
    /// # Errors
    /// [`NoRecord::Unavailable`]: do not perform the call.
    fn reserve(&self) -> Result<Box<dyn Slot>, NoRecord>;

    /// Records a call of somebody who could not be authenticated. There may be many of these: beyond
    /// a limit they are counted, and the count is recorded. The future is done when the record is
    /// on disk; it is recorded also when the future is dropped.
    ///
    /// # Errors
    /// [`NoRecord`].
    fn refused(&self, call: CallRecord) -> BoxFuture<'static, Result<(), NoRecord>>;
}

/// Room for one record.
pub trait Slot: Send {
    /// Records a call. The future is done when the record is as durable as the call needs: written
    /// for one that changes nothing, on disk for all others and for denials.
    ///
    /// # Errors
    /// [`NoRecord::Lost`].
    fn record(self: Box<Self>, call: CallRecord) -> BoxFuture<'static, Result<(), NoRecord>>;
}

/// Whether an operation changes nothing, by the verb of its name. What issues credentials counts as
/// reading in CloudTrail; see [`issues_credentials`].
pub fn is_read_only(operation: &str) -> bool {
    const VERBS: [&str; 8] =
        ["Describe", "Discover", "Filter", "Get", "List", "Lookup", "Poll", "Simulate"];
    VERBS.iter().any(|verb| operation.starts_with(verb)) || issues_credentials(operation)
}

/// Whether an operation answers with credentials: what it answers is recorded too, durably.
pub fn issues_credentials(operation: &str) -> bool {
    operation.starts_with("AssumeRole")
        || matches!(operation, "GetSessionToken" | "GetFederationToken")
}

/// Whether the record of an operation must be on disk before it is answered, and holds the answer.
pub fn is_weighty(operation: &str) -> bool {
    !is_read_only(operation) || issues_credentials(operation)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_something_or_issues_credentials_is_weighty() {
        let check = |operation: &str, expected: (bool, bool)| {
            let found = (is_read_only(operation), is_weighty(operation));
            assert_eq!(found, expected, "{operation}");
        };
        check("DescribeTasks", (true, false));
        check("GetCallerIdentity", (true, false));
        check("RunTask", (false, true));
        check("AssumeRoleWithWebIdentity", (true, true));
        check("GetSessionToken", (true, true));
        check("unknown", (false, true));
    }
}
