//! Placements, one after the other.
//!
//! Every placement on an instance takes the instance's fence, so that concurrent ones would
//! conflict and be decided anew, over and over. Instead they wait here, in the order in which they
//! came: there are never more than the gateway has requests under way.

use std::sync::Arc;

use state::{Change, View};
use tokio::sync::Mutex;
use wire::ApiError;

use crate::EcsContext;

/// The queue of placements. Clones are the same queue.
#[derive(Debug, Clone, Default)]
pub struct Placements(Arc<Mutex<()>>);

impl EcsContext {
    /// As [`EcsContext::commit`], for changes that place tasks.
    ///
    /// # Errors
    ///
    /// Those of [`EcsContext::commit`].
    pub(crate) async fn commit_placement<T>(
        &self,
        build: impl Fn(&View, &mut Change) -> Result<T, ApiError>,
    ) -> Result<T, ApiError> {
        let _turn = self.placements.0.lock().await;
        self.commit(build).await
    }
}
