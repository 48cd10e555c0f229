//! The records of a new deployment.

use base::IdSource;
use domain::{
    Deployment, DeploymentStatus, RolloutState, Service, ServiceDeployment,
    ServiceDeploymentStatus, ServiceRevision, TaskDefinition,
};
use reconcile::deployment_in_progress_reason;
use state::Change;
use wire::ApiError;

use crate::{EcsContext, render};

/// Makes what `service` asks for its PRIMARY deployment; the one before is ACTIVE from now on.
/// The service itself is the caller's to write.
pub(crate) fn begin(
    ctx: &EcsContext,
    change: &mut Change,
    service: &mut Service,
    definition: &TaskDefinition,
) -> Result<(), ApiError> {
    let now = ctx.now();
    let ids = ctx.ids.as_ref();
    let id = format!("ecs-svc/{}", ids.decimal19());
    let revision = ServiceRevision {
        id: ids.decimal19(),
        cluster: service.cluster.clone(),
        service: service.name.clone(),
        task_definition: definition.id.clone(),
        launch_type: service.launch_type,
        document: render::service_revision::document(service, definition)?,
        created_at: now,
    };
    let record = ServiceDeployment {
        id: deployment_id(ids),
        cluster: service.cluster.clone(),
        service: service.name.clone(),
        deployment_id: id.clone(),
        status: ServiceDeploymentStatus::Pending,
        status_reason: None,
        target_revision_id: revision.id.clone(),
        source_revision_ids: service
            .deployments
            .iter()
            .map(|deployment| deployment.service_revision_id.clone())
            .collect(),
        requested_count: service.desired_count,
        rollback: None,
        breaker_triggered: false,
        breaker_failures: 0,
        configuration: render::service::deployment_configuration_document(service)?,
        created_at: now,
        started_at: None,
        finished_at: None,
        stopped_at: None,
        updated_at: now,
    };
    for deployment in &mut service.deployments {
        if deployment.status == DeploymentStatus::Primary {
            deployment.status = DeploymentStatus::Active;
            deployment.updated_at = now;
        }
    }
    let primary = Deployment {
        status: DeploymentStatus::Primary,
        task_definition: definition.id.clone(),
        launch_type: service.launch_type,
        failed_tasks: 0,
        failures_reset_at: None,
        rollout_state: RolloutState::InProgress,
        rollout_state_reason: deployment_in_progress_reason(&id),
        service_revision_id: revision.id.clone(),
        service_deployment_id: record.id.clone(),
        created_at: now,
        updated_at: now,
        id,
    };
    service.deployments.insert(0, primary);
    service.task_definition = definition.id.clone();
    change.create(&revision);
    change.create(&record);
    Ok(())
}

/// 20 URL-safe characters: what ends the ARN of a service deployment.
fn deployment_id(ids: &dyn IdSource) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let character = |bits: u64| {
        let index = usize::try_from(bits & 63).unwrap_or_default();
        ALPHABET.get(index).copied().map_or('A', char::from)
    };
    let halves = [ids.next_u64(), ids.next_u64()];
    halves
        .iter()
        .flat_map(|half| (0..10).map(move |place| character(half >> (6 * place))))
        .collect()
}
