//! The scheduler by itself.

use std::collections::{BTreeMap, BTreeSet};

use base::Timestamp;
use scheduler::{
    Fleet, Instance, InstanceStatus, LaunchType, Request, Resources, SpreadField, Strategy, place,
};

use crate::report::{Goal, Row};
use crate::{Setting, clock};

const INSTANCES: u32 = 10_000;
const TASKS: u32 = 100_000;

/// Places tasks one call at a time, as RunTask does, with each strategy.
pub(crate) fn measure(setting: &Setting) -> Vec<Row> {
    let tasks = setting.amount(TASKS, TASKS / 10);
    let zone = Strategy::Spread(SpreadField::Attribute("ecs.availability-zone".to_owned()));
    let cases = [
        ("spread over zones, then instances", vec![zone, Strategy::Spread(SpreadField::Instance)]),
        ("binpack by memory", vec![Strategy::BinpackMemory]),
        ("random", vec![Strategy::Random]),
    ];
    let rows = cases.map(|(name, strategies)| {
        let request = request(strategies);
        let mut fleet: Fleet = (0..INSTANCES).map(instance).collect();
        let begin = clock::now();
        let mut unplaced = 0;
        for call in 0..tasks {
            unplaced += place(&mut fleet, &request, 1, call.into()).unplaced;
        }
        let seconds = begin.elapsed().as_secs_f64() * f64::from(TASKS / tasks);
        assert_eq!(unplaced, 0, "{name}: the fleet is large enough for all");
        Row::new(
            format!("100,000 placements on 10,000 instances, {name}"),
            seconds,
            "s",
            Goal::AtMost(2.0),
        )
        .method("The scheduler alone, in this process, on one core; one call for each placement.")
    });
    rows.into()
}

fn request(strategies: Vec<Strategy>) -> Request {
    Request {
        group: "service:web".to_owned(),
        resources: Resources { cpu_units: 256, memory_mib: 512, gpus: 0 },
        host_ports: BTreeSet::new(),
        launch_type: LaunchType::Ec2,
        required_attributes: BTreeMap::new(),
        constraints: Vec::new(),
        strategies: strategies.try_into().unwrap_or_default(),
    }
}

fn instance(number: u32) -> Instance {
    let total = Resources { cpu_units: 16 * 1024, memory_mib: 64 * 1024, gpus: 0 };
    let zone = match number % 3 {
        0 => "a",
        1 => "b",
        _ => "c",
    };
    Instance {
        id: format!("{number:032x}"),
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
