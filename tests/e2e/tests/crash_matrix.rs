//! The programs killed at each step that they persist, and started again: see the crate `crash-point`.
//!
//! Nothing that was acknowledged is lost, what was begun comes to its end, nothing is made twice, and
//! nothing is left behind. `CRASH_MATRIX=full` tries each place at several hits instead of the first.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "clippy knows a test by its attribute, and these are their helpers"
)]

use std::collections::BTreeSet;
use std::time::Duration;

use e2e::{World, eventually, shell, task_id};
use serde_json::{Value, json};

/// How long a place may take to be reached, and a kill to show.
const BOUND: Duration = Duration::from_secs(60);
/// Prints its number every 20 ms and ends well when it is told to.
const COUNTER: &str = "trap 'exit 0' TERM; counter=0; \
                       while true; do counter=$((counter+1)); echo $counter; sleep 0.02; done";

/// Whose death a place brings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Victim {
    Server,
    Shim,
}

use Victim::{Server, Shim};

#[expect(clippy::disallowed_methods, reason = "soak asks for more")]
fn is_full() -> bool {
    std::env::var("CRASH_MATRIX").is_ok_and(|text| text == "full")
}

/// Hits at which a place is tried.
fn hits(often: u32) -> std::ops::RangeInclusive<u32> {
    1..=if is_full() { often } else { 1 }
}

/// After the place was armed: waits until somebody died there, and starts the server again if it was
/// the server. False when nothing was killed though `done` says that there will be no more to do.
fn survive(
    world: &mut World,
    (place, victim): (&str, Victim),
    mut done: impl FnMut(&mut World) -> bool,
) -> bool {
    let reached = eventually(&format!("{place} is reached"), BOUND, || {
        if world.crashed_at(place) {
            return Ok(true);
        }
        if world.runs() && done(world) { Ok(false) } else { Err("not yet".to_owned()) }
    });
    if reached && victim == Server {
        eventually(&format!("the server dies at {place}"), BOUND, || {
            if world.runs() { Err("it runs".to_owned()) } else { Ok(()) }
        });
        world.kill();
        world.start();
    }
    let _reached = world.forget_crash(place);
    reached
}

/// Calls RunTask until it is answered, as a client with retries does.
fn run_with_token(world: &mut World, definition: &str, token: &str) -> Option<String> {
    let input = json!({
        "taskDefinition": definition, "clientToken": token, "startedBy": token, "count": 1,
    });
    match world.client().call("ecs", "run_task", &input) {
        Ok(output) => Some(output["tasks"][0]["taskArn"].as_str().unwrap().to_owned()),
        Err(error) if error.status == 0 => None,
        Err(error) => panic!("{error:?}"),
    }
}

/// `lastStatus`, unless the server dies just now.
fn last_status(world: &mut World, arn: &str) -> Option<String> {
    let output = world.client().call("ecs", "describe_tasks", &json!({"tasks": [arn]})).ok()?;
    output["tasks"][0]["lastStatus"].as_str().map(ToOwned::to_owned)
}

fn started_by(world: &mut World, token: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for status in ["RUNNING", "STOPPED"] {
        let output = world.ecs("list_tasks", &json!({"startedBy": token, "desiredStatus": status}));
        let arns = output["taskArns"].as_array().unwrap().clone();
        found.extend(arns.iter().map(|arn| arn.as_str().unwrap().to_owned()));
    }
    found
}

/// A task that runs or has stopped, and then says why.
fn settled(world: &mut World, arn: &str, what: &str) -> Value {
    eventually(&format!("{what}: the task settles"), BOUND, || {
        let task = world.task(arn);
        match task["lastStatus"].as_str() {
            Some("STOPPED") if task["stoppedReason"].is_string() => Ok(task),
            Some("RUNNING") => Ok(task),
            _ => Err(format!("{task}\n{}", world.program().log_end())),
        }
    })
}

