//! One service: from a snapshot to whole records.

use std::collections::BTreeMap;

use base::{IdSource, Timestamp};
use domain::{
    ContainerInstance, Deployment, DesiredStatus, NewTask, RolloutState, SchedulingStrategy,
    Service, ServiceDeployment, ServiceStatus, StopCode, Task, TaskDefinition, TaskDefinitionId,
    TaskSpec, TaskStatus, group_of_service,
};
use scheduler::{Fleet, Request, Strategies};

use crate::tally::{Tally, earliest};
use crate::throttle::{Throttle, seed};
use crate::{daemon, events, replica, rollout};

/// Tasks that one plan starts, and stops, at most. A plan must fit one transaction of 128
/// operations: a start costs four (the task, its instance's fence), a stop two, a record two.
pub const MAX_STEPS: usize = 16;
/// Records of deployments that one plan changes at most; what is left follows with the next.
pub(crate) const MAX_RECORDS: usize = 12;

/// Everything that a service's next step depends on.
#[derive(Debug)]
pub struct ServiceSnapshot<'a> {
    /// The service.
    pub service: &'a Service,
    /// The records of its deployments, in any order.
    pub service_deployments: Vec<&'a ServiceDeployment>,
    /// The task definitions of its deployments.
    pub definitions: BTreeMap<TaskDefinitionId, &'a TaskDefinition>,
    /// All tasks of the service, STOPPED ones included.
    pub tasks: Vec<&'a Task>,
    /// The instances of the cluster.
    pub instances: Vec<&'a ContainerInstance>,
    /// All tasks on these instances that are not STOPPED, of this service or not.
    pub tasks_on_instances: Vec<&'a Task>,
    /// The time.
    pub now: Timestamp,
}

impl ServiceSnapshot<'_> {
    /// What a task of the service runs.
    pub(crate) fn spec_of(&self, task: &Task) -> Option<&TaskSpec> {
        self.definitions.get(&task.task_definition).map(|definition| &definition.spec)
    }
}

/// What to write, in one transaction.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ServicePlan {
    /// The service, where it changed.
    pub service: Option<Service>,
    /// Records of deployments that changed.
    pub service_deployments: Vec<ServiceDeployment>,
    /// Tasks to create; each names the instance it was placed on.
    pub start: Vec<Task>,
    /// Tasks to ask to stop: id, and why.
    pub stop: Vec<(String, String)>,
    /// The next moment at which time alone changes the plan.
    pub wake_at: Option<Timestamp>,
}

impl ServicePlan {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.service.is_none()
            && self.service_deployments.is_empty()
            && self.start.is_empty()
            && self.stop.is_empty()
    }
}

/// The next step of a service. The code of every stop is ServiceSchedulerInitiated.
pub fn reconcile_service(snapshot: &ServiceSnapshot<'_>, ids: &dyn IdSource) -> ServicePlan {
    if snapshot.service.status == ServiceStatus::Inactive {
        return ServicePlan::default();
    }
    let mut planner = Planner::new(snapshot, ids);
    if snapshot.service.status == ServiceStatus::Draining {
        planner.drain();
        return planner.finish(None);
    }
    rollout::judge(&mut planner);
    let tally = Tally::of(&planner.service, snapshot);
    match snapshot.service.scheduling_strategy {
        SchedulingStrategy::Replica => replica::step(&mut planner, &tally),
        SchedulingStrategy::Daemon => daemon::step(&mut planner, &tally),
    }
    rollout::conclude(&mut planner, &tally);
    planner.finish(tally.wake_at)
}

/// Why the service stops a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StopReason {
    /// Too many, or replaced.
    Scaling,
    /// Its health check fails.
    Unhealthy,
}

/// ECS's words for a task that is stopped for its health check.
pub(crate) const FAILED_HEALTH_CHECKS: &str = "Task failed container health checks";

/// A plan in the making.
#[derive(Debug)]
pub(crate) struct Planner<'s, 'a> {
    pub(crate) snapshot: &'s ServiceSnapshot<'a>,
    pub(crate) ids: &'s dyn IdSource,
    /// The service as it will be.
    pub(crate) service: Service,
    /// The records of its deployments as they will be.
    pub(crate) records: Vec<ServiceDeployment>,
    pub(crate) fleet: Fleet,
    pub(crate) throttle: Throttle,
    plan: ServicePlan,
}

