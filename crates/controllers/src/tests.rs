//! Controllers, node link and janitor over the store in memory, with a node that does as it is told.

use std::sync::Arc;

use base::{Clock, IdSource as _, ManualClock, Scope, SeededIds, Timestamp};
use domain::*;
use node_proto::{ControlPlane, DesiredSet, LinkError, PROTOCOL_VERSION, Registration, TaskReport};
use state::{Change, State, View};
use store::{CommitFault, FaultScript, Faults, HistoryLimits, MemoryStore};
use tokio::sync::watch;

use crate::{Janitor, NodeLink, RETENTION_MS, ServiceController, TaskSessions};
use credentials::RecordedSessions;

mod credentials;

const NODE: &str = "11111111111111111111111111111111";

struct World {
    state: Arc<State>,
    clock: Arc<ManualClock>,
    faults: Arc<FaultScript>,
    link: Arc<NodeLink>,
    sessions: Arc<RecordedSessions>,
    controller: ServiceController,
    sequence: u64,
}

impl World {
    async fn new() -> Self {
        let faults = Arc::new(FaultScript::default());
        let script: Arc<dyn Faults> = Arc::clone(&faults) as Arc<dyn Faults>;
        let store = Arc::new(MemoryStore::new(HistoryLimits::default(), script));
        let (state, follower) = State::open(store).await.unwrap();
        tokio::spawn(follower.run());
        let clock = Arc::new(ManualClock::new(Timestamp::from_epoch_ms(1_000_000)));
        let dyn_clock: Arc<dyn Clock> = Arc::clone(&clock) as Arc<dyn Clock>;
        let scope = Scope {
            region: "eu-west-1".parse().unwrap(),
            account: "000000000000".parse().unwrap(),
        };
        let sessions = Arc::new(RecordedSessions::default());
        let link = Arc::new(NodeLink::new(
            Arc::clone(&state),
            Arc::clone(&dyn_clock),
            scope,
            Arc::clone(&sessions) as Arc<dyn TaskSessions>,
        ));
        tokio::spawn(Arc::clone(&link).run());
        let ids = Arc::new(SeededIds::new(1));
        let controller = ServiceController::new(Arc::clone(&state), dyn_clock, ids);
        Self { state, clock, faults, link, sessions, controller, sequence: 0 }
    }

    async fn commit(&self, build: impl FnOnce(&View, &mut Change)) {
        let mut change = Change::new();
        build(&self.state.view(), &mut change);
        self.state.commit(change).await.unwrap();
    }

    async fn join(&self) -> watch::Receiver<Arc<DesiredSet>> {
        self.link.register(registration()).await.unwrap()
    }

    async fn create_service(&self, desired_count: u32) {
        let now = self.clock.now();
        let (definition, service, record) = service(desired_count, now);
        self.commit(|_, change| {
            change.create(&definition);
            change.create(&service);
            change.create(&record);
        })
        .await;
    }

    async fn update_service(&self, update: impl FnOnce(&mut Service)) {
        self.commit(|view, change| {
            let row = view.service("c", "web").unwrap();
            let mut service = row.value.as_ref().clone();
            update(&mut service);
            change.update(row, &service);
        })
        .await;
    }

    /// Controller, link and node work until `done`; seconds pass meanwhile.
    async fn until(
        &mut self,
        desired: &watch::Receiver<Arc<DesiredSet>>,
        done: impl Fn(&View) -> bool,
    ) {
        for _ in 0..500 {
            self.controller.turn().await;
            if done(&self.state.view()) {
                return;
            }
            let set = Arc::clone(&desired.borrow());
            let reports = set.tasks.iter().map(|task| {
                let status = match task.desired_status {
                    DesiredStatus::Running => TaskStatus::Running,
                    DesiredStatus::Stopped => TaskStatus::Stopped,
                };
                self.sequence += 1;
                report(&task.task_id, self.sequence, status, self.clock.now())
            });
            let reports: Vec<_> = reports.collect();
            // What is lost is sent again in the next round.
            let _sent = self.link.report(reports).await;
            self.clock.advance_ms(1_000);
            for _ in 0..20 {
                tokio::task::yield_now().await;
            }
        }
        let view = self.state.view();
        let tasks: Vec<_> = view.tasks().map(|task| task.value.as_ref()).collect();
        panic!("never done: {:#?}\n{tasks:#?}", view.service("c", "web").map(|row| &row.value));
    }

