//! Placement as a whole: sentences, and properties against a slow reference.

use std::collections::{BTreeMap, BTreeSet};

use base::Timestamp;
use proptest::prelude::*;

use crate::{
    Constraint, Fleet, Instance, InstanceStatus, LaunchType, Protocol, Query, Refusals, Request,
    Resources, SpreadField, StopCandidate, Strategies, Strategy as Order, choose_to_stop, place,
    refusal,
};

fn instance(id: &str, zone: &str, cpu_units: u32, memory_mib: u32) -> Instance {
    let total = Resources { cpu_units, memory_mib, gpus: 0 };
    Instance {
        id: id.to_owned(),
        ec2_instance_id: None,
        status: InstanceStatus::Active,
        agent_connected: true,
        agent_version: "1.0.0".to_owned(),
        registered_at: Timestamp::from_epoch_ms(0),
        attributes: BTreeMap::from([("ecs.availability-zone".to_owned(), Some(zone.to_owned()))]),
        launch_types: BTreeSet::from([LaunchType::Ec2]),
        total,
        remaining: total,
        used_host_ports: BTreeSet::new(),
        running_tasks: 0,
        tasks_by_group: BTreeMap::new(),
    }
}

fn request(cpu_units: u32, memory_mib: u32, strategies: Vec<Order>) -> Request {
    Request {
        group: "service:web".to_owned(),
        resources: Resources { cpu_units, memory_mib, gpus: 0 },
        host_ports: BTreeSet::new(),
        launch_type: LaunchType::Ec2,
        required_attributes: BTreeMap::new(),
        constraints: vec![],
        strategies: strategies.try_into().unwrap(),
    }
}

fn by_zone() -> Order {
    Order::Spread(SpreadField::Attribute("ecs.availability-zone".to_owned()))
}

fn by_instance() -> Order {
    Order::Spread(SpreadField::Instance)
}

/// Ids of the chosen instances, in order of choice.
fn placed(fleet: &mut Fleet, request: &Request, count: u32) -> Vec<String> {
    let placement = place(fleet, request, count, 1);
    placement.chosen.iter().map(|ordinal| fleet.get(*ordinal).unwrap().id.clone()).collect()
}

#[test]
fn without_strategies_tasks_go_to_the_emptiest_zone_then_the_emptiest_instance() {
    let mut fleet: Fleet = [("a1", "a"), ("a2", "a"), ("b1", "b")]
        .map(|(id, zone)| instance(id, zone, 4096, 4096))
        .into_iter()
        .collect();
    let mut chosen = placed(&mut fleet, &request(128, 128, vec![]), 4);
    chosen.sort();
    assert_eq!(chosen, ["a1", "a2", "b1", "b1"]);
}

#[test]
fn binpack_fills_one_instance_before_the_next() {
    let mut fleet: Fleet = [instance("big", "a", 4096, 4096), instance("small", "a", 1024, 2048)]
        .into_iter()
        .collect();
    let packed = placed(&mut fleet, &request(512, 512, vec![Order::BinpackCpu]), 4);
    assert_eq!(packed, ["small", "small", "big", "big"]);
}

#[test]
fn spread_over_zones_then_binpack_packs_within_each_zone() {
    let mut fleet: Fleet = [
        instance("a-big", "a", 4096, 4096),
        instance("a-small", "a", 1024, 1024),
        instance("b-big", "b", 4096, 4096),
        instance("b-small", "b", 1024, 1024),
    ]
    .into_iter()
    .collect();
    let mut chosen =
        placed(&mut fleet, &request(256, 256, vec![by_zone(), Order::BinpackMemory]), 4);
    chosen.sort();
    assert_eq!(chosen, ["a-small", "a-small", "b-small", "b-small"]);
}

#[test]
fn tasks_on_a_draining_instance_do_not_count_for_the_balance() {
    let mut leaving = instance("a-old", "a", 4096, 4096);
    leaving.status = InstanceStatus::Draining;
    leaving.tasks_by_group.insert("service:web".to_owned(), 2);
    let mut fleet: Fleet =
        [leaving, instance("a-new", "a", 4096, 4096), instance("b", "b", 4096, 4096)]
            .into_iter()
            .collect();
    let mut chosen = placed(&mut fleet, &request(128, 128, vec![by_zone()]), 2);
    chosen.sort();
    assert_eq!(chosen, ["a-new", "b"]);
}

