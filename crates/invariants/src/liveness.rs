//! Predicates over a world in which nothing has gone wrong for long enough.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use base::Timestamp;
use domain::{
    ContainerInstance, ContainerInstanceStatus, DeploymentStatus, DesiredStatus,
    PlacementConstraint, RolloutState, SchedulingStrategy, Service, ServiceStatus, StopCode, Task,
    TaskDefinition, TaskDefinitionId, TaskSpec, TaskStatus,
};

use crate::{Finding, Invariant};

/// Words of the events that say why a service is not where it should be.
const EXPLANATIONS: &[&str] = &[
    "was unable to place a task",
    "is unable to consistently start tasks",
    "was unable to stop or start tasks",
    "unable to reach steady state",
    "failed container health checks",
    "deployment failed",
    "deployment stopped",
];

/// A world that has had the time to settle.
#[derive(Debug)]
pub struct Settled<'a> {
    /// When.
    pub now: Timestamp,
    /// Services by `CLUSTER/NAME`.
    pub services: &'a BTreeMap<String, Arc<Service>>,
    /// Tasks by id.
    pub tasks: &'a BTreeMap<String, Arc<Task>>,
    /// Instances by id.
    pub instances: &'a BTreeMap<String, Arc<ContainerInstance>>,
    /// Revisions.
    pub definitions: &'a BTreeMap<TaskDefinitionId, Arc<TaskDefinition>>,
    /// Instances whose node is up and reaches the control plane.
    pub reachable: &'a BTreeSet<String>,
    /// Revisions whose tasks do not run or do not stay healthy, however often they are started.
    pub hopeless: &'a BTreeSet<TaskDefinitionId>,
    /// Ids of the tasks that ran some time before, where this is the second look.
    pub ran_before: Option<&'a BTreeSet<String>>,
}

/// All liveness predicates.
pub fn check(settled: &Settled<'_>) -> Vec<(Invariant, Finding)> {
    let services = || settled.services.values().map(AsRef::as_ref);
    let tasks = || settled.tasks.values().map(AsRef::as_ref);
    vec![
        (Invariant::DesiredReached, services().map(|one| desired_reached(settled, one)).collect()),
        (Invariant::DeploymentsEnd, services().map(|one| deployments_end(settled, one)).collect()),
        (Invariant::DrainingEnds, services().map(|one| service_ends(settled, one)).collect()),
        (Invariant::DrainingEnds, tasks().map(|one| leaves_draining(settled, one)).collect()),
        (Invariant::PendingExplained, tasks().map(|one| not_pending(settled, one)).collect()),
        (Invariant::PendingExplained, services().map(|one| lack_said(settled, one)).collect()),
        (Invariant::StopsEnd, tasks().map(|one| stop_ends(settled, one)).collect()),
    ]
}

