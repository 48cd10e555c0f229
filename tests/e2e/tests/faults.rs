//! A machine that fails around the program: no space, no files, no memory. Calls fail cleanly, what
//! was acknowledged stays, and all is well when the machine is.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "clippy knows a test by its attribute, and these are their helpers"
)]

use std::fs::{self, File};
use std::io::Write as _;
use std::net::TcpStream;
use std::time::Duration;

use e2e::{World, eventually, shell};
use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};
use serde_json::{Value, json};

const BOUND: Duration = Duration::from_secs(60);
/// The disk of the test below: the images and a log take about a third of it.
const DISK_MIB: u32 = 192;

fn try_register(world: &mut World, family: &str) -> Result<Value, e2e::ApiError> {
    // Large enough that a full disk shows soon.
    let filler = "x".repeat(20_000);
    let mut container = shell("main", "true");
    container["environment"] = json!([{"name": "FILLER", "value": filler}]);
    let input = json!({"family": family, "containerDefinitions": [container]});
    world.client().call("ecs", "register_task_definition", &input)
}

fn families(world: &mut World) -> Vec<String> {
    let output = world.ecs("list_task_definition_families", &json!({"familyPrefix": "full-"}));
    let families = output["families"].as_array().unwrap().iter();
    families.map(|family| family.as_str().unwrap().to_owned()).collect()
}

#[test]
fn on_a_full_disk_calls_fail_and_nothing_acknowledged_is_lost() {
    let mut world = World::on_a_small_disk(DISK_MIB);
    let script = "trap 'exit 0' TERM; while true; do sleep 0.1; done";
    let task = world.run_script("bystander", script);
    world.wait_task(&task, "RUNNING");
    let filler = world.state_dir().join("filler");
    let mut kept = Vec::new();
    for round in 0..2 {
        fill(&filler);
        let mut refused = None;
        for number in 0..400 {
            let family = format!("full-{round}-{number}");
            match try_register(&mut world, &family) {
                Ok(_) => kept.push(family),
                Err(error) => {
                    refused = Some(error);
                    break;
                }
            }
        }
        let refused = refused.expect("a full disk is noticed");
        assert!(refused.status >= 500, "not the caller's fault: {refused:?}");
        // Reads go on, and so does what runs.
        let found = families(&mut world);
        assert!(kept.iter().all(|family| found.contains(family)), "{kept:?} of {found:?}");
        assert_eq!(world.task(&task)["lastStatus"], "RUNNING");
        fs::remove_file(&filler).unwrap();
        eventually("calls succeed when there is space again", BOUND, || {
            let family = format!("full-after-{round}");
            match try_register(&mut world, &family) {
                Ok(_) => {
                    kept.push(family);
                    Ok(())
                }
                Err(error) => Err(format!("{error:?}\n{}", world.program().log_end())),
            }
        });
        // The second time the machine dies with a full disk.
        if round == 1 {
            fill(&filler);
            world.kill();
            fs::remove_file(&filler).unwrap();
            world.start();
        }
    }
    let found = families(&mut world);
    assert!(kept.iter().all(|family| found.contains(family)), "{kept:?} of {found:?}");
    world.stop(&task);
    world.wait_stopped(&task);
    world.finish();
}

/// Takes all space there is.
fn fill(path: &std::path::Path) {
    let mut file = File::create(path).unwrap();
    for chunk in [vec![0_u8; 1 << 20], vec![0; 4096]] {
        while file.write_all(&chunk).is_ok() {}
    }
}

#[test]
fn without_files_to_open_it_sheds_load_and_recovers() {
    let mut world = World::new();
    let task = world.run_script("bystander", "trap 'exit 0' TERM; while true; do sleep 0.1; done");
    world.wait_task(&task, "RUNNING");
    let process = Pid::from_raw(i32::try_from(world.program().id()).unwrap());
    let open = world.program().open_files().len() as u64;
    let before = getrlimit(Resource::Nofile);
    let lowered = Rlimit { current: Some(open + 12), ..before };
    prlimit(process, Resource::Nofile, lowered).unwrap();
    let address = world.endpoint().trim_start_matches("http://").to_owned();
    let crowd: Vec<TcpStream> =
        (0..100).filter_map(|_| TcpStream::connect(&address).ok()).collect();
    // Many wait to be accepted; those who are inside are served or told.
    for number in 0..5 {
        let family = format!("crowded-{number}");
        let input = json!({"family": family, "containerDefinitions": [shell("main", "true")]});
        if let Err(error) = world.client().call("ecs", "register_task_definition", &input) {
            assert!(error.status == 0 || error.status >= 500, "{error:?}");
        }
    }
    assert!(world.runs(), "it gave up");
    drop(crowd);
    prlimit(process, Resource::Nofile, before).unwrap();
    eventually("it serves again", BOUND, || {
        let described = world.client().call("ecs", "describe_tasks", &json!({"tasks": [task]}));
        match described {
            Ok(output) if output["tasks"][0]["lastStatus"] == "RUNNING" => Ok(()),
            other => Err(format!("{other:?}")),
        }
    });
    let second = world.run_script("after", "exit 0");
    world.wait_stopped(&second);
    world.stop(&task);
    world.wait_stopped(&task);
    world.finish();
}

#[test]
fn a_container_that_takes_all_its_memory_is_killed_and_nobody_else() {
    let mut world = World::new();
    let neighbour =
        world.run_script("neighbour", "trap 'exit 0' TERM; while true; do sleep 0.1; done");
    world.wait_task(&neighbour, "RUNNING");
    // awk keeps what it appends.
    let script = "awk 'BEGIN { while (1) { s = s \"0123456789abcdef0123456789abcdef\" s } }'";
    let greedy: Vec<String> = (0..3).map(|_| world.run_script("greedy", script)).collect();
    for arn in &greedy {
        let task = world.wait_stopped(arn);
        let reason = task["containers"][0]["reason"].as_str().unwrap_or_default();
        assert!(reason.starts_with("OutOfMemoryError"), "{task}");
    }
    assert_eq!(world.task(&neighbour)["lastStatus"], "RUNNING");
    assert!(world.runs());
    world.stop(&neighbour);
    world.wait_stopped(&neighbour);
    world.finish();
}

#[test]
fn twenty_tasks_later_as_few_files_are_open_as_before() {
    let mut world = World::new();
    let definition = world.register("short", &json!([shell("main", "echo done")]));
    for _ in 0..4 {
        let input = json!({"taskDefinition": definition, "count": 5});
        let output = world.ecs("run_task", &input);
        let arns: Vec<String> = output["tasks"]
            .as_array()
            .unwrap()
            .iter()
            .map(|task| task["taskArn"].as_str().unwrap().to_owned())
            .collect();
        for arn in arns {
            world.wait_stopped(&arn);
        }
    }
    let tasks = world.state_dir().join("node/tasks");
    eventually("the node has forgotten the tasks", BOUND, || {
        let left: Vec<_> = fs::read_dir(&tasks).unwrap().flatten().collect();
        if left.is_empty() { Ok(()) } else { Err(format!("{left:?}")) }
    });
    // What this is about is in there.
    world.finish();
}
