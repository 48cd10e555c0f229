//! One example that holds and one that does not, for every predicate.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use base::{SeededIds, Timestamp};
use domain::*;

use crate::containers::{Seen, SeenTask, nothing_alive, start_order, stop_order};
use crate::decisions::{self, Decision};
use crate::liveness::{self, Settled};
use crate::{Actor, Finding, Invariant, Monitor, Observation, Record, resources, tasks};

const NOW: Timestamp = Timestamp::from_epoch_ms(10_000_000);

#[track_caller]
fn check(holds: &Finding, broken: &Finding) {
    assert!(holds.holds(), "{holds:?}");
    assert_eq!(broken.broken.len(), 1, "{broken:?}");
}

fn container(name: &str) -> ContainerSpec {
    ContainerSpec {
        name: name.to_owned(),
        essential: true,
        cpu_units: 100,
        memory_mib: Some(100),
        ..ContainerSpec::default()
    }
}

fn definition() -> TaskDefinition {
    let mut main = container("main");
    let condition = DependencyCondition::Healthy;
    main.depends_on = vec![DependsOn { container_name: "db".to_owned(), condition }];
    TaskDefinition {
        id: TaskDefinitionId { family: "web".to_owned(), revision: 1 },
        status: TaskDefinitionStatus::Active,
        spec: TaskSpec {
            containers: vec![container("db"), main],
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
        registered_at: NOW,
        registered_by: "root".to_owned(),
        deregistered_at: None,
        delete_requested_at: None,
        guard_notes: Vec::new(),
    }
}

/// A standalone task on instance `i`; its seed makes its id.
fn task(seed: u64) -> Task {
    let definition = definition();
    NewTask {
        cluster: "c",
        task_definition: &definition.id,
        spec: &definition.spec,
        group: "family:web".to_owned(),
        launch_type: LaunchType::Ec2,
        container_instance: "i".to_owned(),
        now: NOW,
    }
    .accept(&SeededIds::new(seed))
}

/// A task of service `web`, healthy.
fn member(seed: u64) -> Task {
    let mut task = task(seed);
    task.service = Some("web".to_owned());
    task.started_by = Some("ecs-svc/1".to_owned());
    task.last_status = TaskStatus::Running;
    task.started_at = Some(NOW.plus_seconds(-100));
    task
}

fn instance() -> ContainerInstance {
    ContainerInstance {
        id: "i".to_owned(),
        cluster: "c".to_owned(),
        status: ContainerInstanceStatus::Active,
        status_reason: None,
        agent_connected: true,
        agent_version: "1".to_owned(),
        registered: Resources { cpu_units: 1000, memory_mib: 300, ports: BTreeSet::new() },
        attributes: BTreeMap::new(),
        registered_at: NOW,
        ec2_instance_id: "i-1".to_owned(),
        fargate_isolation: None,
        system: BTreeMap::new(),
        tags: Tags::new(),
        version: 1,
    }
}

fn service(desired_count: u32) -> Service {
    Service {
        name: "web".to_owned(),
        cluster: "c".to_owned(),
        status: ServiceStatus::Active,
        scheduling_strategy: SchedulingStrategy::Replica,
        desired_count,
        task_definition: definition().id,
        launch_type: LaunchType::Ec2,
        deployment_configuration: DeploymentConfiguration {
            minimum_healthy_percent: 50,
            maximum_percent: 150,
            circuit_breaker: Some(CircuitBreaker {
                rollback: false,
                threshold: FailureThreshold::Count(2),
                reset_on_healthy_task: true,
            }),
        },
        placement_constraints: Vec::new(),
        placement_strategy: Vec::new(),
        health_check_grace_period_seconds: 0,
        deployments: vec![Deployment {
            id: "ecs-svc/1".to_owned(),
            status: DeploymentStatus::Primary,
            task_definition: definition().id,
            launch_type: LaunchType::Ec2,
            failed_tasks: 0,
            failures_reset_at: None,
            rollout_state: RolloutState::InProgress,
            rollout_state_reason: String::new(),
            service_revision_id: "1".to_owned(),
            service_deployment_id: "1".to_owned(),
            created_at: NOW,
            updated_at: NOW,
        }],
        events: Vec::new(),
        steady: false,
        document: Document::default(),
        propagate_tags: "NONE".to_owned(),
        enable_ecs_managed_tags: false,
        enable_execute_command: false,
        tags: Tags::new(),
        created_at: NOW,
        created_by: "root".to_owned(),
        deleted_at: None,
    }
}

#[test]
fn every_invariant_has_its_own_number_and_words() {
    let numbers: BTreeSet<_> = Invariant::ALL.iter().map(|one| one.id()).collect();
    assert_eq!(numbers.len(), Invariant::ALL.len());
    assert!(Invariant::ALL.iter().all(|one| !one.title().is_empty() && !one.doc().is_empty()));
}

#[test]
fn a_task_stays_on_its_node() {
    let (here, mut there) = (task(1), task(1));
    there.container_instance = "j".to_owned();
    check(&tasks::placement_is_fixed(&here, &here), &tasks::placement_is_fixed(&here, &there));
}

#[test]
fn amounts_and_ports_are_given_once() {
    let (mut one, mut two) = (task(1), task(2));
    let instance = instance();
    check(&resources::amounts(&instance, [&one]), &resources::amounts(&instance, [&one, &two]));
    one.reserved_ports = vec![(80, Protocol::Tcp)];
    two.reserved_ports = vec![(80, Protocol::Tcp)];
    check(
        &resources::host_ports(&instance, [&one]),
        &resources::host_ports(&instance, [&one, &two]),
    );
    let other = |address| [("u", address, &[81_u16][..])];
    let own = ("t", "10.0.0.1", &[80_u16][..]);
    check(
        &resources::addresses(own, other("10.0.0.2")),
        &resources::addresses(own, other("10.0.0.1")),
    );
}

fn decision<'a>(before: &'a Service, after: &'a Service, tasks: &'a [Task]) -> Decision<'a> {
    Decision {
        now: NOW,
        before,
        after,
        tasks: tasks.iter().collect(),
        checked: BTreeSet::new(),
        instances: Vec::new(),
        started: Vec::new(),
        stopped: BTreeSet::new(),
    }
}

