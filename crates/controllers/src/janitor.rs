//! Forgets what is over for long enough.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use base::{Clock, Timestamp};
use domain::{ClusterStatus, RolloutState, ServiceStatus, Task, TaskDefinitionStatus, TaskStatus};
use state::{Change, State, View};

/// How long stopped tasks, and deleted services and clusters, stay visible: one hour, ECS's
/// minimum.
pub const RETENTION_MS: i64 = 60 * 60 * 1000;
/// How long a client token is known (ECS: 24 h).
const CLIENT_TOKEN_RETENTION_MS: i64 = 24 * 60 * 60 * 1000;
/// How long the record of a service deployment is kept (ECS: 90 days).
const DEPLOYMENT_RETENTION_MS: i64 = 90 * 24 * 60 * 60 * 1000;
/// How often it looks.
const INTERVAL: Duration = Duration::from_secs(30);
/// Records that one transaction deletes at most (two operations each).
const MAX_DELETIONS: usize = 60;
/// Transactions in one round at most.
const MAX_TRANSACTIONS: usize = 200;

/// Deletes records that nobody may ask for any more.
#[derive(Debug)]
pub struct Janitor {
    state: Arc<State>,
    clock: Arc<dyn Clock>,
}

impl Janitor {
    /// A janitor for this state.
    pub fn new(state: Arc<State>, clock: Arc<dyn Clock>) -> Self {
        Self { state, clock }
    }

    /// Works until it is dropped.
    pub async fn run(self) {
        loop {
            tokio::time::sleep(INTERVAL).await;
            self.sweep().await;
        }
    }

    /// One round.
    pub async fn sweep(&self) {
        for _ in 0..MAX_TRANSACTIONS {
            let change = deletions(&self.state.view(), self.clock.now());
            if change.is_empty() {
                return;
            }
            if let Err(error) = self.state.commit(change).await {
                let error = &error as &dyn std::error::Error;
                tracing::debug!(error, "clean-up is tried again in the next round");
                return;
            }
        }
    }
}

fn deletions(view: &View, now: Timestamp) -> Change {
    let mut change = Change::new();
    let over = |since: Option<Timestamp>, retention_ms: i64| {
        since.is_some_and(|since| now.ms_since(since) > retention_ms)
    };
    macro_rules! forget {
        ($rows:expr) => {
            let room = MAX_DELETIONS.saturating_sub(change.operations() / 2);
            for row in $rows.take(room) {
                change.delete(row);
            }
        };
    }
    forget!(view.tasks().filter(|task| {
        task.last_status == TaskStatus::Stopped
            && over(task.stopped_at.or(Some(task.created_at)), RETENTION_MS)
            && !counts_in_a_deployment(view, task)
    }));
    forget!(view.services().filter(|service| {
        service.status == ServiceStatus::Inactive && over(service.deleted_at, RETENTION_MS)
    }));
    forget!(view.clusters().filter(|cluster| {
        cluster.status == ClusterStatus::Inactive && over(cluster.deleted_at, RETENTION_MS)
    }));
    forget!(
        view.client_tokens()
            .filter(|token| over(Some(token.created_at), CLIENT_TOKEN_RETENTION_MS))
    );
    forget!(view.service_deployments().filter(|record| {
        record.status.is_final() && over(record.finished_at, DEPLOYMENT_RETENTION_MS)
    }));
    let revisions = revisions_in_use(view);
    forget!(view.service_revisions().filter(|revision| {
        over(Some(revision.created_at), RETENTION_MS) && !revisions.contains(revision.id.as_str())
    }));
    forget!(view.task_definitions().filter(|definition| {
        definition.status == TaskDefinitionStatus::DeleteInProgress
            && !view.tasks().any(|task| task.task_definition == definition.id)
            && !view.services().any(|service| {
                service.status != ServiceStatus::Inactive
                    && service
                        .deployments
                        .iter()
                        .any(|deployment| deployment.task_definition == definition.id)
            })
    }));
    change
}

/// Revisions that a service runs or may go back to, or that the record of a deployment names.
fn revisions_in_use(view: &View) -> BTreeSet<&str> {
    let deployments = view.services().flat_map(|service| {
        service.value.deployments.iter().map(|deployment| deployment.service_revision_id.as_str())
    });
    let records = view.service_deployments().flat_map(|record| {
        let rollback = record.value.rollback.iter().map(|(target, _)| target.as_str());
        let sources = record.value.source_revision_ids.iter().map(String::as_str);
        sources.chain(rollback).chain([record.value.target_revision_id.as_str()])
    });
    deployments.chain(records).collect()
}

/// Failed tasks of a deployment under way are what its circuit breaker counts; it opens before they
/// are too many to keep.
fn counts_in_a_deployment(view: &View, task: &Task) -> bool {
    if !reconcile::counts_as_failure(task) {
        return false;
    }
    let service = task.service.as_deref().and_then(|name| view.service(&task.cluster, name));
    service.is_some_and(|service| {
        let breaker = service.deployment_configuration.circuit_breaker.is_some();
        breaker
            && service.deployments.iter().any(|deployment| {
                Some(deployment.id.as_str()) == task.started_by.as_deref()
                    && deployment.rollout_state == RolloutState::InProgress
            })
    })
}
