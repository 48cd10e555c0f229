//! What the operations work on.

use base::{AccountId, Scope};
use logstore::{LogError, LogStore};
use wire::ApiError;

use crate::error;

/// The log store and the account's scope.
#[derive(Debug, Clone)]
pub struct LogsContext {
    /// Groups, streams and events.
    pub store: LogStore,
    /// Account and region.
    pub scope: Scope,
}

impl LogsContext {
    /// The account that everything is of.
    pub(crate) const fn account(&self) -> &AccountId {
        &self.scope.account
    }

    /// Does `work` on the store, which may wait for the disk, on a thread where that is allowed.
    ///
    /// # Errors
    ///
    /// What the store refuses, in the words of the service.
    pub(crate) async fn with_store<T: Send + 'static>(
        &self,
        work: impl FnOnce(&LogStore) -> Result<T, LogError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let store = self.store.clone();
        match tokio::task::spawn_blocking(move || work(&store)).await {
            Ok(result) => result.map_err(|error| error::of_store(&error)),
            Err(failure) => {
                tracing::error!(%failure, "a log operation did not finish");
                Err(error::unavailable())
            }
        }
    }
}
