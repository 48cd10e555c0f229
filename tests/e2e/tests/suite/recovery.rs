//! kill -9 of `portcullis up`, and up again.

use std::collections::BTreeMap;
use std::fs;

use e2e::{World, eventually, shell};
use serde_json::json;

/// Host process ids of the containers' first processes, by what they print: their task's marker
/// file names them from inside, and `/proc` shows them from outside.
fn processes(world: &World) -> BTreeMap<String, String> {
    let mark = format!("portcullis-{}", instance(world));
    let mut found = BTreeMap::new();
    for entry in fs::read_dir("/proc").unwrap().map(Result::unwrap) {
        let path = entry.path();
        let cgroup = fs::read_to_string(path.join("cgroup")).unwrap_or_default();
        let command = fs::read_to_string(path.join("cmdline")).unwrap_or_default();
        if cgroup.contains(&mark) && command.contains("counter") && !command.contains("shim") {
            let start = fs::read_to_string(path.join("stat")).unwrap_or_default();
            let start = start.rsplit(')').next().and_then(|rest| rest.split(' ').nth(20));
            let name = entry.file_name().into_string().unwrap();
            found.insert(name, start.unwrap_or_default().to_owned());
        }
    }
    found
}

fn instance(world: &World) -> String {
    let path = fs::canonicalize(world.state_dir()).unwrap();
    format!("{:08x}", crc32fast::hash(path.as_os_str().as_encoded_bytes()))
}

#[test]
fn killed_in_mid_deployment_it_comes_back_to_the_desired_state() {
    let mut world = World::new();
    // A number every 50 ms: what is missing or doubled shows.
    let script = "trap 'exit 0' TERM; counter=0; \
                  while true; do counter=$((counter+1)); echo $counter; sleep 0.05; done";
    let keeper = world.run_script("keeper", script);
    let first = world.register("rolling", &json!([shell("main", script)]));
    world.ecs(
        "create_service",
        &json!({"serviceName": "rolling", "taskDefinition": first, "desiredCount": 2}),
    );
    world.wait_service("rolling", "two run", |service| service["runningCount"] == 2);
    world.wait_log("/ecs/keeper", "10");
    let before = processes(&world);
    assert_eq!(before.len(), 3, "{before:?}");
    let second = world.register("rolling", &json!([shell("main", script)]));
    world.ecs("update_service", &json!({"service": "rolling", "taskDefinition": second}));
    world.kill();
    let survivors = processes(&world);
    for (process, start) in &before {
        assert_eq!(survivors.get(process), Some(start), "{process} did not survive: {survivors:?}");
    }
    world.start();
    let kept = world.task(&keeper);
    assert_eq!(kept["lastStatus"], "RUNNING", "{kept}");
    world.wait_service("rolling", "the new deployment is what runs", |service| {
        service["deployments"].as_array().map(Vec::len) == Some(1)
            && service["taskDefinition"].as_str().is_some_and(|arn| arn.ends_with(&second))
            && service["runningCount"] == 2
    });
    // The standalone task went through all of it as the same process.
    let after = processes(&world);
    let same = before.iter().filter(|(process, start)| after.get(*process) == Some(start)).count();
    assert_eq!(same, 1, "before {before:?}, after {after:?}");
    world.stop(&keeper);
    world.wait_stopped(&keeper);
    let lines = eventually("the whole log is there", std::time::Duration::from_secs(30), || {
        let lines = world.log("/ecs/keeper");
        let numbers: Vec<usize> = lines.iter().filter_map(|line| line.parse().ok()).collect();
        if numbers.len() > 20 { Ok(numbers) } else { Err(format!("{numbers:?}")) }
    });
    assert_eq!(
        lines,
        (1..=lines.len()).collect::<Vec<_>>(),
        "lines are lost, doubled or out of order"
    );
    world.ecs("delete_service", &json!({"service": "rolling", "force": true}));
    world.finish();
}

#[test]
fn what_ended_while_nobody_looked_is_found() {
    let mut world = World::new();
    let script = "echo up; while ! test -e /data/go; do sleep 0.1; done; echo last words; exit 5";
    let mut container = shell("main", script);
    container["mountPoints"] = json!([{"sourceVolume": "work", "containerPath": "/data"}]);
    let definition = world.register_with(
        &json!({"family": "absent", "volumes": [{"name": "work"}], "containerDefinitions": [container]}),
    );
    let task = world.run(&definition);
    world.wait_log("/ecs/absent", "up");
    world.kill();
    let volumes = world.state_dir().join("runtime/volumes").join(e2e::task_id(&task));
    let volume = fs::read_dir(&volumes).unwrap().next().unwrap().unwrap();
    fs::write(volume.path().join("go"), "").unwrap();
    world.start();
    let stopped = world.wait_stopped(&task);
    assert_eq!(stopped["containers"][0]["exitCode"], 5, "{stopped}");
    assert_eq!(world.wait_log("/ecs/absent", "last words"), ["up", "last words"]);
    world.finish();
}

#[test]
fn acknowledged_writes_survive_a_kill() {
    let mut world = World::new();
    for number in 0..20 {
        world.register(&format!("kept-{number}"), &json!([shell("main", "true")]));
    }
    world.ecs("create_cluster", &json!({"clusterName": "kept"}));
    world.kill();
    world.start();
    let families = world.ecs("list_task_definition_families", &json!({"familyPrefix": "kept-"}));
    assert_eq!(families["families"].as_array().unwrap().len(), 20, "{families}");
    let clusters = world.ecs("describe_clusters", &json!({"clusters": ["kept"]}));
    assert_eq!(clusters["clusters"][0]["status"], "ACTIVE", "{clusters}");
    world.finish();
}
