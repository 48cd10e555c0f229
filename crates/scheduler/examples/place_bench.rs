//! Measures 100,000 placements over 10,000 instances for each strategy, on one core.
//!
//! `cargo run --release -p scheduler --example place_bench`; one line per strategy, in one call and
//! in calls of one task.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use base::Timestamp;
use scheduler::{
    Constraint, Fleet, Instance, InstanceStatus, LaunchType, Query, Request, Resources,
    SpreadField, Strategy, place,
};

const INSTANCES: u32 = 10_000;
const TASKS: u32 = 100_000;

fn main() {
    let attribute = |name: &str| Strategy::Spread(SpreadField::Attribute(name.to_owned()));
    let zone = || attribute("ecs.availability-zone");
    let host = || Strategy::Spread(SpreadField::Instance);
    let member_of = "attribute:ecs.availability-zone in [a, b, c] and runningTasksCount < 100";
    let cases: [(&str, Vec<Strategy>, Option<&str>); 10] = [
        ("default", vec![], None),
        ("random", vec![Strategy::Random], None),
        ("binpack(cpu)", vec![Strategy::BinpackCpu], None),
        ("binpack(memory)", vec![Strategy::BinpackMemory], None),
        ("spread(instanceId)", vec![host()], None),
        ("spread(zone)", vec![zone()], None),
        ("spread(zone) binpack(memory)", vec![zone(), Strategy::BinpackMemory], None),
        (
            "spread(zone) spread(rack) random",
            vec![zone(), attribute("rack"), Strategy::Random],
            None,
        ),
        ("spread(name)", vec![attribute("name")], None),
        (
            "spread(zone) binpack(cpu), memberOf",
            vec![zone(), Strategy::BinpackCpu],
            Some(member_of),
        ),
    ];
    print_line("100,000 placements over 10,000 instances", "one call", "100,000 calls");
    for (name, strategies, member_of) in cases {
        let request = request(strategies, member_of);
        let [one_call, many_calls] = [1, TASKS].map(|calls| {
            let mut fleet = fleet();
            let elapsed = timed(|| {
                for call in 0..calls {
                    let placement = place(&mut fleet, &request, TASKS / calls, call.into());
                    assert_eq!(placement.unplaced, 0, "{name}");
                }
            });
            format!("{} ms", elapsed.as_millis())
        });
        print_line(name, &one_call, &many_calls);
    }
}

#[expect(clippy::print_stdout, reason = "the measurement is the output")]
fn print_line(name: &str, one_call: &str, many_calls: &str) {
    println!("{name:42} {one_call:>12} {many_calls:>14}");
}

#[expect(clippy::disallowed_methods, reason = "a measurement needs the machine's clock")]
fn timed(work: impl FnOnce()) -> Duration {
    let start = std::time::Instant::now();
    work();
    start.elapsed()
}

fn fleet() -> Fleet {
    let total = Resources { cpu_units: 16 * 1024, memory_mib: 64 * 1024, gpus: 0 };
    let instance = |number: u32| {
        let zone = ["a", "b", "c"].into_iter().cycle().nth((number % 3) as usize);
        Instance {
            id: format!("{number:032x}"),
            ec2_instance_id: None,
            status: InstanceStatus::Active,
            agent_connected: true,
            agent_version: "1.0.0".to_owned(),
            registered_at: Timestamp::from_epoch_ms(0),
            attributes: BTreeMap::from([
                ("ecs.availability-zone".to_owned(), zone.map(str::to_owned)),
                ("rack".to_owned(), Some(format!("{}", number / 10))),
                ("name".to_owned(), Some(format!("{number}"))),
            ]),
            launch_types: BTreeSet::from([LaunchType::Ec2]),
            total,
            remaining: total,
            used_host_ports: BTreeSet::from([(22, scheduler::Protocol::Tcp)]),
            running_tasks: 0,
            tasks_by_group: BTreeMap::new(),
        }
    };
    (0..INSTANCES).map(instance).collect()
}

fn request(strategies: Vec<Strategy>, member_of: Option<&str>) -> Request {
    let query = |text| Query::parse(text).map(Constraint::MemberOf);
    Request {
        group: "service:web".to_owned(),
        resources: Resources { cpu_units: 256, memory_mib: 512, gpus: 0 },
        host_ports: BTreeSet::new(),
        launch_type: LaunchType::Ec2,
        required_attributes: BTreeMap::new(),
        constraints: member_of.map(query).transpose().unwrap_or_default().into_iter().collect(),
        strategies: strategies.try_into().unwrap_or_default(),
    }
}