#[test]
fn refusals_are_counted_and_the_closest_instance_is_named() {
    let mut instances: Vec<_> =
        (1..=3).map(|number| instance(&format!("i{number}"), "a", number * 256, 4096)).collect();
    instances.extend(["x1", "x2"].map(|id| instance(id, "b", 4096, 4096)));
    let mut fleet: Fleet = instances.into_iter().collect();
    let mut request = request(1024, 512, vec![]);
    let query = Query::parse("attribute:ecs.availability-zone == a").unwrap();
    request.constraints.push(Constraint::MemberOf(query));
    let placement = place(&mut fleet, &request, 2, 1);
    assert_eq!((placement.chosen.as_slice(), placement.unplaced), ([].as_slice(), 2));
    let reasons: Vec<_> =
        placement.failures.iter().map(|failure| failure.reason.as_str()).collect();
    let member_of = "MemberOf placement constraint unsatisfied.";
    assert_eq!(reasons, ["RESOURCE:CPU", "RESOURCE:CPU", "RESOURCE:CPU", member_of, member_of]);
    let refusals = placement.refusals.unwrap();
    assert_eq!(refusals.explain(), "3 of 5 instances refused by cpu, 2 by memberOf expression");
    assert_eq!(
        refusals.event_reason(),
        "no container instance met all of its requirements. The closest matching \
         container-instance i3 has insufficient CPU units available."
    );
    assert_eq!(
        refusals.closest.unwrap().detail,
        "the task needs 1024 CPU units, 768 of 768 are left"
    );
}

#[test]
fn a_cluster_without_instances_says_so() {
    let placement = place(&mut Fleet::default(), &request(1, 1, vec![]), 1, 1);
    let refusals = placement.refusals.unwrap();
    assert_eq!(refusals.explain(), "the cluster has no container instances");
    assert_eq!(refusals.event_reason(), "no container instance met all of its requirements.");
}

/// Changes one thing about an instance and one about a request, and expects one refusal.
fn check_refusal(
    change: impl FnOnce(&mut Instance, &mut Request),
    reason: &str,
    detail: &str,
    clause: &str,
) {
    let (mut instance, mut request) = (instance("i1", "a", 1024, 1024), request(512, 512, vec![]));
    change(&mut instance, &mut request);
    let fleet: Fleet = [instance].into_iter().collect();
    let failure = refusal(&fleet, 0, &request).expect("the instance is refused");
    assert_eq!((failure.reason.as_str(), failure.detail.as_str()), (reason, detail));
    let event = Refusals::of(&fleet, &request).event_reason();
    assert!(event.ends_with(&format!("container-instance i1 {clause}.")), "{event}");
}

#[test]
fn every_filter_words_its_own_refusal() {
    check_refusal(
        |instance, _| instance.agent_connected = false,
        "AGENT",
        "the agent is not connected: check that the node is up and reaches the control plane",
        "encountered error \"AGENT\"",
    );
    check_refusal(
        |instance, _| instance.status = InstanceStatus::Draining,
        "AGENT",
        "the container instance is DRAINING and takes no new tasks: only ACTIVE ones do",
        "encountered error \"AGENT\"",
    );
    check_refusal(
        |_, request| request.launch_type = LaunchType::Fargate,
        "LAUNCHTYPE:FARGATE",
        "the container instance does not run FARGATE tasks: start the node with \
         `--fargate-isolation container` or use launch type EC2",
        "encountered error \"LAUNCHTYPE:FARGATE\"",
    );
    check_refusal(
        |_, request| {
            request.required_attributes.insert("ecs.capability.x".to_owned(), None);
            request.required_attributes.insert("arch".to_owned(), Some("arm64".to_owned()));
        },
        "ATTRIBUTE",
        "the container instance lacks the required attributes `arch=arm64`, `ecs.capability.x`",
        "is missing an attribute required by your task",
    );
    check_refusal(
        |instance, request| {
            instance.tasks_by_group.insert("service:web".to_owned(), 1);
            request.constraints.push(Constraint::DistinctInstance);
        },
        "DistinctInstance placement constraint unsatisfied.",
        "the container instance already runs a task of the group `service:web`",
        "encountered error \"DistinctInstance placement constraint unsatisfied.\"",
    );
    check_refusal(
        |_, request| request.resources.memory_mib = 2048,
        "RESOURCE:MEMORY",
        "the task needs 2048 MiB of memory, 1024 of 1024 are left",
        "has insufficient memory available",
    );
    check_refusal(
        |_, request| request.resources.gpus = 1,
        "RESOURCE:GPU",
        "the task needs 1 GPUs, 0 of 0 are left",
        "has insufficient GPU resource available",
    );
    check_refusal(
        |instance, request| {
            instance.used_host_ports.insert((80, Protocol::Tcp));
            request.host_ports.insert((80, Protocol::Tcp));
        },
        "RESOURCE:PORTS",
        "host ports already in use: 80/tcp",
        "is already using a port required by your task",
    );
}

