//! Keeps services at what is wanted of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use base::{Clock, IdSource, Timestamp};
use domain::{ServiceDeployment, TaskDefinition, TaskStatus};
use reconcile::{SERVICE_STOP_CODE, ServicePlan, ServiceSnapshot, reconcile_service};
use state::{Change, Row, State, StateError, Subscription, Touched, View};

/// A service is looked at again after this time, even when nothing says so.
const RESYNC_MS: i64 = 60_000;
/// A service whose plan could not be committed is tried again after this time.
const RETRY_MS: i64 = 50;
/// A store that fails for other reasons than a conflict is left alone for this time.
const BACK_OFF_MS: i64 = 1_000;

type ServiceKey = (String, String);

/// Runs the service reconciler for every service of the control plane, one at a time.
#[derive(Debug)]
pub struct ServiceController {
    state: Arc<State>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdSource>,
    subscription: Subscription,
    /// When each service is due; at most one entry a service.
    due: BTreeMap<ServiceKey, Timestamp>,
}

impl ServiceController {
    /// A controller to which every service is due now.
    pub fn new(state: Arc<State>, clock: Arc<dyn Clock>, ids: Arc<dyn IdSource>) -> Self {
        let subscription = state.subscribe();
        Self { state, clock, ids, subscription, due: BTreeMap::new() }
    }