    fn running(&self) -> usize {
        self.state.view().tasks().filter(|task| task.last_status == TaskStatus::Running).count()
    }

    fn task(&self, id: &str) -> Task {
        self.state.view().task(id).unwrap().value.as_ref().clone()
    }

    /// A task on the node that no service wants.
    async fn create_task(&self) -> Task {
        let now = self.clock.now();
        let (definition, _, _) = service(0, now);
        let task = NewTask {
            cluster: "c",
            task_definition: &definition.id,
            spec: &definition.spec,
            group: "family:web".to_owned(),
            launch_type: LaunchType::Ec2,
            container_instance: NODE.to_owned(),
            now,
        }
        .accept(&SeededIds::new(99));
        self.commit(|_, change| {
            change.create(&definition);
            change.create(&task);
        })
        .await;
        task
    }
}

fn registration() -> Registration {
    Registration {
        protocol_version: PROTOCOL_VERSION,
        instance_id: NODE.to_owned(),
        cluster: "c".to_owned(),
        ec2_instance_id: "i-1".to_owned(),
        agent_version: "1.0.0".to_owned(),
        resources: Resources { cpu_units: 100_000, memory_mib: 100_000, ..Resources::default() },
        attributes: vec![("ecs.os-type".to_owned(), Some("linux".to_owned()))],
        fargate_isolation: None,
        system: Vec::new(),
    }
}

fn report(task: &str, sequence: u64, last_status: TaskStatus, now: Timestamp) -> TaskReport {
    let stopped = (last_status == TaskStatus::Stopped).then_some(now);
    TaskReport {
        task_id: task.to_owned(),
        observation: TaskObservation {
            sequence,
            last_status,
            containers: Vec::new(),
            health_status: HealthStatus::Unknown,
            address: None,
            mac_address: None,
            stop: None,
            pull_started_at: None,
            pull_stopped_at: None,
            started_at: Some(now),
            execution_stopped_at: stopped,
            stopped_at: stopped,
        },
    }
}