#[test]
fn decisions_keep_floor_and_ceiling() {
    let service = service(4);
    let tasks: Vec<Task> = (0..4).map(member).collect();
    let stop = |count: usize| {
        let mut decision = decision(&service, &service, &tasks);
        decision.stopped = tasks.iter().take(count).map(|task| task.id.as_str()).collect();
        decisions::floor(&decision)
    };
    check(&stop(2), &stop(3));
    let new: Vec<Task> = (10..13).map(task).collect();
    let start = |count: usize| {
        let mut decision = decision(&service, &service, &tasks);
        decision.started = new.iter().take(count).collect();
        decisions::ceiling(&decision)
    };
    check(&start(2), &start(3));
}

#[test]
fn the_breaker_opens_at_its_threshold() {
    let before = service(4);
    let mut failed = before.clone();
    failed.deployments[0].rollout_state = RolloutState::Failed;
    "ECS deployment circuit breaker: tasks failed to start."
        .clone_into(&mut failed.deployments[0].rollout_state_reason);
    let tasks: Vec<Task> = (0..2)
        .map(|seed| {
            let mut task = member(seed);
            task.started_at = None;
            task.request_stop(StopCode::TaskFailedToStart, "no", NOW);
            task.last_status = TaskStatus::Stopped;
            task
        })
        .collect();
    let at = |after, count: usize| decisions::breaker(&decision(&before, after, &tasks[..count]));
    check(&at(&failed, 2), &at(&failed, 1));
    check(&at(&before, 1), &at(&before, 2));
}

#[test]
fn status_does_not_go_back() {
    let (pending, running) = (task(1), member(1));
    let pending = Task { service: running.service.clone(), ..pending };
    check(&tasks::never_back(&pending, &running), &tasks::never_back(&running, &pending));
}

#[test]
fn a_stopped_task_has_nothing_alive() {
    let seen = |alive| SeenTask::from([("main".to_owned(), Seen { alive, ..Seen::default() })]);
    check(&nothing_alive("t", &seen(vec![])), &nothing_alive("t", &seen(vec![1])));
}

#[test]
fn an_essential_exit_stops_the_task() {
    let (mut task, spec) = (member(1), definition().spec);
    task.containers[0].last_status = ContainerStatus::Stopped;
    let mut stopping = task.clone();
    stopping.last_status = TaskStatus::Stopping;
    check(&tasks::essential_exit(&stopping, &spec), &tasks::essential_exit(&task, &spec));
}

#[test]
fn containers_start_and_stop_in_order() {
    let spec = definition().spec;
    let main = &spec.containers[1];
    let db = |passed| SeenTask::from([("db".to_owned(), Seen { passed, ..Seen::default() })]);
    let start = |passed| start_order("t", &spec, main, &db(passed));
    check(&start(true), &start(false));
    let main = |alive| SeenTask::from([("main".to_owned(), Seen { alive, ..Seen::default() })]);
    let stop = |alive| stop_order("t", &spec, "db", &main(alive));
    check(&stop(vec![]), &stop(vec![1]));
}

