//! What the operations work on.

use std::sync::Arc;

use base::{Clock, IdSource, Scope};
use identity::{Policies, Usage};
use state::{Change, State, StateError, View};
use wire::ApiError;

use crate::error::unavailable;

/// How often a change is tried again when others changed the same records meanwhile.
const MAX_ATTEMPTS: usize = 20;

/// State, time, identifiers and the account's scope.
#[derive(Debug, Clone)]
pub struct PortcullisContext {
    /// The control plane's state.
    pub state: Arc<State>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Identifiers and secrets: fit for secrets.
    pub ids: Arc<dyn IdSource>,
    /// Account and region.
    pub scope: Scope,
    /// The policies that apply to whom.
    pub policies: Arc<Policies>,
    /// What was used, as the audit trail tells.
    pub usage: Arc<dyn Usage>,
    /// SHA-256 of the public key of the authority that nodes trust, 64 hexadecimal digits; `None`
    /// when this control plane takes no nodes.
    pub node_authority_digest: Option<String>,
}

impl PortcullisContext {
    /// Builds a change on the newest state and commits it; builds it anew when somebody was faster,
    /// at most 20 times. What `build` returns is the answer once its change is durable.
    ///
    /// # Errors
    /// What `build` refuses; `ServiceUnavailableException` when the store does not take the change.
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
                    return Err(unavailable());
                }
            }
        }
        tracing::warn!(attempts = MAX_ATTEMPTS, "change given up: the records changed each time");
        Err(unavailable())
    }
}