#[test]
fn releasing_a_task_makes_room_for_the_next() {
    let mut fleet: Fleet = [instance("i1", "a", 512, 512)].into_iter().collect();
    let mut request = request(512, 512, vec![]);
    request.host_ports.insert((80, Protocol::Tcp));
    assert_eq!(placed(&mut fleet, &request, 2), ["i1"]);
    fleet.release(0, &request);
    assert_eq!(fleet.get(0), Some(&instance("i1", "a", 512, 512)));
    assert_eq!(placed(&mut fleet, &request, 2), ["i1"]);
}

fn task(instance: usize, cpu_units: u32) -> StopCandidate {
    StopCandidate { instance: Some(instance), cpu_units, memory_mib: 0, may_stop: true }
}

fn check_stops(tasks: &[StopCandidate], strategies: Vec<Order>, count: usize, expected: &[usize]) {
    let fleet: Fleet = [("a1", "a", 1024), ("a2", "a", 4096), ("b1", "b", 2048)]
        .map(|(id, zone, cpu_units)| instance(id, zone, cpu_units, 1024))
        .into_iter()
        .collect();
    let strategies = Strategies::try_from(strategies).unwrap();
    let mut chosen = choose_to_stop(&fleet, tasks, &strategies, count, 9);
    chosen.sort_unstable();
    assert_eq!(chosen, expected);
}

#[test]
fn scale_in_takes_from_the_fullest_zone_then_the_fullest_instance() {
    // Three tasks in zone a, of which two are on a2; two on b1.
    let tasks = [task(0, 1), task(1, 1), task(1, 1), task(2, 1), task(2, 1)];
    let chosen = choose_to_stop(
        &[("a1", "a"), ("a2", "a"), ("b1", "b")]
            .map(|(id, zone)| instance(id, zone, 1024, 1024))
            .into_iter()
            .collect(),
        &tasks,
        &Strategies::default(),
        1,
        3,
    );
    assert!(matches!(chosen.as_slice(), [1 | 2]), "{chosen:?}");
}

#[test]
fn scale_in_after_binpack_stops_where_most_is_left() {
    check_stops(&[task(0, 64), task(1, 64), task(2, 64)], vec![Order::BinpackCpu], 2, &[1, 2]);
}

#[test]
fn scale_in_spares_protected_tasks_and_begins_with_unplaced_ones() {
    let mut protected = task(1, 1);
    protected.may_stop = false;
    let unplaced = StopCandidate { instance: None, cpu_units: 1, memory_mib: 1, may_stop: true };
    check_stops(&[task(0, 1), unplaced.clone(), protected.clone()], vec![], 1, &[1]);
    check_stops(&[task(0, 1), unplaced, protected], vec![], 3, &[0, 1]);
}

/// The filters once more, written as plainly as possible.
fn reference_fits(instance: &Instance, request: &Request) -> bool {
    let constraints_hold = request.constraints.iter().all(|constraint| match constraint {
        Constraint::DistinctInstance => !instance.tasks_by_group.contains_key(&request.group),
        Constraint::MemberOf(query) => query.matches(instance),
    });
    instance.status == InstanceStatus::Active
        && instance.agent_connected
        && constraints_hold
        && instance.remaining.cpu_units >= request.resources.cpu_units
        && instance.remaining.memory_mib >= request.resources.memory_mib
        && instance.used_host_ports.is_disjoint(&request.host_ports)
}

