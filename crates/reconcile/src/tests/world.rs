use std::collections::{BTreeMap, BTreeSet};

use base::{SeededIds, Timestamp};
use domain::{
    CircuitBreaker, ContainerInstance, ContainerInstanceStatus, ContainerSpec, Deployment,
    DeploymentConfiguration, DeploymentStatus, DesiredStatus, Document, FailureThreshold,
    HealthCheck, HealthStatus, LaunchType, NetworkMode, Protection, Resources, RolloutState,
    SchedulingStrategy, Service, ServiceDeployment, ServiceDeploymentStatus, ServiceStatus,
    StopCode, Tags, Task, TaskDefinition, TaskDefinitionId, TaskDefinitionStatus, TaskSpec,
    TaskStatus,
};

use crate::{MAX_STEPS, SERVICE_STOP_CODE, ServicePlan, ServiceSnapshot, reconcile_service};

/// CPU units of every task.
const TASK_CPU_UNITS: u32 = 100;

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) service: Service,
    pub(crate) records: BTreeMap<String, ServiceDeployment>,
    pub(crate) definitions: BTreeMap<TaskDefinitionId, TaskDefinition>,
    pub(crate) tasks: BTreeMap<String, Task>,
    pub(crate) instances: BTreeMap<String, ContainerInstance>,
    pub(crate) now: Timestamp,
    steps: u64,
}

impl World {
    /// Service `web` of `desired` tasks of revision 1 on three instances with room for 40 each.
    pub(crate) fn new(desired: u32, minimum_percent: u32, maximum_percent: u32) -> Self {
        let now = Timestamp::from_epoch_ms(1_000_000);
        let mut world = Self {
            service: service(desired, minimum_percent, maximum_percent, now),
            records: BTreeMap::new(),
            definitions: BTreeMap::new(),
            tasks: BTreeMap::new(),
            instances: BTreeMap::new(),
            now,
            steps: 0,
        };
        for id in ["i1", "i2", "i3"] {
            world.add_instance(id, 40);
        }
        world.deploy(1);
        world
    }

    /// A world whose first deployment is complete.
    pub(crate) fn settled(desired: u32, minimum_percent: u32, maximum_percent: u32) -> Self {
        let mut world = Self::new(desired, minimum_percent, maximum_percent);
        world.settle();
        assert!(world.service.steady, "{:#?}", world.service);
        world
    }

    pub(crate) fn with_breaker(mut self, rollback: bool, count: u32) -> Self {
        self.service.deployment_configuration.circuit_breaker = Some(CircuitBreaker {
            rollback,
            threshold: FailureThreshold::Count(count),
            reset_on_healthy_task: true,
        });
        self
    }

    pub(crate) fn add_instance(&mut self, id: &str, tasks: u32) {
        let instance = ContainerInstance {
            id: id.to_owned(),
            cluster: "c".to_owned(),
            status: ContainerInstanceStatus::Active,
            status_reason: None,
            agent_connected: true,
            agent_version: "1.0.0".to_owned(),
            registered: Resources {
                cpu_units: tasks * TASK_CPU_UNITS,
                memory_mib: 100_000,
                ports: BTreeSet::new(),
            },
            attributes: BTreeMap::new(),
            registered_at: self.now,
            ec2_instance_id: format!("i-{id}"),
            fargate_isolation: None,
            system: BTreeMap::new(),
            tags: Tags::new(),
            version: 1,
        };
        self.instances.insert(id.to_owned(), instance);
    }

    pub(crate) fn set_instance(&mut self, id: &str, status: ContainerInstanceStatus) {
        self.instances.get_mut(id).unwrap().status = status;
    }

