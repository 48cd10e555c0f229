//! The AWS services that are served.

use std::sync::Arc;

use audit::AuditLog;
use base::{Clock, IdSource, Scope};
use identity::Usage;
use logstore::LogStore;
use operation::Service;
use service_cloudtrail::{CloudTrailContext, CloudTrailService, Deliveries};
use service_ecs::{EcsContext, EcsService, Placements, Registrations};
use service_iam::{CredentialReports, IamContext, IamService, Memory};
use service_logs::{LogsContext, LogsService};
use service_organizations::{OrganizationsContext, OrganizationsService};
use service_portcullis::{PortcullisContext, PortcullisService};
use service_sts::{MfaAttempts, ProviderKeys, StsContext, StsService};
use state::State;

use crate::identities::Identities;
use crate::key_fetcher::HttpsKeyFetcher;

/// What the services work on.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) state: Arc<State>,
    pub(crate) logs: Arc<LogStore>,
    pub(crate) audit: AuditLog,
    pub(crate) deliveries: Arc<Deliveries>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Arc<dyn IdSource>,
    pub(crate) identities: Identities,
    pub(crate) usage: Arc<dyn Usage>,
    pub(crate) scope: Scope,
    pub(crate) guard_mode: guard::Mode,
    pub(crate) node_authority_digest: Option<String>,
}

/// Every service, one per API.
pub(crate) fn services(shared: Shared) -> Vec<Arc<dyn Service>> {
    let organizations = organizations(&shared);
    let Shared {
        state,
        logs,
        audit,
        deliveries,
        clock,
        ids,
        identities,
        usage,
        scope,
        guard_mode,
        node_authority_digest,
    } = shared;
    let logs = LogsContext { store: logs.as_ref().clone(), scope: scope.clone() };
    let iam = IamContext {
        state: Arc::clone(&state),
        clock: Arc::clone(&clock),
        ids: Arc::clone(&ids),
        vault: Arc::clone(&identities.vault),
        policies: Arc::clone(&identities.policies),
        usage: Arc::clone(&usage),
        region: scope.region.clone(),
        root_key: Some(identities.root_key),
        reports: CredentialReports::default(),
        memory: Memory::default(),
    };
    let fetcher = Arc::new(HttpsKeyFetcher::default());
    let sts = StsContext {
        state: Arc::clone(&state),
        directory: identities.directory,
        sessions: identities.sessions,
        vault: identities.vault,
        clock: Arc::clone(&clock),
        mfa_attempts: MfaAttempts::default(),
        scope: scope.clone(),
        provider_keys: ProviderKeys::new(fetcher, Arc::clone(&clock)),
    };
    let portcullis = PortcullisContext {
        state: Arc::clone(&state),
        clock: Arc::clone(&clock),
        ids: Arc::clone(&ids),
        scope: scope.clone(),
        policies: identities.policies,
        usage,
        node_authority_digest,
    };
    let cloudtrail = CloudTrailContext {
        state: Arc::clone(&state),
        audit,
        deliveries,
        clock: Arc::clone(&clock),
        scope: scope.clone(),
    };
    let registrations = Registrations::default();
    let placements = Placements::default();
    let ecs = EcsContext { state, clock, ids, scope, guard_mode, registrations, placements };
    vec![
        Arc::new(CloudTrailService::new(cloudtrail)),
        Arc::new(EcsService::new(ecs)),
        Arc::new(IamService::new(iam)),
        Arc::new(LogsService::new(logs)),
        Arc::new(OrganizationsService::new(organizations)),
        Arc::new(PortcullisService::new(portcullis)),
        Arc::new(StsService::new(sts)),
    ]
}

fn organizations(shared: &Shared) -> OrganizationsContext {
    OrganizationsContext {
        state: Arc::clone(&shared.state),
        clock: Arc::clone(&shared.clock),
        ids: Arc::clone(&shared.ids),
        scope: shared.scope.clone(),
    }
}