/// The rank of an instance by a full scan: one number per strategy, lower is better.
fn reference_rank(fleet: &Fleet, instance: &Instance, request: &Request) -> Vec<u64> {
    let group_tasks = |instance: &Instance| {
        u64::from(instance.tasks_by_group.get(&request.group).copied().unwrap_or(0))
    };
    let mut rank = Vec::new();
    for strategy in request.strategies.effective() {
        rank.push(match strategy {
            Order::Random => return rank,
            Order::Spread(SpreadField::Instance) => group_tasks(instance),
            Order::Spread(SpreadField::Attribute(name)) => fleet
                .iter()
                .filter(|(_, other)| other.status == InstanceStatus::Active)
                .filter(|(_, other)| other.attributes.get(&name) == instance.attributes.get(&name))
                .map(|(_, other)| group_tasks(other))
                .sum(),
            Order::BinpackCpu => instance.remaining.cpu_units.into(),
            Order::BinpackMemory => instance.remaining.memory_mib.into(),
        });
    }
    rank.push(instance.running_tasks.into());
    rank
}

/// Plays a placement again with the reference and checks every single choice.
fn check_against_reference(mut fleet: Fleet, request: &Request, count: u32, chosen: &[usize]) {
    for ordinal in chosen {
        let instance = fleet.get(*ordinal).unwrap();
        assert!(reference_fits(instance, request), "does not fit: {instance:?}");
        let best = fleet
            .iter()
            .filter(|(_, other)| reference_fits(other, request))
            .map(|(_, other)| reference_rank(&fleet, other, request))
            .min();
        assert_eq!(Some(reference_rank(&fleet, instance, request)), best);
        fleet.assume(*ordinal, request);
    }
    if chosen.len() < count.try_into().unwrap() {
        assert!(!fleet.iter().any(|(_, instance)| reference_fits(instance, request)));
    }
}

fn copy(fleet: &Fleet) -> Fleet {
    fleet.iter().map(|(_, instance)| instance.clone()).collect()
}

fn any_instances() -> impl Strategy<Value = Vec<Instance>> {
    let one = (0..3_u8, 0..2_u8, 0..5_u32, 0..5_u32, 0..10_u8, prop::bool::weighted(0.2));
    prop::collection::vec(one, 0..12).prop_map(|instances| {
        let mut made = Vec::new();
        for (number, (zone, rack, cpu, memory, health, port)) in instances.into_iter().enumerate() {
            let id = format!("i{number}");
            let mut one = instance(&id, &format!("z{zone}"), cpu * 256, memory * 256);
            if rack > 0 {
                one.attributes.insert("rack".to_owned(), Some(format!("r{rack}")));
            }
            one.agent_connected = health != 0;
            if health == 1 {
                one.status = InstanceStatus::Draining;
            }
            if port {
                one.used_host_ports.insert((80, Protocol::Tcp));
            }
            made.push(one);
        }
        made
    })
}

fn any_request() -> impl Strategy<Value = Request> {
    let strategy = prop::sample::select(vec![
        by_zone(),
        Order::Spread(SpreadField::Attribute("rack".to_owned())),
        by_instance(),
        Order::BinpackCpu,
        Order::BinpackMemory,
        Order::Random,
    ]);
    let constraint = prop::sample::select(vec![
        Constraint::DistinctInstance,
        Constraint::MemberOf(Query::parse("attribute:ecs.availability-zone != z0").unwrap()),
        Constraint::MemberOf(Query::parse("runningTasksCount < 2").unwrap()),
        Constraint::MemberOf(Query::parse("not(task:group == service:other)").unwrap()),
    ]);
    let group = prop::sample::select(vec!["service:web", "service:other"]);
    (
        (0..3_u32, 0..3_u32),
        prop::collection::vec(strategy, 0..4),
        prop::collection::vec(constraint, 0..2),
        group,
        prop::bool::weighted(0.3),
    )
        .prop_map(|((cpu, memory), strategies, constraints, group, port)| {
            let mut request = request(cpu * 128 + 1, memory * 128 + 1, strategies);
            request.constraints = constraints;
            request.group = group.to_owned();
            if port {
                request.host_ports.insert((80, Protocol::Tcp));
            }
            request
        })
}