    /// What `UpdateService` with another revision does.
    pub(crate) fn deploy(&mut self, revision: u32) {
        self.steps += 1;
        let id = TaskDefinitionId { family: "web".to_owned(), revision };
        self.definitions.entry(id.clone()).or_insert_with(|| definition(&id, self.now));
        let number = self.steps;
        for deployment in &mut self.service.deployments {
            deployment.status = DeploymentStatus::Active;
        }
        let deployment = Deployment {
            id: format!("ecs-svc/{number}"),
            status: DeploymentStatus::Primary,
            task_definition: id.clone(),
            launch_type: LaunchType::Ec2,
            failed_tasks: 0,
            failures_reset_at: None,
            rollout_state: RolloutState::InProgress,
            rollout_state_reason: String::new(),
            service_revision_id: format!("revision-{number}"),
            service_deployment_id: format!("record-{number}"),
            created_at: self.now,
            updated_at: self.now,
        };
        let record = record(&deployment, self.now);
        self.records.insert(record.id.clone(), record);
        self.service.deployments.insert(0, deployment);
        self.service.task_definition = id;
    }

    /// Gives a revision a container health check.
    pub(crate) fn check_health(&mut self, revision: u32) {
        let id = TaskDefinitionId { family: "web".to_owned(), revision };
        let now = self.now;
        let definition = self.definitions.entry(id.clone()).or_insert_with(|| definition(&id, now));
        definition.spec.containers[0].health_check = Some(HealthCheck {
            argv: vec!["true".to_owned()],
            interval_seconds: 5,
            timeout_seconds: 2,
            retries: 1,
            start_period_seconds: 0,
        });
    }

    pub(crate) fn plan(&self) -> ServicePlan {
        self.plan_with(&[])
    }

    /// The plan when tasks of others are on the instances too.
    pub(crate) fn plan_with(&self, others: &[&Task]) -> ServicePlan {
        let live = |task: &&Task| task.last_status != TaskStatus::Stopped;
        let snapshot = ServiceSnapshot {
            service: &self.service,
            service_deployments: self
                .records
                .values()
                .filter(|record| !record.status.is_final())
                .collect(),
            definitions: self.definitions.iter().map(|(id, one)| (id.clone(), one)).collect(),
            tasks: self.tasks.values().collect(),
            instances: self.instances.values().collect(),
            tasks_on_instances: self
                .tasks
                .values()
                .filter(live)
                .chain(others.iter().copied())
                .collect(),
            now: self.now,
        };
        let plan = reconcile_service(&snapshot, &SeededIds::new(self.steps));
        let again = reconcile_service(&snapshot, &SeededIds::new(self.steps));
        assert_eq!(plan, again, "the same snapshot, time and identifiers give the same plan");
        plan
    }

    /// Makes one plan, checks what every plan must keep to, and carries it out.
    pub(crate) fn step(&mut self) -> ServicePlan {
        let plan = self.plan();
        self.steps += 1;
        assert!(plan.start.len() <= MAX_STEPS && plan.stop.len() <= MAX_STEPS, "too much at once");
        assert!(plan.wake_at.is_none_or(|wake_at| wake_at > self.now), "wakes in the past");
        let replica = self.service.scheduling_strategy == SchedulingStrategy::Replica;
        let healthy_before = self.healthy();
        if let Some(service) = &plan.service {
            assert!(service.events.len() <= domain::MAX_SERVICE_EVENTS);
            self.service = service.clone();
        }
        for record in &plan.service_deployments {
            self.records.insert(record.id.clone(), record.clone());
        }
        for (id, reason) in &plan.stop {
            let task = self.tasks.get_mut(id).unwrap();
            assert!(!reason.is_empty());
            assert!(task.request_stop(SERVICE_STOP_CODE, reason, self.now), "stopped twice");
        }
        for task in &plan.start {
            self.tasks.insert(task.id.clone(), task.clone());
        }
        if replica && self.service.status == ServiceStatus::Active {
            let live = self.live().count();
            let ceiling = usize::try_from(self.service.task_ceiling()).unwrap();
            assert!(plan.start.is_empty() || live <= ceiling, "{live} tasks, ceiling {ceiling}");
            let floor = usize::try_from(self.service.healthy_floor()).unwrap();
            let healthy = self.healthy();
            assert!(
                healthy >= floor || healthy == healthy_before,
                "{healthy_before} healthy became {healthy} below the floor of {floor}"
            );
        }
        plan
    }

