//! What the operations work on.

use std::sync::Arc;

use base::{AccountId, Clock, IdSource, Region, Timestamp};
use identity::{Policies, Usage, Vault};
use state::{Change, Record, Row, State, StateError, View};
use store::CommitError;
use wire::ApiError;

use crate::credential_report::CredentialReports;
use crate::error::limit_exceeded;
use crate::memory::Memory;

/// How often a change is tried again when others changed the same records meanwhile.
const MAX_ATTEMPTS: usize = 20;

/// State, time, identifiers, secrets and what the audit trail knows.
#[derive(Debug, Clone)]
pub struct IamContext {
    /// The control plane's state.
    pub state: Arc<State>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Identifiers and secrets.
    pub ids: Arc<dyn IdSource>,
    /// What seals secrets.
    pub vault: Arc<Vault>,
    /// Which policies apply to whom.
    pub policies: Arc<Policies>,
    /// When what was last used.
    pub usage: Arc<dyn Usage>,
    /// The server's region.
    pub region: Region,
    /// The key of the root of the server's own account, which its configuration has.
    pub root_key: Option<RootKey>,
    /// Credential reports; `CredentialReports::default()`.
    pub reports: CredentialReports,
    /// Answers that callers come back for; `Memory::default()`.
    pub memory: Memory,
}

/// The access key of an account's root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootKey {
    /// The account.
    pub account: AccountId,
    /// The key's id; the secret is nobody's business here.
    pub access_key_id: String,
}

impl IamContext {
    /// The time, in whole seconds: IAM tells no finer.
    pub(crate) fn now(&self) -> Timestamp {
        let now = self.clock.now().as_epoch_ms();
        Timestamp::from_epoch_ms(now - now.rem_euclid(1000))
    }

    /// The id of the access key of the root of `account`, when it has one.
    pub(crate) fn root_key_of(&self, account: &AccountId) -> Option<&str> {
        let key = self.root_key.as_ref().filter(|key| key.account == *account)?;
        Some(&key.access_key_id)
    }

    /// Builds a change on the newest state and commits it; builds it anew when somebody was
    /// faster, at most 20 times. What `build` returns is the answer once its change is durable.
    ///
    /// # Errors
    ///
    /// What `build` refuses; `LimitExceeded` for a record that the store cannot hold;
    /// `ServiceFailure` when it does not take the change.
    pub(crate) async fn commit<T>(
        &self,
        build: impl Fn(&View, &mut Change) -> Result<T, ApiError>,
    ) -> Result<T, ApiError> {
        for _ in 0..MAX_ATTEMPTS {
            let mut change = Change::new();
            let answer = build(&self.state.view(), &mut change)?;
            match self.state.commit(change).await {
                Ok(_) => return Ok(answer),
                Err(StateError::Conflict { .. }) => {}
                Err(StateError::Commit(CommitError::TooLarge { .. })) => return Err(too_large()),
                Err(error) => {
                    tracing::error!(error = &error as &dyn std::error::Error, "change not made");
                    return Err(not_committed());
                }
            }
        }
        tracing::warn!(attempts = MAX_ATTEMPTS, "change given up: the records changed each time");
        Err(not_committed())
    }
}

/// Writes a record as it is: who looked at what refers to it, and decided on that, has to look again.
/// Whoever makes something refer to a record touches it; whoever deletes a record that nothing may refer
/// to is thereby safe.
pub(crate) fn touch<T: Record>(change: &mut Change, row: &Row<T>) {
    change.update(row, row.value.as_ref());
}

/// The limits on documents do not count white space; the store does.
fn too_large() -> ApiError {
    limit_exceeded(
        "The entity with all its policies and tags would be larger than the server keeps: write policy documents without white space.",
    )
}

/// What a caller is told when the store does not take a change; the cause is in the log.
fn not_committed() -> ApiError {
    api_iam::errors::service_failure_exception(
        "The request processing has failed because the state could not be changed now. Look before you try again.",
    )
}