proptest! {
    #[test]
    fn every_choice_fits_and_ranks_best_and_failure_means_that_nothing_fits(
        instances in any_instances(),
        requests in prop::collection::vec((any_request(), 0..8_u32), 1..6),
        seed: u64,
    ) {
        let mut fleet: Fleet = instances.into_iter().collect();
        for (request, count) in &requests {
            let before = copy(&fleet);
            let placement = place(&mut fleet, request, *count, seed);
            let placed = u32::try_from(placement.chosen.len()).unwrap();
            prop_assert_eq!(placed + placement.unplaced, *count);
            check_against_reference(before, request, *count, &placement.chosen);
        }
    }

    #[test]
    fn what_earlier_calls_left_behind_never_changes_a_placement(
        instances in any_instances(),
        requests in prop::collection::vec((any_request(), 0..4_u32), 1..5),
        released: prop::sample::Index,
        seed: u64,
    ) {
        let mut fleet: Fleet = instances.into_iter().collect();
        for round in 0..3 {
            for (request, count) in &requests {
                let mut fresh = copy(&fleet);
                let placement = place(&mut fleet, request, *count, seed ^ round);
                prop_assert_eq!(&placement, &place(&mut fresh, request, *count, seed ^ round));
                if !placement.chosen.is_empty() {
                    fleet.release(*released.get(&placement.chosen), request);
                }
            }
        }
    }

    #[test]
    fn refusals_add_up_to_the_instances_that_refuse(
        instances in any_instances(),
        request in any_request(),
    ) {
        let fleet: Fleet = instances.into_iter().collect();
        let refusals = Refusals::of(&fleet, &request);
        let refusing = fleet.iter().filter(|(_, one)| !reference_fits(one, &request)).count();
        prop_assert_eq!(refusals.by_filter.iter().map(|(_, count)| count).sum::<usize>(), refusing);
        prop_assert_eq!(refusals.closest.is_some(), refusing > 0);
        for (ordinal, one) in fleet.iter() {
            prop_assert_eq!(
                refusal(&fleet, ordinal, &request).is_none(),
                reference_fits(one, &request)
            );
        }
    }

    #[test]
    fn spread_differs_by_at_most_one_between_equal_instances(
        instances in 1..8_u32,
        count in 0..40_u32,
        seed: u64,
    ) {
        let mut fleet: Fleet = (0..instances)
            .map(|number| instance(&format!("i{number}"), &format!("z{}", number % 2), 65536, 65536))
            .collect();
        place(&mut fleet, &request(1, 1, vec![by_instance()]), count, seed);
        let tasks: Vec<u32> = fleet.iter().map(|(_, instance)| instance.running_tasks).collect();
        prop_assert!(tasks.iter().max().unwrap() - tasks.iter().min().unwrap() <= 1, "{tasks:?}");
    }

    #[test]
    fn scale_in_by_spread_leaves_zones_and_instances_balanced(
        tasks in prop::collection::vec(0..6_usize, 1..30),
        stop in 0..30_usize,
        seed: u64,
    ) {
        let fleet: Fleet = (0..6)
            .map(|number| instance(&format!("i{number}"), &format!("z{}", number % 3), 1024, 1024))
            .collect();
        let candidates: Vec<_> = tasks.iter().map(|ordinal| task(*ordinal, 1)).collect();
        let chosen =
            choose_to_stop(&fleet, &candidates, &Strategies::default(), stop, seed);
        prop_assert_eq!(chosen.len(), stop.min(tasks.len()));
        let mut zones = [0_usize; 3];
        for ordinal in &tasks {
            zones[ordinal % 3] += 1;
        }
        for index in chosen {
            let zone = tasks[index] % 3;
            prop_assert_eq!(zones[zone], *zones.iter().max().unwrap());
            zones[zone] -= 1;
        }
    }
}