impl<'s, 'a> Planner<'s, 'a> {
    fn new(snapshot: &'s ServiceSnapshot<'a>, ids: &'s dyn IdSource) -> Self {
        Self {
            snapshot,
            ids,
            service: snapshot.service.clone(),
            records: snapshot.service_deployments.iter().map(|record| (*record).clone()).collect(),
            fleet: placement::fleet(
                snapshot.instances.iter().copied(),
                snapshot.tasks_on_instances.iter().copied(),
            ),
            throttle: Throttle::default(),
            plan: ServicePlan::default(),
        }
    }

    fn finish(mut self, wake_at: Option<Timestamp>) -> ServicePlan {
        let started: Vec<String> = self.plan.start.iter().map(|task| task.id.clone()).collect();
        if !started.is_empty() {
            self.say(&events::started(&started));
        }
        let stopped: Vec<String> = self.plan.stop.iter().map(|(id, _)| id.clone()).collect();
        if !stopped.is_empty() {
            self.say(&events::stopped(&stopped));
        }
        if self.service != *self.snapshot.service {
            self.plan.service = Some(self.service);
        }
        self.plan.service_deployments = self
            .records
            .into_iter()
            .filter(|record| !self.snapshot.service_deployments.contains(&record))
            .take(MAX_RECORDS)
            .collect();
        self.plan.wake_at = earliest(self.plan.wake_at, wake_at);
        self.plan
    }

    /// A deleted service: all its tasks go, and then it does.
    fn drain(&mut self) {
        let snapshot = self.snapshot;
        let mut live = false;
        for task in &snapshot.tasks {
            if task.last_status != TaskStatus::Stopped {
                live = true;
                self.stop(task, StopReason::Scaling);
            }
        }
        rollout::abandon(&mut self.records, "The service was deleted.", snapshot.now);
        if !live {
            self.service.status = ServiceStatus::Inactive;
            self.service.deleted_at = Some(snapshot.now);
            self.service.deployments.clear();
        }
    }

    pub(crate) fn say(&mut self, text: &str) {
        events::say(&mut self.service, self.ids, self.snapshot.now, text);
    }

    fn say_once(&mut self, text: &str) {
        events::say_once(&mut self.service, self.ids, self.snapshot.now, text);
    }

    pub(crate) fn wake_at(&mut self, moment: Timestamp) {
        self.plan.wake_at = earliest(self.plan.wake_at, Some(moment));
    }

    /// Whether the primary deployment may start tasks: not FAILED, not throttled.
    pub(crate) fn may_start(&self) -> bool {
        let failed = self
            .service
            .primary()
            .is_none_or(|deployment| deployment.rollout_state == RolloutState::Failed);
        let throttled =
            self.throttle.until().is_some_and(|not_before| not_before > self.snapshot.now);
        !failed && !throttled
    }

    /// Whether the primary deployment is still being rolled out.
    pub(crate) fn rolling_out(&self) -> bool {
        self.service
            .primary()
            .is_some_and(|deployment| deployment.rollout_state == RolloutState::InProgress)
    }

    pub(crate) fn is_protected(&self, task: &Task) -> bool {
        task.is_protected(self.snapshot.now)
    }

    /// Whether nothing is started or stopped by this plan.
    pub(crate) fn is_idle(&self) -> bool {
        self.plan.start.is_empty() && self.plan.stop.is_empty()
    }

    pub(crate) fn set_desired_count(&mut self, count: usize) {
        self.service.desired_count = u32::try_from(count).unwrap_or(u32::MAX);
    }

    pub(crate) fn strategies(&self) -> Strategies {
        self.request().map(|request| request.strategies).unwrap_or_default()
    }

    /// What a task of the primary deployment asks of an instance.
    pub(crate) fn request(&self) -> Option<Request> {
        let primary = self.service.primary()?;
        let definition = self.snapshot.definitions.get(&primary.task_definition)?;
        // Constraints and strategies were checked when they were given; one that is wrong all the
        // same places nothing.
        placement::request(
            &definition.spec,
            &group_of_service(&self.service.name),
            primary.launch_type,
            &self.service.placement_constraints,
            &self.service.placement_strategy,
        )
        .ok()
    }

