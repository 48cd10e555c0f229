//! What the operations work on.

use std::sync::Arc;

use base::{Clock, IdSource, Scope, Timestamp};
use state::{Change, State, StateError, View};
use wire::ApiError;

/// How often a change is tried again when others changed the same records meanwhile.
const MAX_ATTEMPTS: usize = 20;

/// State, time, identifiers and the account that may found the organisation.
#[derive(Debug, Clone)]
pub struct OrganizationsContext {
    /// The control plane's state.
    pub state: Arc<State>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Identifiers.
    pub ids: Arc<dyn IdSource>,
    /// The server's own account: the only one that can become the management account.
    pub scope: Scope,
}

impl OrganizationsContext {
    /// The time.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// `length` characters of `a-z0-9`.
    pub(crate) fn name(&self, length: usize) -> String {
        const ALPHABET: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
        let one = |_| {
            let index = usize::try_from(self.ids.next_u64() % 36).unwrap_or_default();
            char::from(ALPHABET.get(index).copied().unwrap_or(b'a'))
        };
        (0..length).map(one).collect()
    }

    /// Builds a change on the newest state and commits it; builds it anew when somebody was
    /// faster, at most 20 times. What `build` returns is the answer once its change is durable.
    ///
    /// # Errors
    ///
    /// What `build` refuses; `ServiceException` when the store does not take the change.
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

/// What a caller is told when the store does not take a change; the cause is in the log.
fn not_committed() -> ApiError {
    api_organizations::errors::service_exception(
        "The organization could not be changed now. Look before you try again.",
    )
}
