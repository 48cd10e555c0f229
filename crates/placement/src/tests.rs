use std::collections::BTreeMap;

use base::{SeededIds, Timestamp};
use domain::{ContainerSpec, NetworkMode, NewTask, PortMapping, TaskDefinitionId, TaskStatus};

use super::*;

/// A task of 100 CPU units and 64 MiB that publishes `host_port`.
fn spec(network_mode: NetworkMode, host_port: Option<u16>) -> TaskSpec {
    let mapping =
        PortMapping { name: None, container_port: 80, host_port, protocol: Protocol::Tcp };
    TaskSpec {
        containers: vec![ContainerSpec {
            cpu_units: 100,
            memory_mib: Some(128),
            memory_reservation_mib: Some(64),
            port_mappings: vec![mapping],
            ..ContainerSpec::default()
        }],
        volumes: Vec::new(),
        network_mode,
        cpu_units: None,
        memory_mib: None,
        task_role_arn: None,
        execution_role_arn: None,
        ephemeral_storage_mib: None,
        compatible_with_ec2: true,
        compatible_with_fargate: false,
        placement_expressions: vec!["attribute:rack == a".to_owned()],
    }
}

fn record() -> ContainerInstance {
    ContainerInstance {
        id: "i".to_owned(),
        cluster: "c".to_owned(),
        status: ContainerInstanceStatus::Active,
        status_reason: None,
        agent_connected: true,
        agent_version: "1.0.0".to_owned(),
        registered: domain::Resources {
            cpu_units: 300,
            memory_mib: 1000,
            ports: BTreeSet::from([(22, Protocol::Tcp)]),
        },
        attributes: BTreeMap::from([("rack".to_owned(), Some("a".to_owned()))]),
        registered_at: Timestamp::from_epoch_ms(0),
        ec2_instance_id: "i-1".to_owned(),
        fargate_isolation: None,
        system: BTreeMap::new(),
        tags: BTreeMap::new(),
        version: 1,
    }
}

fn task(spec: &TaskSpec) -> Task {
    NewTask {
        cluster: "c",
        task_definition: &TaskDefinitionId { family: "web".to_owned(), revision: 1 },
        spec,
        group: "service:web".to_owned(),
        launch_type: LaunchType::Ec2,
        container_instance: "i".to_owned(),
        now: Timestamp::from_epoch_ms(0),
    }
    .accept(&SeededIds::new(1))
}

fn ask(spec: &TaskSpec, launch_type: LaunchType) -> Request {
    request(spec, "service:web", launch_type, &[], &[]).unwrap()
}

#[test]
fn what_a_task_reserves_is_what_its_request_took() {
    let spec = spec(NetworkMode::Bridge, Some(8080));
    let request = ask(&spec, LaunchType::Ec2);
    let mut assumed = fleet([&record()], []);
    assert_eq!(scheduler::place(&mut assumed, &request, 1, 0).chosen, [0]);
    let counted = fleet([&record()], [&task(&spec)]);
    assert_eq!(assumed.get(0), counted.get(0));
    let remaining = counted.get(0).unwrap().remaining;
    assert_eq!((remaining.cpu_units, remaining.memory_mib), (200, 936));
}

#[test]
fn a_task_holds_its_resources_until_it_is_stopped() {
    let mut task = task(&spec(NetworkMode::Bridge, None));
    let remaining = |task: &Task| fleet([&record()], [task]).get(0).unwrap().remaining.cpu_units;
    task.last_status = TaskStatus::Deprovisioning;
    assert_eq!(remaining(&task), 200);
    task.last_status = TaskStatus::Stopped;
    assert_eq!(remaining(&task), 300);
    task.last_status = TaskStatus::Running;
    task.container_instance = "other".to_owned();
    assert_eq!(remaining(&task), 300);
}

#[test]
fn a_host_port_is_given_once_and_only_where_it_is_published() {
    let check = |network_mode, port, expected: usize| {
        let request = ask(&spec(network_mode, port), LaunchType::Ec2);
        let placement = scheduler::place(&mut fleet([&record()], []), &request, 5, 0);
        assert_eq!(placement.chosen.len(), expected, "{network_mode:?} {port:?}");
    };
    check(NetworkMode::Bridge, Some(8080), 1);
    check(NetworkMode::Bridge, Some(22), 0);
    check(NetworkMode::Bridge, None, 3);
    check(NetworkMode::Awsvpc, Some(22), 3);
}

#[test]
fn status_launch_type_and_the_definitions_own_constraints_bind() {
    let check = |change: fn(&mut ContainerInstance), launch_type, expected: bool| {
        let mut record = record();
        change(&mut record);
        let request = ask(&spec(NetworkMode::Bridge, None), launch_type);
        let refusal = scheduler::refusal(&fleet([&record], []), 0, &request);
        assert_eq!(refusal.is_none(), expected, "{refusal:?}");
    };
    check(|_| {}, LaunchType::Ec2, true);
    check(|_| {}, LaunchType::External, true);
    check(|_| {}, LaunchType::Fargate, false);
    check(|it| it.fargate_isolation = Some("container".to_owned()), LaunchType::Fargate, true);
    check(|it| it.status = ContainerInstanceStatus::Draining, LaunchType::Ec2, false);
    check(|it| it.agent_connected = false, LaunchType::Ec2, false);
    check(|it| it.attributes.clear(), LaunchType::Ec2, false);
}

#[test]
fn what_is_wrong_with_a_constraint_or_a_strategy_is_said() {
    let spec = spec(NetworkMode::Bridge, None);
    let constraint = PlacementConstraint::MemberOf("attribute:rack ==".to_owned());
    let wrong = request(&spec, "g", LaunchType::Ec2, &[constraint], &[]).unwrap_err();
    assert!(wrong.to_string().contains("`attribute:rack ==`"), "{wrong}");
    let strategy = PlacementStrategy::Binpack("disk".to_owned());
    let wrong = request(&spec, "g", LaunchType::Ec2, &[], &[strategy]).unwrap_err();
    assert!(matches!(wrong, PlacementError::Strategy(_)), "{wrong}");
}