impl Settled<'_> {
    fn spec_of(&self, service: &Service) -> Option<&TaskSpec> {
        self.definitions.get(&service.task_definition).map(|definition| &definition.spec)
    }

    fn tasks_of<'s>(&'s self, service: &'s Service) -> impl Iterator<Item = &'s Task> {
        self.tasks.values().map(AsRef::as_ref).filter(|task| {
            task.cluster == service.cluster && task.service.as_ref() == Some(&service.name)
        })
    }

    fn running(&self, service: &Service) -> usize {
        let current = service.primary().map(|deployment| deployment.id.as_str());
        self.tasks_of(service)
            .filter(|task| {
                task.last_status == TaskStatus::Running
                    && task.desired_status == DesiredStatus::Running
                    && task.started_by.as_deref() == current
            })
            .count()
    }

    /// Whether the service's tasks can run at all, and one more would fit on an instance.
    fn could_place(&self, service: &Service) -> bool {
        self.spec_of(service).is_some_and(|spec| {
            self.instances.values().any(|instance| self.fits(service, spec, instance))
        })
    }

    fn fits(&self, service: &Service, spec: &TaskSpec, instance: &ContainerInstance) -> bool {
        let constrained = service.placement_constraints.iter().any(|one| match one {
            PlacementConstraint::DistinctInstance => self
                .tasks_of(service)
                .filter(|task| task.last_status != TaskStatus::Stopped)
                .any(|task| task.container_instance == instance.id),
            // Not evaluated here: such a service is only asked for an explanation.
            PlacementConstraint::MemberOf(_) => true,
        });
        let usable = instance.cluster == service.cluster
            && instance.status == ContainerInstanceStatus::Active
            && instance.agent_connected
            && self.reachable.contains(&instance.id);
        if constrained || !usable || !spec.placement_expressions.is_empty() {
            return false;
        }
        let live = self.tasks.values().filter(|task| {
            task.container_instance == instance.id && task.last_status != TaskStatus::Stopped
        });
        let (mut cpu_units, mut memory_mib, mut ports) = (0_u32, 0_u32, BTreeSet::new());
        for task in live {
            cpu_units = cpu_units.saturating_add(task.reserved_cpu_units);
            memory_mib = memory_mib.saturating_add(task.reserved_memory_mib);
            ports.extend(task.reserved_ports.iter().copied());
        }
        ports.extend(instance.registered.ports.iter().copied());
        cpu_units.saturating_add(spec.reserved_cpu_units()) <= instance.registered.cpu_units
            && memory_mib.saturating_add(spec.reserved_memory_mib())
                <= instance.registered.memory_mib
            && spec.fixed_host_ports().all(|port| !ports.contains(&port))
    }

    /// Whether a daemon's task stays on a DRAINING instance for as long as other services have tasks there.
    fn waits_for_replicas(&self, task: &Task) -> bool {
        let instance = self.instances.get(&task.container_instance);
        let draining = instance.is_some_and(|one| one.status == ContainerInstanceStatus::Draining);
        task.daemon
            && draining
            && self.tasks.values().any(|other| {
                other.container_instance == task.container_instance
                    && other.service.is_some()
                    && !other.daemon
                    && other.last_status != TaskStatus::Stopped
            })
    }

    /// Whether the service has no reason not to be where it should.
    fn should_settle(&self, service: &Service) -> bool {
        if self.hopeless.contains(&service.task_definition) {
            return false;
        }
        let given_up = service
            .primary()
            .is_some_and(|deployment| deployment.rollout_state == RolloutState::Failed);
        let deadlocked = said(service, "was unable to stop or start tasks");
        let protected = self.tasks_of(service).any(|task| task.is_protected(self.now));
        let desired = usize::try_from(service.desired_count).unwrap_or(usize::MAX);
        let complete = self.running(service) == desired;
        if self.tasks_of(service).any(|task| self.waits_for_replicas(task)) {
            return false;
        }
        !given_up && !deadlocked && !protected && (complete || self.could_place(service))
    }
}

fn said(service: &Service, words: &str) -> bool {
    service.events.iter().any(|event| event.message.contains(words))
}

fn explained(service: &Service) -> bool {
    EXPLANATIONS.iter().any(|words| said(service, words))
}

/// INV-017. A DAEMON's desired count is what its reconciler counted.
pub fn desired_reached(settled: &Settled<'_>, service: &Service) -> Finding {
    if service.status != ServiceStatus::Active
        || settled.hopeless.contains(&service.task_definition)
    {
        return Finding::idle();
    }
    let desired = usize::try_from(service.desired_count).unwrap_or(usize::MAX);
    let running = settled.running(service);
    let reached = running == desired;
    if !reached && !settled.should_settle(service) {
        return Finding::idle();
    }
    let reached = Finding::check(reached, || {
        format!("service {} has {running} of {desired} tasks RUNNING", service.name)
    });
    let Some(before) = settled.ran_before else { return reached };
    let newcomer = settled
        .tasks_of(service)
        .filter(|task| task.last_status == TaskStatus::Running)
        .find(|task| !before.contains(&task.id));
    reached.and(Finding::check(newcomer.is_none(), || {
        let id = newcomer.map(|task| task.id.as_str()).unwrap_or_default();
        format!("service {} does not stay: task {id} is new", service.name)
    }))
}

/// INV-018.
pub fn deployments_end(settled: &Settled<'_>, service: &Service) -> Finding {
    let primary = service.deployments.iter().find(|one| one.status == DeploymentStatus::Primary);
    let Some(primary) = primary else { return Finding::idle() };
    if service.status != ServiceStatus::Active {
        return Finding::idle();
    }
    let in_progress = primary.rollout_state == RolloutState::InProgress;
    let breaker = service.deployment_configuration.circuit_breaker.is_some();
    let hopeless = settled.hopeless.contains(&primary.task_definition);
    // Tasks that run and then end by themselves do not count for the breaker (ECS).
    let uncounted = settled.tasks_of(service).any(|task| {
        task.started_by.as_deref() == Some(primary.id.as_str())
            && task.started_at.is_some()
            && task.stop_code == Some(StopCode::EssentialContainerExited)
    });
    let should_end = if hopeless {
        let deadlocked = said(service, "was unable to stop or start tasks");
        let starts = service.desired_count > 0 && !deadlocked && settled.could_place(service);
        breaker && !uncounted && starts
    } else {
        settled.should_settle(service)
    };
    if in_progress && !should_end {
        return Finding::idle();
    }
    Finding::check(!in_progress, || {
        format!("deployment {} of service {} is in progress", primary.id, service.name)
    })
}

