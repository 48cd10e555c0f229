//! What the operations work on.

use std::sync::Arc;

use audit::AuditLog;
use base::{AccountId, Clock, Scope};
use iam::Trail;
use state::{Change, Row, State, StateError};
use wire::ApiError;

use crate::deliveries::Deliveries;
use crate::error::{trail_not_found, unavailable};

/// How often a change is tried again when others changed the same records meanwhile.
const MAX_ATTEMPTS: usize = 20;

/// State, audit log, time and the account's scope.
#[derive(Debug, Clone)]
pub struct CloudTrailContext {
    /// The control plane's state, which has the trails.
    pub state: Arc<State>,
    /// The audit log.
    pub audit: AuditLog,
    /// What became of copies.
    pub deliveries: Arc<Deliveries>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The server's own account and region.
    pub scope: Scope,
}

impl CloudTrailContext {
    /// The ARN of the trail of `account` called `name`.
    pub(crate) fn arn(&self, account: &AccountId, name: &str) -> String {
        format!("arn:aws:cloudtrail:{}:{account}:trail/{name}", self.scope.region)
    }

    /// The trail of `account` called `name`.
    pub(crate) fn trail(&self, account: &AccountId, name: &str) -> Result<Row<Trail>, ApiError> {
        let row = self.state.view().identities().trail(&iam::key(account, name)).cloned();
        row.ok_or_else(|| trail_not_found(account, name))
    }

    /// The trails of `account`, by name.
    pub(crate) fn trails(&self, account: &AccountId) -> Vec<Row<Trail>> {
        let view = self.state.view();
        let trails = view.identities().trails();
        trails.filter(|row| row.value.account == *account).cloned().collect()
    }

    /// Builds a change on the newest state and commits it; builds it anew when somebody was faster.
    pub(crate) async fn commit<T>(
        &self,
        build: impl Fn(&mut Change) -> Result<T, ApiError>,
    ) -> Result<T, ApiError> {
        for _ in 0..MAX_ATTEMPTS {
            let mut change = Change::new();
            let answer = build(&mut change)?;
            match self.state.commit(change).await {
                Ok(_) => return Ok(answer),
                Err(StateError::Conflict { .. }) => {}
                Err(error) => {
                    tracing::error!(error = &error as &dyn std::error::Error, "change not made");
                    return Err(unavailable());
                }
            }
        }
        Err(unavailable())
    }

    /// Changes the trail of `account` called `name`. Returns it as it is then.
    pub(crate) async fn update(
        &self,
        account: &AccountId,
        name: &str,
        apply: impl Fn(&mut Trail) -> Result<(), ApiError>,
    ) -> Result<Trail, ApiError> {
        self.commit(|change| {
            let row = self.trail(account, name)?;
            let mut trail = row.value.as_ref().clone();
            apply(&mut trail)?;
            change.update(&row, &trail);
            Ok(trail)
        })
        .await
    }
}