    /// Starts up to `count` tasks of the primary deployment where the strategies say. Returns how
    /// many found no place.
    pub(crate) fn start(&mut self, count: usize) -> usize {
        let Some(request) = self.request() else { return 0 };
        let count = count.min(MAX_STEPS.saturating_sub(self.plan.start.len()));
        let wanted = u32::try_from(count).unwrap_or(u32::MAX);
        let seed = seed(&self.service.name) ^ self.ids.next_u64();
        let placement = scheduler::place(&mut self.fleet, &request, wanted, seed);
        if let Some(refusals) = &placement.refusals {
            let reason = refusals.event_reason();
            self.say_once(&format!("was unable to place a task because {reason}"));
        }
        for ordinal in placement.chosen {
            let instance = self.fleet.get(ordinal).map(|instance| instance.id.clone());
            if let Some(instance) = instance {
                self.start_on(&instance);
            }
        }
        usize::try_from(placement.unplaced).unwrap_or(usize::MAX)
    }

    /// Starts one task of the primary deployment on an instance.
    pub(crate) fn start_on(&mut self, instance: &str) {
        if self.plan.start.len() >= MAX_STEPS {
            return;
        }
        let Some(primary) = self.service.primary() else { return };
        let Some(definition) = self.snapshot.definitions.get(&primary.task_definition) else {
            return;
        };
        let task = self.new_task(primary, definition, instance);
        self.plan.start.push(task);
        self.service.steady = false;
    }

    fn new_task(&self, primary: &Deployment, definition: &TaskDefinition, instance: &str) -> Task {
        let service = &self.service;
        let mut task = NewTask {
            cluster: &service.cluster,
            task_definition: &primary.task_definition,
            spec: &definition.spec,
            group: group_of_service(&service.name),
            launch_type: primary.launch_type,
            container_instance: instance.to_owned(),
            now: self.snapshot.now,
        }
        .accept(self.ids);
        task.started_by = Some(primary.id.clone());
        task.service = Some(service.name.clone());
        task.daemon = service.scheduling_strategy == SchedulingStrategy::Daemon;
        task.enable_execute_command = service.enable_execute_command;
        task.tags = match service.propagate_tags.as_str() {
            "SERVICE" => service.tags.clone(),
            "TASK_DEFINITION" => definition.tags.clone(),
            _ => BTreeMap::new(),
        };
        if service.enable_ecs_managed_tags {
            task.tags.insert("aws:ecs:clusterName".to_owned(), service.cluster.clone());
            task.tags.insert("aws:ecs:serviceName".to_owned(), service.name.clone());
        }
        task
    }

    /// Asks a task to stop; nothing when it was asked already.
    pub(crate) fn stop(&mut self, task: &Task, reason: StopReason) {
        let known = self.plan.stop.iter().any(|(id, _)| *id == task.id);
        if known || task.desired_status == DesiredStatus::Stopped {
            return;
        }
        if self.plan.stop.len() >= MAX_STEPS {
            return;
        }
        let reason = match reason {
            StopReason::Unhealthy => {
                self.say(&format!("(task {}) failed container health checks.", task.id));
                FAILED_HEALTH_CHECKS.to_owned()
            }
            StopReason::Scaling => {
                let deployment = self.service.primary().map_or("", |primary| primary.id.as_str());
                format!("Scaling activity initiated by (deployment {deployment})")
            }
        };
        self.plan.stop.push((task.id.clone(), reason));
        self.service.steady = false;
    }

    /// Floor and ceiling leave no way to go on.
    pub(crate) fn deadlocked(&mut self) {
        self.say_once(
            "was unable to stop or start tasks during a deployment because of the service \
             deployment configuration. Update the minimumHealthyPercent or maximumPercent value \
             and try again.",
        );
    }

    /// Protected tasks are more than the desired count.
    pub(crate) fn protected_from_scale_in(&mut self) {
        let id = self.service.primary().map(|primary| primary.id.clone()).unwrap_or_default();
        self.say_once(&format!(
            "unable to reach steady state because task set ({id}) was unable to scale in. \
             Reason: The number of protected tasks are more than the desired count of tasks."
        ));
    }

    /// The service's tasks do not come up; no start before the throttle ends.
    pub(crate) fn throttled(&mut self, until: Timestamp) {
        self.say_once("is unable to consistently start tasks successfully.");
        self.wake_at(until);
    }
}

/// The code that goes with every stop of a [`ServicePlan`].
pub const SERVICE_STOP_CODE: StopCode = StopCode::ServiceSchedulerInitiated;