/// INV-019, of a service.
pub fn service_ends(settled: &Settled<'_>, service: &Service) -> Finding {
    let elsewhere = settled.tasks_of(service).any(|task| {
        task.last_status != TaskStatus::Stopped
            && !settled.reachable.contains(&task.container_instance)
    });
    match service.status {
        ServiceStatus::Draining if elsewhere => Finding::idle(),
        ServiceStatus::Active => Finding::idle(),
        ServiceStatus::Draining | ServiceStatus::Inactive => {
            Finding::check(service.status == ServiceStatus::Inactive, || {
                format!("service {} is still DRAINING", service.name)
            })
        }
    }
}

/// INV-019, of a task on an instance.
pub fn leaves_draining(settled: &Settled<'_>, task: &Task) -> Finding {
    let Some(name) = &task.service else { return Finding::idle() };
    let instance = settled.instances.get(&task.container_instance);
    let draining =
        instance.is_some_and(|instance| instance.status == ContainerInstanceStatus::Draining);
    if !draining || !settled.reachable.contains(&task.container_instance) {
        return Finding::idle();
    }
    let gone = task.last_status == TaskStatus::Stopped;
    let service = settled.services.get(&format!("{}/{name}", task.cluster));
    let must_go = service.is_none_or(|service| settled.should_settle(service));
    if !gone && !must_go {
        return Finding::idle();
    }
    Finding::check(gone, || {
        format!("task {} of service {name} is still on a DRAINING instance", task.id)
    })
}

/// INV-020, of a task.
pub fn not_pending(settled: &Settled<'_>, task: &Task) -> Finding {
    let reachable = settled.reachable.contains(&task.container_instance);
    if !reachable || settled.hopeless.contains(&task.task_definition) {
        return Finding::idle();
    }
    let rising = task.last_status < TaskStatus::Running;
    let service = task.service.as_ref();
    let service =
        service.and_then(|name| settled.services.get(&format!("{}/{name}", task.cluster)));
    if rising && service.is_some_and(|service| explained(service)) {
        return Finding::idle();
    }
    Finding::check(!rising, || {
        format!("task {} is {} and nothing says why", task.id, task.last_status.as_str())
    })
}

/// INV-020, of a service.
pub fn lack_said(settled: &Settled<'_>, service: &Service) -> Finding {
    let desired = usize::try_from(service.desired_count).unwrap_or(usize::MAX);
    let replica = service.scheduling_strategy == SchedulingStrategy::Replica;
    let running = settled.running(service);
    if !replica || service.status != ServiceStatus::Active || running >= desired {
        return Finding::idle();
    }
    // Tasks that run and end at once are replaced for ever; their stopped reasons say why.
    let hopeless = settled.hopeless.contains(&service.task_definition);
    let ended = settled
        .tasks_of(service)
        .any(|task| task.last_status == TaskStatus::Stopped && task.stopped_reason.is_some());
    Finding::check(explained(service) || (hopeless && ended), || {
        format!(
            "service {} has {running} of {desired} tasks RUNNING and no event says why",
            service.name
        )
    })
}

/// INV-021.
pub fn stop_ends(settled: &Settled<'_>, task: &Task) -> Finding {
    let reachable = settled.reachable.contains(&task.container_instance);
    if !reachable || task.desired_status != DesiredStatus::Stopped {
        return Finding::idle();
    }
    // What ended by itself a moment ago has not had its time.
    let recent = task.stopping_at.is_some_and(|asked| settled.now.ms_since(asked) < 300_000);
    if recent && task.last_status != TaskStatus::Stopped {
        return Finding::idle();
    }
    Finding::check(task.last_status == TaskStatus::Stopped, || {
        format!("task {} is still {}", task.id, task.last_status.as_str())
    })
}