fn check_run(world: &mut World, definition: &str, (place, victim): (&str, Victim), hit: u32) {
    let what = format!("{place} #{hit}");
    let token = what.replace(['.', ' ', '#'], "-");
    world.crash_at(place, hit);
    let answered = run_with_token(world, definition, &token);
    let known = answered.clone();
    let reached = survive(world, (place, victim), |world| match &known {
        Some(arn) => last_status(world, arn).as_deref() == Some("RUNNING"),
        None => false,
    });
    assert!(reached || hit > 1, "{what} is never reached by RunTask");
    // Without an answer the client asks again with the same token, and gets the same task.
    let arn = match answered {
        Some(arn) => arn,
        None => run_with_token(world, definition, &token).unwrap(),
    };
    assert_eq!(started_by(world, &token), [arn.clone()].into(), "{what}: one task, not two");
    let task = settled(world, &arn, &what);
    if victim == Server {
        assert_eq!(task["lastStatus"], "RUNNING", "{what}: {task}");
    }
    world.stop(&arn);
    world.wait_stopped(&arn);
}

/// A world with a task definition whose containers have a port, a volume and a log.
fn world() -> (World, String) {
    let mut world = World::new();
    let mut container = shell("main", COUNTER);
    container["portMappings"] = json!([{"containerPort": 80}]);
    container["mountPoints"] = json!([{"sourceVolume": "work", "containerPath": "/data"}]);
    let definition = world.register_with(&json!({
        "family": "crashing", "volumes": [{"name": "work"}], "containerDefinitions": [container],
    }));
    (world, definition)
}

fn check_all_of_run(places: &[(&str, Victim)], often: u32) {
    let (mut world, definition) = world();
    for place in places {
        for hit in hits(often) {
            check_run(&mut world, &definition, *place, hit);
        }
    }
    world.finish();
}

#[test]
fn run_task_survives_a_kill_of_the_control_plane_at_each_step() {
    let places = [
        "api.commit.wanted",
        "api.commit.made",
        "store.group.durable",
        "link.set.published",
        "link.report.taken",
        "link.report.committed",
    ];
    check_all_of_run(&places.map(|place| (place, Server)), 4);
}

#[test]
fn run_task_survives_a_kill_of_the_node_at_each_step() {
    let places = [
        "node.file.staged",
        "node.task.saved",
        "node.task.reported",
        "runtime.sandbox.staged",
        "runtime.sandbox.recorded",
        "node.sandbox.made",
        "runtime.container.directory",
        "node.container.created",
        "node.container.started",
    ];
    check_all_of_run(&places.map(|place| (place, Server)), 3);
}

#[test]
fn run_task_survives_a_kill_at_each_step_of_the_network() {
    let places = [
        "network.record.staged",
        "network.record.written",
        "network.link.made",
        "node.network.attached",
    ];
    check_all_of_run(&places.map(|place| (place, Server)), 1);
}

#[test]
fn run_task_survives_the_death_of_the_shim_at_each_step() {
    let places = [
        "shim.sandbox.forked",
        "shim.sandbox.pinned",
        "shim.stage.mounted",
        "shim.container.created",
        "shim.container.told",
        "shim.program.started",
    ];
    check_all_of_run(&places.map(|place| (place, Shim)), 1);
}