#[test]
fn a_stop_has_a_reason() {
    let mut with = task(1);
    with.request_stop(StopCode::UserInitiated, "because", NOW);
    let without = Task { stopped_reason: None, ..with.clone() };
    check(&tasks::stop_has_reason(&with), &tasks::stop_has_reason(&without));
}

/// What a monitor finds broken after some commits.
fn broken(by: &Actor, commits: &[Vec<Task>]) -> Vec<Invariant> {
    let mut monitor = Monitor::default();
    for tasks in commits {
        let record = |task: &Task| Record::Task(task.id.clone(), Some(Arc::new(task.clone())));
        let records: Vec<Record> = tasks.iter().map(record).collect();
        monitor.observe(NOW, Observation::Committed { by, records: &records });
    }
    monitor.violations().iter().map(|violation| violation.invariant).collect()
}

#[test]
fn tokens_make_tasks_once_and_only_accepted_requests_make_any() {
    let run = Actor::Call { id: 1, operation: "RunTask" };
    let with_token = |seed| Task { client_token: Some("token".to_owned()), ..task(seed) };
    assert_eq!(broken(&run, &[vec![with_token(1), with_token(2)]]), []);
    let twice = broken(&run, &[vec![with_token(1)], vec![with_token(2)]]);
    assert_eq!(twice, [Invariant::ClientTokens]);
    assert_eq!(broken(&Actor::Services, &[vec![task(1)]]), [Invariant::AcceptedOnly]);
}

#[test]
fn a_refused_call_has_written_nothing() {
    let refused = |writes: bool| {
        let mut monitor = Monitor::default();
        let by = Actor::Call { id: 1, operation: "CreateCluster" };
        if writes {
            monitor.observe(NOW, Observation::Committed { by: &by, records: &[] });
        }
        monitor.observe(NOW, Observation::Answered { call: 1, refused: true });
        assert_eq!(monitor.exercised().of(Invariant::RefusedWritesNothing), 1);
        monitor.violations().len()
    };
    assert_eq!((refused(false), refused(true)), (0, 1));
}

/// What liveness finds broken.
fn lively(service: Service, tasks: &[Task], instance: ContainerInstance) -> BTreeSet<Invariant> {
    let definition = definition();
    let tasks = tasks.iter().map(|task| (task.id.clone(), Arc::new(task.clone()))).collect();
    let settled = Settled {
        now: NOW.plus_seconds(3600),
        services: &BTreeMap::from([("c/web".to_owned(), Arc::new(service))]),
        tasks: &tasks,
        instances: &BTreeMap::from([("i".to_owned(), Arc::new(instance))]),
        definitions: &BTreeMap::from([(definition.id.clone(), Arc::new(definition))]),
        reachable: &BTreeSet::from(["i".to_owned()]),
        hopeless: &BTreeSet::new(),
        ran_before: None,
    };
    let findings = liveness::check(&settled);
    findings.into_iter().filter(|(_, one)| !one.broken.is_empty()).map(|(one, _)| one).collect()
}

#[test]
fn services_reach_their_desired_count_or_say_why() {
    let mut done = service(1);
    done.deployments[0].rollout_state = RolloutState::Completed;
    assert_eq!(lively(done.clone(), &[member(1)], instance()), BTreeSet::new());
    let lacking = BTreeSet::from([Invariant::DesiredReached, Invariant::PendingExplained]);
    assert_eq!(lively(done.clone(), &[], instance()), lacking);
    let going = BTreeSet::from([Invariant::DeploymentsEnd]);
    assert_eq!(lively(service(1), &[member(1)], instance()), going);
}

#[test]
fn draining_stops_and_starts_end() {
    let mut done = service(1);
    done.deployments[0].rollout_state = RolloutState::Completed;
    let draining = Service { status: ServiceStatus::Draining, ..done.clone() };
    let expected = BTreeSet::from([Invariant::DrainingEnds]);
    assert_eq!(lively(draining, &[], instance()), expected);
    let rising = BTreeSet::from([Invariant::PendingExplained]);
    assert_eq!(lively(done.clone(), &[member(1), task(2)], instance()), rising);
    let mut stopping = task(3);
    stopping.last_status = TaskStatus::Running;
    stopping.request_stop(StopCode::UserInitiated, "because", NOW);
    let expected = BTreeSet::from([Invariant::StopsEnd]);
    assert_eq!(lively(done, &[member(1), stopping], instance()), expected);
}