    pub(crate) fn live(&self) -> impl Iterator<Item = &Task> {
        self.tasks.values().filter(|task| task.last_status != TaskStatus::Stopped)
    }

    /// Tasks that are RUNNING, wanted and healthy by their check, or for 40 s without one.
    fn healthy(&self) -> usize {
        self.live()
            .filter(|task| {
                let check =
                    &self.definitions[&task.task_definition].spec.containers[0].health_check;
                let started_at =
                    task.started_at.filter(|_| task.last_status == TaskStatus::Running);
                task.desired_status == DesiredStatus::Running
                    && started_at.is_some_and(|started_at| match check {
                        Some(_) => task.health_status == HealthStatus::Healthy,
                        None => self.now.ms_since(started_at) >= 40_000,
                    })
            })
            .count()
    }

    /// Running tasks by revision that nobody wants stopped, as `1:4 2:3`.
    pub(crate) fn running(&self) -> String {
        let mut counts: BTreeMap<u32, usize> = BTreeMap::new();
        for task in self.live() {
            if task.last_status == TaskStatus::Running
                && task.desired_status == DesiredStatus::Running
            {
                *counts.entry(task.task_definition.revision).or_default() += 1;
            }
        }
        let words: Vec<_> = counts.iter().map(|(revision, n)| format!("{revision}:{n}")).collect();
        words.join(" ")
    }

    /// The ids of tasks that are not STOPPED, in order of their ids.
    pub(crate) fn live_ids(&self) -> Vec<String> {
        self.live().map(|task| task.id.clone()).collect()
    }

    /// A task comes up.
    pub(crate) fn run(&mut self, id: &str) {
        let now = self.now;
        let task = self.tasks.get_mut(id).unwrap();
        if task.last_status < TaskStatus::Running && task.desired_status == DesiredStatus::Running {
            task.last_status = TaskStatus::Running;
            task.started_at = Some(now);
            task.health_status = HealthStatus::Unknown;
        }
    }

    pub(crate) fn health(&mut self, id: &str, status: HealthStatus) {
        let task = self.tasks.get_mut(id).unwrap();
        let checked =
            self.definitions[&task.task_definition].spec.containers[0].health_check.is_some();
        if checked && task.last_status == TaskStatus::Running {
            task.health_status = status;
        }
    }

    /// A task ends: by itself, or because it was asked to.
    pub(crate) fn end(&mut self, id: &str) {
        let now = self.now;
        let task = self.tasks.get_mut(id).unwrap();
        if task.last_status == TaskStatus::Stopped {
            return;
        }
        let code = match task.started_at {
            Some(_) => StopCode::EssentialContainerExited,
            None => StopCode::TaskFailedToStart,
        };
        task.request_stop(code, "it ended", now);
        task.last_status = TaskStatus::Stopped;
        task.stopped_at = Some(now);
    }

    pub(crate) fn protect(&mut self, id: &str, seconds: i64) {
        let expires_at = self.now.plus_seconds(seconds);
        self.tasks.get_mut(id).unwrap().protection = Some(Protection { expires_at });
    }

    pub(crate) fn pass(&mut self, seconds: i64) {
        self.now = self.now.plus_seconds(seconds);
    }

    /// Every task does what is wanted of it. Returns whether any did.
    pub(crate) fn obey(&mut self) -> bool {
        let mut moved = false;
        for id in self.live_ids() {
            let task = &self.tasks[&id];
            let before = (task.last_status, task.health_status);
            if task.desired_status == DesiredStatus::Stopped {
                self.end(&id);
            } else {
                self.run(&id);
                self.health(&id, HealthStatus::Healthy);
            }
            let task = &self.tasks[&id];
            moved |= before != (task.last_status, task.health_status);
        }
        moved
    }

