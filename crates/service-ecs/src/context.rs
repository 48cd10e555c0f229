//! What the operations work on.

use std::sync::Arc;

use base::{AccountId, Clock, IdSource, Scope, Timestamp};
use state::{Change, State, StateError, View};
use wire::ApiError;

use crate::error::server_exception;
use crate::placements::Placements;
use crate::registrations::Registrations;

/// How often a change is tried again when others changed the same records meanwhile.
const MAX_ATTEMPTS: usize = 20;

/// State, time, identifiers and the account's scope.
#[derive(Debug, Clone)]
pub struct EcsContext {
    /// The control plane's state.
    pub state: Arc<State>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Identifiers.
    pub ids: Arc<dyn IdSource>,
    /// Account and region.
    pub scope: Scope,
    /// What becomes of findings.
    pub guard_mode: guard::Mode,
    /// Registrations of task definitions under way; `Registrations::default()`.
    pub registrations: Registrations,
    /// Placements under way; `Placements::default()`.
    pub placements: Placements,
}

impl EcsContext {
    /// The account that everything is of.
    pub(crate) const fn account(&self) -> &AccountId {
        &self.scope.account
    }

    /// The time.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Builds a change on the newest state and commits it; builds it anew when somebody was
    /// faster, at most 20 times. What `build` returns is the answer once its change is durable.
    ///
    /// # Errors
    ///
    /// What `build` refuses; `ServerException` when the store does not take the change.
    pub(crate) async fn commit<T>(
        &self,
        build: impl Fn(&View, &mut Change) -> Result<T, ApiError>,
    ) -> Result<T, ApiError> {
        for _ in 0..MAX_ATTEMPTS {
            let mut change = Change::new();
            let answer = build(&self.state.view(), &mut change)?;
            crash_point::crash_point!("api.commit.wanted");
            match self.state.commit(change).await {
                Ok(_) => {
                    crash_point::crash_point!("api.commit.made");
                    return Ok(answer);
                }
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
    server_exception(
        "The state could not be changed now. What was done is what a describe call shows; try again.",
    )
}