#[test]
fn stop_task_survives_a_kill_at_each_step() {
    let (mut world, definition) = world();
    let places = [
        ("api.commit.wanted", Server),
        ("api.commit.made", Server),
        ("node.container.signalled", Server),
        ("node.task.saved", Server),
        ("node.logs.stored", Server),
        ("node.logs.drained", Server),
        ("network.rules.closed", Server),
        ("network.link.retired", Server),
        ("node.network.detached", Server),
        ("node.sandbox.removed", Server),
        ("link.report.committed", Server),
        ("node.task.forgotten", Server),
        ("shim.exit.seen", Shim),
        ("shim.exit.recorded", Shim),
        ("shim.container.deleted", Shim),
    ];
    for (place, victim) in places {
        let arn = world.run(&definition);
        world.wait_task(&arn, "RUNNING");
        world.crash_at(place, 1);
        let acknowledged =
            world.client().call("ecs", "stop_task", &json!({"task": arn, "reason": "test"}));
        let files = world.state_dir().join("node/tasks");
        let gone = files.join(format!("{}.json", task_id(&arn)));
        let reached = survive(&mut world, (place, victim), |_| std::fs::metadata(&gone).is_err());
        assert!(reached, "{place} is never reached by StopTask");
        let task = world.task(&arn);
        if acknowledged.is_ok() {
            assert_eq!(task["desiredStatus"], "STOPPED", "{place}: forgotten: {task}");
        }
        world.stop(&arn);
        let task = world.wait_stopped(&arn);
        assert_eq!(task["stopCode"], "UserInitiated", "{place}: {task}");
    }
    world.finish();
}

/// Waits until one task of the service runs, of this revision, and no other is left.
fn runs_alone(world: &mut World, definition: &str) {
    eventually(&format!("only {definition} runs"), BOUND, || {
        let tasks = world.service_tasks("deployed");
        let tasks: Vec<Value> = tasks.iter().map(|arn| world.task(arn)).collect();
        match tasks.as_slice() {
            [task]
                if task["lastStatus"] == "RUNNING"
                    && task["taskDefinitionArn"]
                        .as_str()
                        .is_some_and(|arn| arn.ends_with(definition)) =>
            {
                Ok(())
            }
            _ => Err(format!("{tasks:?}")),
        }
    });
}

#[test]
fn a_deployment_survives_a_kill_at_each_step() {
    let mut world = World::new();
    let definition = world.register("deployed", &json!([shell("main", COUNTER)]));
    world.ecs(
        "create_service",
        &json!({
            "serviceName": "deployed", "taskDefinition": definition, "desiredCount": 1,
            // The old task goes first, so that nothing waits for the new one to prove itself.
            "deploymentConfiguration": {"minimumHealthyPercent": 0, "maximumPercent": 100},
        }),
    );
    runs_alone(&mut world, &definition);
    for place in
        ["api.commit.made", "service.plan.made", "service.plan.committed", "link.set.published"]
    {
        for hit in hits(3) {
            let definition = world.register("deployed", &json!([shell("main", COUNTER)]));
            world.crash_at(place, hit);
            let update = json!({"service": "deployed", "taskDefinition": definition});
            let acknowledged = world.client().call("ecs", "update_service", &update).is_ok();
            let input = json!({"services": ["deployed"]});
            let reached = survive(&mut world, (place, Server), |world| {
                let output = world.client().call("ecs", "describe_services", &input);
                output.is_ok_and(|output| {
                    let newest = &output["services"][0]["deployments"][0];
                    newest["runningCount"] == 1
                        && newest["taskDefinition"]
                            .as_str()
                            .is_some_and(|arn| arn.ends_with(&definition))
                })
            });
            assert!(reached || hit > 1, "{place} is never reached by a deployment");
            if acknowledged {
                let service = world.service("deployed");
                let newest = service["taskDefinition"].as_str().unwrap();
                assert!(newest.ends_with(&definition), "{place}: forgotten: {service}");
            } else {
                world.ecs("update_service", &update);
            }
            runs_alone(&mut world, &definition);
        }
    }
    world.ecs("delete_service", &json!({"service": "deployed", "force": true}));
    world.finish();
}