    /// Works until it is dropped.
    pub async fn run(mut self) {
        loop {
            let next = self.work().await;
            let wait_ms = next.ms_since(self.clock.now()).clamp(0, RESYNC_MS);
            let wait = Duration::from_millis(u64::try_from(wait_ms).unwrap_or(0));
            tokio::select! {
                () = self.touched() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Waits until something was touched, and notes which services that makes due. Cancel safe.
    pub async fn touched(&mut self) {
        let touched = self.subscription.next().await;
        self.note(&touched);
    }

    /// One turn of [`ServiceController::run`] without waiting, for tests.
    #[cfg(test)]
    pub(crate) async fn turn(&mut self) {
        use futures_util::FutureExt as _;
        let _touched = self.touched().now_or_never();
        self.work().await;
    }

    /// What was touched is due now.
    fn note(&mut self, touched: &BTreeSet<Touched>) {
        let now = self.clock.now();
        let view = self.state.view();
        for touched in touched {
            match touched {
                Touched::Service { cluster, service } => {
                    self.due.insert((cluster.clone(), service.clone()), now);
                }
                Touched::Instance { id } => {
                    for service in services_around(&view, id) {
                        self.due.insert((service.cluster.clone(), service.name.clone()), now);
                    }
                }
                // What a task gives back may be what a service waits for.
                Touched::TasksOn { instance } => {
                    for service in services_around(&view, instance) {
                        if !service.steady {
                            self.due.insert((service.cluster.clone(), service.name.clone()), now);
                        }
                    }
                }
            }
        }
    }

    /// Takes one step of every service that is due, one after the other. Returns when the next one
    /// is due, at the latest in a minute.
    pub async fn work(&mut self) -> Timestamp {
        let now = self.clock.now();
        let due: Vec<ServiceKey> = self
            .due
            .iter()
            // One far ahead was planned before the clock was put back.
            .filter(|(_, due)| **due <= now || due.ms_since(now) > RESYNC_MS)
            .map(|(service, _)| service.clone())
            .collect();
        for (cluster, service) in due {
            self.due.remove(&(cluster.clone(), service.clone()));
            let next = self.reconcile(&cluster, &service).await;
            if let Some(next) = next {
                let latest = self.clock.now().plus_ms(RESYNC_MS);
                self.due.insert((cluster, service), latest.min(next));
            }
        }
        let latest = self.clock.now().plus_ms(RESYNC_MS);
        self.due.values().min().map_or(latest, |next| latest.min(*next))
    }

    /// One step of one service; when to look at it again, unless it is gone.
    async fn reconcile(&self, cluster: &str, service: &str) -> Option<Timestamp> {
        let now = self.clock.now();
        let (plan, change) = {
            let view = self.state.view();
            let row = view.service(cluster, service)?;
            let plan = plan(&view, row, now, self.ids.as_ref());
            let change = change(&view, row, &plan, now);
            (plan, change)
        };
        let wake_at = plan.wake_at.unwrap_or_else(|| now.plus_ms(RESYNC_MS));
        if plan.is_empty() {
            return Some(wake_at);
        }
        crash_point::crash_point!("service.plan.made");
        match self.state.commit(change).await {
            Ok(_) => {
                crash_point::crash_point!("service.plan.committed");
                tracing::debug!(
                    cluster,
                    service,
                    started = plan.start.len(),
                    stopped = plan.stop.len(),
                    "service reconciled"
                );
                Some(wake_at)
            }
            Err(error @ (StateError::Conflict { .. } | StateError::OutcomeUnknown(_))) => {
                tracing::debug!(cluster, service, %error, "service is planned again");
                Some(now.plus_ms(RETRY_MS))
            }
            Err(error) => {
                tracing::error!(
                    cluster,
                    service,
                    error = &error as &dyn std::error::Error,
                    "service plan not committed"
                );
                Some(now.plus_ms(BACK_OFF_MS))
            }
        }
    }
}

fn services_around<'a>(
    view: &'a View,
    instance: &str,
) -> impl Iterator<Item = &'a Row<domain::Service>> {
    let cluster = view.instance(instance).map(|instance| instance.cluster.clone());
    cluster.into_iter().flat_map(|cluster| view.services_of(&cluster).collect::<Vec<_>>())
}

fn plan(
    view: &View,
    row: &Row<domain::Service>,
    now: Timestamp,
    ids: &dyn IdSource,
) -> ServicePlan {
    let service = row.value.as_ref();
    let deployments = &service.deployments;
    let definitions: BTreeMap<_, &TaskDefinition> = deployments
        .iter()
        .filter_map(|deployment| view.task_definition(&deployment.task_definition))
        .map(|row| (row.id.clone(), row.value.as_ref()))
        .collect();
    let instances: Vec<_> =
        view.instances_of(&service.cluster).map(|row| row.value.as_ref()).collect();
    let tasks_on_instances = instances
        .iter()
        .flat_map(|instance| view.tasks_on(&instance.id))
        .map(|row| row.value.as_ref())
        .collect();
    let unfinished: Vec<&ServiceDeployment> = view
        .deployments_of(&service.cluster, &service.name)
        .map(|row| row.value.as_ref())
        .filter(|record| !record.status.is_final())
        .collect();
    let snapshot = ServiceSnapshot {
        service,
        service_deployments: unfinished,
        definitions,
        tasks: view
            .tasks_of_service(&service.cluster, &service.name)
            .map(|row| row.value.as_ref())
            // A deleted service of the same name may have left tasks; they end on their own.
            .filter(|task| {
                task.last_status != TaskStatus::Stopped || task.created_at >= service.created_at
            })
            .collect(),
        instances,
        tasks_on_instances,
        now,
    };
    reconcile_service(&snapshot, ids)
}

fn change(view: &View, row: &Row<domain::Service>, plan: &ServicePlan, now: Timestamp) -> Change {
    let mut change = Change::new();
    match &plan.service {
        Some(service) => change.update(row, service),
        None => change.require(row),
    }
    for record in &plan.service_deployments {
        change.put(view.service_deployment(&record.id), record);
    }
    for task in &plan.start {
        change.create(task);
        change.fence(&task.container_instance, view.fence(&task.container_instance));
    }
    for (id, reason) in &plan.stop {
        if let Some(row) = view.task(id) {
            let mut task = row.value.as_ref().clone();
            if task.request_stop(SERVICE_STOP_CODE, reason, now) {
                change.update(row, &task);
            }
        }
    }
    change
}
