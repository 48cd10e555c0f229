//! Service deployments as they are answered.

use std::collections::BTreeMap;

use api_ecs::types::{self, ServiceDeploymentRollbackMonitorsStatus as MonitorsStatus};
use base::Scope;
use domain::{Service, ServiceDeployment, ServiceDeploymentStatus};
use state::View;

use crate::render::service::{Counts, count, counts};
use crate::{arn, document};

/// A service deployment in full.
pub(crate) fn service_deployment(
    view: &View,
    scope: &Scope,
    record: &ServiceDeployment,
) -> types::ServiceDeployment {
    let (cluster, name) = (&record.cluster, &record.service);
    let service = view.service(cluster, name).map(|row| row.value.as_ref());
    let counts = counts(view, cluster, name);
    let revision = |id: &String, requested: Option<u32>| {
        let own = counts_of_revision(service, &counts, id);
        types::ServiceRevisionSummary {
            arn: Some(arn::service_revision(scope, cluster, name, id)),
            pending_task_count: count(own.pending),
            requested_task_count: count(requested.unwrap_or(own.wanted)),
            running_task_count: count(own.running),
            ..types::ServiceRevisionSummary::default()
        }
    };
    let sources = record.source_revision_ids.iter().map(|id| revision(id, None));
    types::ServiceDeployment {
        cluster_arn: Some(arn::cluster(scope, cluster)),
        created_at: Some(record.created_at),
        deployment_circuit_breaker: Some(circuit_breaker(service, record)),
        deployment_configuration: Some(document::read(&record.configuration)),
        finished_at: record.finished_at,
        rollback: record.rollback.as_ref().map(|(id, reason)| types::Rollback {
            reason: Some(reason.clone()),
            service_revision_arn: Some(arn::service_revision(scope, cluster, name, id)),
            started_at: None,
        }),
        service_arn: Some(arn::service(scope, cluster, name)),
        service_deployment_arn: Some(arn::service_deployment(scope, cluster, name, &record.id)),
        source_service_revisions: Some(sources.collect()),
        started_at: record.started_at,
        status: Some(record.status.as_str().into()),
        status_reason: record.status_reason.clone(),
        stopped_at: record.stopped_at,
        target_service_revision: Some(revision(
            &record.target_revision_id,
            Some(record.requested_count),
        )),
        updated_at: Some(record.updated_at),
        ..types::ServiceDeployment::default()
    }
}

/// A service deployment as it stands in a list.
pub(crate) fn brief(scope: &Scope, record: &ServiceDeployment) -> types::ServiceDeploymentBrief {
    let (cluster, name) = (&record.cluster, &record.service);
    types::ServiceDeploymentBrief {
        cluster_arn: Some(arn::cluster(scope, cluster)),
        created_at: Some(record.created_at),
        finished_at: record.finished_at,
        service_arn: Some(arn::service(scope, cluster, name)),
        service_deployment_arn: Some(arn::service_deployment(scope, cluster, name, &record.id)),
        started_at: record.started_at,
        status: Some(record.status.as_str().into()),
        status_reason: record.status_reason.clone(),
        target_service_revision_arn: Some(arn::service_revision(
            scope,
            cluster,
            name,
            &record.target_revision_id,
        )),
    }
}

fn counts_of_revision(
    service: Option<&Service>,
    counts: &BTreeMap<&str, Counts>,
    revision: &str,
) -> Counts {
    let deployments = service.map_or(&[][..], |service| service.deployments.as_slice());
    deployments
        .iter()
        .find(|deployment| deployment.service_revision_id == revision)
        .and_then(|deployment| counts.get(deployment.id.as_str()).copied())
        .unwrap_or_default()
}

fn circuit_breaker(
    service: Option<&Service>,
    record: &ServiceDeployment,
) -> types::ServiceDeploymentCircuitBreaker {
    let breaker = service.and_then(|service| service.deployment_configuration.circuit_breaker);
    let failures = if record.breaker_triggered {
        record.breaker_failures
    } else {
        let deployments = service.map_or(&[][..], |service| service.deployments.as_slice());
        let own = deployments.iter().find(|deployment| deployment.id == record.deployment_id);
        own.map_or(0, |deployment| deployment.failed_tasks)
    };
    let status = if record.breaker_triggered {
        MonitorsStatus::Triggered
    } else if breaker.is_none() {
        MonitorsStatus::Disabled
    } else if record.status.is_final()
        || record.status == ServiceDeploymentStatus::RollbackInProgress
    {
        MonitorsStatus::MonitoringComplete
    } else {
        MonitorsStatus::Monitoring
    };
    types::ServiceDeploymentCircuitBreaker {
        failure_count: count(failures),
        status: Some(status),
        threshold: count(
            breaker.map_or(0, |breaker| breaker.failures_allowed(record.requested_count)),
        ),
    }
}
