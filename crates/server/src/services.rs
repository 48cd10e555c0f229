//! The AWS services that are served.

use std::sync::Arc;

use base::{Clock, IdSource, Scope};
use logstore::LogStore;
use operation::Service;
use service_ecs::{EcsContext, EcsService, Placements, Registrations};
use service_logs::{LogsContext, LogsService};
use service_sts::StsService;
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
    let Shared { state, logs, clock, ids, scope, guard_mode } = shared;
    let logs = LogsContext { store: logs.as_ref().clone(), scope: scope.clone() };
    let registrations = Registrations::default();
    let placements = Placements::default();
    let ecs = EcsContext { state, clock, ids, scope, guard_mode, registrations, placements };
    vec![
        Arc::new(EcsService::new(ecs)),
        Arc::new(LogsService::new(logs)),
        Arc::new(StsService::new(())),
    ]
}