#[test]
fn an_import_killed_at_any_step_can_be_made_again_and_leaves_nothing() {
    let mut world = World::new();
    let file = world.directory().join("again.tar");
    for (number, place) in [
        "images.layer.unpacked",
        "images.staging.synced",
        "images.layers.moved",
        "images.blobs.moved",
        "images.digest.named",
    ]
    .into_iter()
    .enumerate()
    {
        // Another image each time: what is known already is not unpacked.
        let reference = format!("again:{number}");
        let layer = e2e::Archive::default().file("mark", 0o644, reference.as_bytes());
        layer.save_as_image(&reference, &file);
        world.crash_at(place, 1);
        let import = ["image", "import", &file.display().to_string()].map(ToOwned::to_owned);
        let import: Vec<&str> = import.iter().map(String::as_str).collect();
        let killed = world.portcullis(&import);
        assert!(world.forget_crash(place), "{place} is never reached: {killed:?}");
        assert_eq!(killed.status, -1, "{place}: {killed:?}");
        let again = world.portcullis(&import);
        assert_eq!(again.status, 0, "{place}: {again:?}");
        let listed = world.portcullis(&["image", "list"]);
        assert!(listed.stdout.contains(&reference), "{place}: {listed:?}");
    }
    world.kill();
    world.start();
    world.finish();
}

#[test]
fn no_line_is_lost_or_doubled_by_a_kill_while_it_is_stored() {
    for place in ["node.logs.stored", "logstore.frame.written", "logstore.catalog.replaced"] {
        let mut world = World::new();
        let task = world.run_script("lines", COUNTER);
        world.wait_log("/ecs/lines", "5");
        world.crash_at(place, 3);
        if place == "logstore.catalog.replaced" {
            world.crash_at(place, 1);
            // A checkpoint is made at an orderly end.
            world.end_somehow();
            assert!(world.forget_crash(place), "{place} is never reached");
            world.start();
        } else {
            assert!(survive(&mut world, (place, Server), |_| false));
        }
        world.wait_task(&task, "RUNNING");
        // More than there was before the kill.
        world.wait_log("/ecs/lines", "12");
        world.stop(&task);
        world.wait_stopped(&task);
        let lines = world.log("/ecs/lines");
        let numbers: Vec<usize> = lines.iter().filter_map(|line| line.parse().ok()).collect();
        let expected: Vec<usize> = (1..=numbers.len()).collect();
        assert_eq!(numbers, expected, "{place}: lines are lost, doubled or out of order");
        assert!(numbers.len() >= 12, "{place}: {numbers:?}");
        world.finish();
    }
}

/// Processes of the world's tasks: of their shims, or the containers' own.
fn processes(world: &World, of_shims: bool) -> Vec<i32> {
    let state_dir = std::fs::canonicalize(world.state_dir()).unwrap();
    let id = crc32fast::hash(state_dir.as_os_str().as_encoded_bytes());
    let mark = format!("portcullis-{id:08x}");
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().map(Result::unwrap) {
        let Ok(pid) = entry.file_name().to_string_lossy().parse::<i32>() else { continue };
        let cgroup = std::fs::read_to_string(entry.path().join("cgroup")).unwrap_or_default();
        let command = std::fs::read_to_string(entry.path().join("cmdline")).unwrap_or_default();
        if cgroup.contains(&mark) && command.contains("portcullis-shim") == of_shims {
            found.push(pid);
        }
    }
    found
}

#[test]
fn tasks_whose_shim_or_first_process_is_killed_stop_with_a_reason() {
    for of_shims in [false, true] {
        let (mut world, definition) = world();
        let arn = world.run(&definition);
        world.wait_task(&arn, "RUNNING");
        let victims = processes(&world, of_shims);
        assert!(!victims.is_empty(), "no process to kill");
        for pid in victims {
            let pid = rustix::process::Pid::from_raw(pid).unwrap();
            // Children die with their parents.
            let _gone = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
        let task = world.wait_stopped(&arn);
        assert_eq!(task["stopCode"], "EssentialContainerExited", "{task}");
        assert!(task["stoppedReason"].is_string(), "{task}");
        if !of_shims {
            assert_eq!(task["containers"][0]["exitCode"], 137, "{task}");
        }
        world.finish();
    }
}