fn definition(now: Timestamp) -> TaskDefinition {
    let container = ContainerSpec {
        name: "main".to_owned(),
        essential: true,
        cpu_units: 10,
        memory_mib: Some(10),
        ..ContainerSpec::default()
    };
    TaskDefinition {
        id: TaskDefinitionId { family: "web".to_owned(), revision: 1 },
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

fn deployment(id: TaskDefinitionId, now: Timestamp) -> Deployment {
    Deployment {
        id: "ecs-svc/1".to_owned(),
        status: DeploymentStatus::Primary,
        task_definition: id,
        launch_type: LaunchType::Ec2,
        failed_tasks: 0,
        failures_reset_at: None,
        rollout_state: RolloutState::InProgress,
        rollout_state_reason: String::new(),
        service_revision_id: "1".to_owned(),
        service_deployment_id: "record".to_owned(),
        created_at: now,
        updated_at: now,
    }
}

fn record(desired: u32, now: Timestamp) -> ServiceDeployment {
    ServiceDeployment {
        id: "record".to_owned(),
        cluster: "c".to_owned(),
        service: "web".to_owned(),
        deployment_id: "ecs-svc/1".to_owned(),
        status: ServiceDeploymentStatus::Pending,
        status_reason: None,
        target_revision_id: "1".to_owned(),
        source_revision_ids: Vec::new(),
        requested_count: desired,
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

fn service(desired: u32, now: Timestamp) -> (TaskDefinition, Service, ServiceDeployment) {
    let definition = definition(now);
    let service = Service {
        name: "web".to_owned(),
        cluster: "c".to_owned(),
        status: ServiceStatus::Active,
        scheduling_strategy: SchedulingStrategy::Replica,
        desired_count: desired,
        task_definition: definition.id.clone(),
        launch_type: LaunchType::Ec2,
        deployment_configuration: DeploymentConfiguration {
            minimum_healthy_percent: 100,
            maximum_percent: 200,
            circuit_breaker: None,
        },
        placement_constraints: Vec::new(),
        placement_strategy: Vec::new(),
        health_check_grace_period_seconds: 0,
        deployments: vec![deployment(definition.id.clone(), now)],
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
    };
    (definition, service, record(desired, now))
}

fn steady(view: &View) -> bool {
    view.service("c", "web").is_some_and(|service| service.steady)
}

#[tokio::test]
async fn a_service_is_brought_up_scaled_and_taken_down() {
    let mut world = World::new().await;
    let desired = world.join().await;
    world.create_service(30).await;
    world.until(&desired, steady).await;
    assert_eq!(world.running(), 30);
    world.update_service(|service| (service.desired_count, service.steady) = (5, false)).await;
    world.until(&desired, steady).await;
    assert_eq!(world.running(), 5);
    world.update_service(|service| service.status = ServiceStatus::Draining).await;
    let gone = |view: &View| {
        view.service("c", "web").is_some_and(|service| service.status == ServiceStatus::Inactive)
    };
    world.until(&desired, gone).await;
    assert_eq!(world.running(), 0);
}

#[tokio::test]
async fn a_store_that_fails_delays_a_service_and_doubles_nothing() {
    let mut world = World::new().await;
    let desired = world.join().await;
    world.create_service(4).await;
    world.faults.commits([
        CommitFault::Conflict,
        CommitFault::Unavailable,
        CommitFault::LostResponse,
        CommitFault::LostRequest,
        CommitFault::Conflict,
    ]);
    world.until(&desired, steady).await;
    assert_eq!((world.running(), world.state.view().tasks().count()), (4, 4));
}

#[tokio::test]
async fn a_node_that_joins_again_keeps_what_others_wrote() {
    let world = World::new().await;
    let _desired = world.join().await;
    let cluster = world.state.view().cluster("c").map(|cluster| cluster.status);
    assert_eq!(cluster, Some(ClusterStatus::Active));
    world
        .commit(|view, change| {
            let row = view.instance(NODE).unwrap();
            let mut instance = row.value.as_ref().clone();
            instance.status = ContainerInstanceStatus::Draining;
            instance.attributes.insert("rack".to_owned(), None);
            instance.attributes.insert("ecs.gone".to_owned(), None);
            change.update(row, &instance);
        })
        .await;
    world.clock.advance_ms(5_000);
    let _desired = world.join().await;
    let view = world.state.view();
    let instance = view.instance(NODE).unwrap();
    assert_eq!(instance.status, ContainerInstanceStatus::Draining);
    assert_eq!(instance.attributes.keys().collect::<Vec<_>>(), ["ecs.os-type", "rack"]);
    assert_eq!(instance.registered_at, Timestamp::from_epoch_ms(1_000_000));
    assert_eq!(instance.version, 2);
}

#[tokio::test]
async fn a_node_of_another_protocol_or_deregistered_is_refused() {
    let world = World::new().await;
    let other = Registration { protocol_version: PROTOCOL_VERSION + 1, ..registration() };
    assert!(matches!(world.link.register(other).await, Err(LinkError::Refused { .. })));
    let _desired = world.join().await;
    world
        .commit(|view, change| {
            let row = view.instance(NODE).unwrap();
            let mut instance = row.value.as_ref().clone();
            instance.status = ContainerInstanceStatus::Inactive;
            change.update(row, &instance);
        })
        .await;
    assert!(matches!(world.link.register(registration()).await, Err(LinkError::Refused { .. })));
}

/// The next desired set, waited for with a bound.
async fn next(desired: &mut watch::Receiver<Arc<DesiredSet>>) -> Arc<DesiredSet> {
    let bound = std::time::Duration::from_secs(20);
    tokio::time::timeout(bound, desired.changed()).await.expect("no new desired set").unwrap();
    Arc::clone(&desired.borrow_and_update())
}

#[tokio::test]
async fn a_node_is_told_what_changes_for_it_with_a_rising_generation() {
    let world = World::new().await;
    let mut desired = world.join().await;
    let task = world.create_task().await;
    let first = next(&mut desired).await;
    assert_eq!(first.tasks[0].task_id, task.id);
    assert_eq!(
        first.tasks[0].task_arn,
        format!("arn:aws:ecs:eu-west-1:000000000000:task/c/{}", task.id)
    );
    // What the node itself reports is no news for it.
    let now = world.clock.now();
    world.link.report(vec![report(&task.id, 1, TaskStatus::Running, now)]).await.unwrap();
    world
        .commit(|view, change| {
            let row = view.task(&task.id).unwrap();
            let mut task = row.value.as_ref().clone();
            task.request_stop(StopCode::UserInitiated, "enough", now);
            change.update(row, &task);
        })
        .await;
    let second = next(&mut desired).await;
    assert!(second.generation > first.generation);
    assert_eq!(second.tasks[0].desired_status, DesiredStatus::Stopped);
    world.link.report(vec![report(&task.id, 2, TaskStatus::Stopped, now)]).await.unwrap();
    let third = next(&mut desired).await;
    assert!(third.generation > second.generation && third.tasks.is_empty());
}

#[tokio::test]
async fn reports_count_once_and_in_their_order() {
    let world = World::new().await;
    let _desired = world.join().await;
    let id = world.create_task().await.id;
    let now = world.clock.now();
    let running = report(&id, 1, TaskStatus::Running, now);
    world.link.report(vec![running.clone()]).await.unwrap();
    let once = world.task(&id);
    world.link.report(vec![running.clone()]).await.unwrap();
    assert_eq!(world.task(&id), once, "sent twice");
    let stopped = report(&id, 3, TaskStatus::Stopped, now);
    let late = report(&id, 2, TaskStatus::Stopping, now);
    let unknown = report("unknown", 1, TaskStatus::Running, now);
    world.link.report(vec![stopped, late, unknown]).await.unwrap();
    let task = world.task(&id);
    assert_eq!((task.last_status, task.report_sequence), (TaskStatus::Stopped, 3));
    world.link.report(vec![report(&id, 4, TaskStatus::Running, now)]).await.unwrap();
    assert_eq!(world.task(&id), task, "a stopped task does not run again");
}

#[tokio::test]
async fn reports_survive_conflicts_and_lost_answers() {
    let world = World::new().await;
    let _desired = world.join().await;
    let id = world.create_task().await.id;
    world.faults.commits([CommitFault::Conflict, CommitFault::LostResponse]);
    let running = report(&id, 1, TaskStatus::Running, world.clock.now());
    world.link.report(vec![running]).await.unwrap();
    let task = world.task(&id);
    assert_eq!((task.last_status, task.version), (TaskStatus::Running, 2));
}

#[tokio::test]
async fn the_janitor_forgets_stopped_tasks_after_an_hour() {
    let world = World::new().await;
    let janitor =
        Janitor::new(Arc::clone(&world.state), Arc::clone(&world.clock) as Arc<dyn Clock>);
    let base = world.create_task().await;
    let ids = SeededIds::new(7);
    let stopped_at = world.clock.now();
    // More than one transaction takes.
    for _ in 0..3 {
        world
            .commit(|_, change| {
                for _ in 0..50 {
                    let mut task = base.clone();
                    task.id = ids.hex32();
                    task.last_status = TaskStatus::Stopped;
                    task.stopped_at = Some(stopped_at);
                    change.create(&task);
                }
            })
            .await;
    }
    world.clock.advance_ms(RETENTION_MS);
    janitor.sweep().await;
    assert_eq!(world.state.view().tasks().count(), 151);
    world.clock.advance_ms(1);
    janitor.sweep().await;
    assert_eq!(world.state.view().tasks().count(), 1, "the one that is not stopped stays");
}

#[tokio::test]
async fn the_janitor_keeps_what_a_circuit_breaker_counts() {
    let world = World::new().await;
    let janitor =
        Janitor::new(Arc::clone(&world.state), Arc::clone(&world.clock) as Arc<dyn Clock>);
    let base = world.create_task().await;
    let (_, mut web, _) = service(1, world.clock.now());
    web.deployment_configuration.circuit_breaker = Some(CircuitBreaker {
        rollback: false,
        threshold: FailureThreshold::Count(3),
        reset_on_healthy_task: true,
    });
    let task = |id: &str, started_at| Task {
        id: id.to_owned(),
        service: Some("web".to_owned()),
        started_by: Some("ecs-svc/1".to_owned()),
        last_status: TaskStatus::Stopped,
        stop_code: Some(StopCode::TaskFailedToStart),
        stopped_at: Some(world.clock.now()),
        started_at,
        ..base.clone()
    };
    let (failed, ran) = (task("failed", None), task("ran", Some(world.clock.now())));
    world
        .commit(|_, change| {
            change.create(&web);
            change.create(&failed);
            change.create(&ran);
        })
        .await;
    world.clock.advance_ms(RETENTION_MS + 1);
    janitor.sweep().await;
    let left = |id: &str| world.state.view().task(id).is_some();
    assert_eq!((left("failed"), left("ran")), (true, false));
    world
        .update_service(|service| service.deployments[0].rollout_state = RolloutState::Failed)
        .await;
    janitor.sweep().await;
    assert!(!left("failed"));
}

#[tokio::test]
async fn the_janitor_keeps_revisions_that_a_service_or_a_record_names() {
    let world = World::new().await;
    let janitor =
        Janitor::new(Arc::clone(&world.state), Arc::clone(&world.clock) as Arc<dyn Clock>);
    let (definition, mut web, mut old) = service(0, world.clock.now());
    web.deployments[0].service_revision_id = "current".to_owned();
    old.target_revision_id = "recorded".to_owned();
    let revision = |id: &str| ServiceRevision {
        id: id.to_owned(),
        cluster: "c".to_owned(),
        service: "web".to_owned(),
        task_definition: definition.id.clone(),
        launch_type: LaunchType::Ec2,
        document: Document::default(),
        created_at: world.clock.now(),
    };
    world
        .commit(|_, change| {
            change.create(&web);
            change.create(&old);
            for id in ["current", "recorded", "forgotten"] {
                change.create(&revision(id));
            }
        })
        .await;
    let left = || {
        let view = world.state.view();
        view.service_revisions().map(|row| row.id.clone()).collect::<Vec<_>>()
    };
    janitor.sweep().await;
    assert_eq!(left().len(), 3);
    world.clock.advance_ms(RETENTION_MS + 1);
    janitor.sweep().await;
    assert_eq!(left(), ["current", "recorded"]);
}

#[tokio::test]
async fn the_janitor_forgets_deleted_services_and_unused_definitions() {
    let world = World::new().await;
    let janitor =
        Janitor::new(Arc::clone(&world.state), Arc::clone(&world.clock) as Arc<dyn Clock>);
    world.create_service(0).await;
    world
        .commit(|view, change| {
            let row = view.task_definitions().next().unwrap();
            let mut definition = row.value.as_ref().clone();
            definition.status = TaskDefinitionStatus::DeleteInProgress;
            change.update(row, &definition);
        })
        .await;
    janitor.sweep().await;
    assert_eq!(world.state.view().task_definitions().count(), 1, "a service uses it");
    let now = world.clock.now();
    world
        .update_service(|service| {
            service.status = ServiceStatus::Inactive;
            service.deleted_at = Some(now);
        })
        .await;
    janitor.sweep().await;
    let view = |world: &World| {
        let view = world.state.view();
        (view.services().count(), view.task_definitions().count())
    };
    assert_eq!(view(&world), (1, 0));
    world.clock.advance_ms(RETENTION_MS + 1);
    janitor.sweep().await;
    assert_eq!(view(&world), (0, 0));
}
