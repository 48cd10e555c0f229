//! The AWS services that are served.

use std::sync::Arc;

use base::{Clock, IdSource, Scope};
use logstore::LogStore;
use operation::Service;
use service_ecs::{EcsContext, EcsService};
use state::State;

/// What the services work on.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) state: Arc<State>,
    pub(crate) logs: Arc<LogStore>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Arc<dyn IdSource>,
    pub(crate) scope: Scope,
    pub(crate) guard_mode: guard::Mode,
}

/// Every service, one per API.
pub(crate) fn services(shared: Shared) -> Vec<Arc<dyn Service>> {
    let Shared { state, logs: _, clock, ids, scope, guard_mode } = shared;
    let ecs = EcsService::new(EcsContext { state, clock, ids, scope, guard_mode });
    vec![Arc::new(ecs)]
}