    /// Plans and obeys until nothing happens and nothing is due. Time moves only to where the
    /// plan says that time alone changes something.
    pub(crate) fn settle(&mut self) {
        for _ in 0..2_000 {
            let plan = self.step();
            let moved = self.obey();
            if plan.is_empty() && !moved {
                match plan.wake_at {
                    Some(wake_at) => self.now = wake_at,
                    None => return,
                }
            }
        }
        panic!("never settles: {:#?}", self.service);
    }

    pub(crate) fn primary(&self) -> &Deployment {
        self.service.primary().unwrap()
    }

    /// Newest first, without `(service web) `.
    pub(crate) fn events(&self) -> Vec<&str> {
        let events = self.service.events.iter();
        events.map(|event| event.message.strip_prefix("(service web) ").unwrap()).collect()
    }

    pub(crate) fn said(&self, text: &str) -> usize {
        self.events().iter().filter(|event| event.contains(text)).count()
    }

    /// The status of the record of the deployment that was asked for as number `number`, from 0.
    pub(crate) fn record_status(&self, number: usize) -> ServiceDeploymentStatus {
        let mut records: Vec<_> = self.records.values().collect();
        records
            .sort_by_key(|record| record.id.trim_start_matches("record-").parse::<u64>().unwrap());
        records[number].status
    }
}

fn service(desired: u32, minimum: u32, maximum: u32, now: Timestamp) -> Service {
    Service {
        name: "web".to_owned(),
        cluster: "c".to_owned(),
        status: ServiceStatus::Active,
        scheduling_strategy: SchedulingStrategy::Replica,
        desired_count: desired,
        task_definition: TaskDefinitionId { family: "web".to_owned(), revision: 1 },
        launch_type: LaunchType::Ec2,
        deployment_configuration: DeploymentConfiguration {
            minimum_healthy_percent: minimum,
            maximum_percent: maximum,
            circuit_breaker: None,
        },
        placement_constraints: Vec::new(),
        placement_strategy: Vec::new(),
        health_check_grace_period_seconds: 0,
        deployments: Vec::new(),
        events: Vec::new(),
        steady: false,
        document: Document::default(),
        propagate_tags: "NONE".to_owned(),
        enable_ecs_managed_tags: false,
        enable_execute_command: false,
        tags: Tags::new(),
        created_at: now,
        created_by: "root".to_owned(),
        deleted_at: None,
    }
}

fn definition(id: &TaskDefinitionId, now: Timestamp) -> TaskDefinition {
    let container = ContainerSpec {
        name: "main".to_owned(),
        essential: true,
        cpu_units: TASK_CPU_UNITS,
        memory_mib: Some(64),
        ..ContainerSpec::default()
    };
    TaskDefinition {
        id: id.clone(),
        status: TaskDefinitionStatus::Active,
        spec: TaskSpec {
            containers: vec![container],
            volumes: Vec::new(),
            network_mode: NetworkMode::Bridge,
            cpu_units: None,
            memory_mib: None,
            task_role_arn: None,
            execution_role_arn: None,
            ephemeral_storage_mib: None,
            compatible_with_ec2: true,
            compatible_with_fargate: false,
            placement_expressions: Vec::new(),
        },
        document: Document::default(),
        tags: Tags::new(),
        registered_at: now,
        registered_by: "root".to_owned(),
        deregistered_at: None,
        delete_requested_at: None,
        guard_notes: Vec::new(),
    }
}

fn record(deployment: &Deployment, now: Timestamp) -> ServiceDeployment {
    ServiceDeployment {
        id: deployment.service_deployment_id.clone(),
        cluster: "c".to_owned(),
        service: "web".to_owned(),
        deployment_id: deployment.id.clone(),
        status: ServiceDeploymentStatus::Pending,
        status_reason: None,
        target_revision_id: deployment.service_revision_id.clone(),
        source_revision_ids: Vec::new(),
        requested_count: 0,
        rollback: None,
        breaker_triggered: false,
        breaker_failures: 0,
        configuration: Document::default(),
        created_at: now,
        started_at: None,
        finished_at: None,
        stopped_at: None,
        updated_at: now,
    }
}
