//! The AWS CLI and `portcullis` itself.

use std::fs;

use e2e::{Archive, CommandOutput, World, eventually, leaks, shell};
use serde_json::json;

#[test]
fn the_aws_cli_runs_a_batch_job_and_reads_its_log() {
    let mut world = World::new();
    let file = world.directory().join("batch.json");
    let definition = json!({
        "family": "prices",
        "containerDefinitions": [{"name": "batch", "image": "quotes:1", "command": ["batch"],
            "environment": [{"name": "PRICE_REVISION", "value": "7"}], "memory": 32}],
    });
    fs::write(&file, definition.to_string()).unwrap();
    let input = format!("file://{}", file.display());
    world.aws_json(&["ecs", "register-task-definition", "--cli-input-json", &input]);
    let run = world.aws_json(&["ecs", "run-task", "--task-definition", "prices"]);
    assert_eq!(run["failures"], json!([]), "{run}");
    let task = run["tasks"][0]["taskArn"].as_str().unwrap();
    let waited = world.aws(&["ecs", "wait", "tasks-stopped", "--tasks", task]);
    assert_eq!(waited.status, 0, "{waited:?}");
    let described = world.aws_json(&["ecs", "describe-tasks", "--tasks", task]);
    let described = &described["tasks"][0];
    assert_eq!(described["containers"][0]["exitCode"], 0, "{described}");
    assert_eq!(described["stopCode"], "EssentialContainerExited", "{described}");
    assert_eq!(described["stoppedReason"], "Essential container in task exited", "{described}");

    let all = world.wait_log("/ecs/prices", "6 quotes of revision 7");
    assert_eq!(all.len(), 7, "{all:?}");
    let filtered = world.aws_json(&[
        "logs",
        "filter-log-events",
        "--log-group-name",
        "/ecs/prices",
        "--filter-pattern",
        "SNOW",
    ]);
    let events = filtered["events"].as_array().unwrap();
    assert_eq!(events.len(), 1, "{filtered}");
    assert!(events[0]["message"].as_str().unwrap().starts_with("SNOW"), "{filtered}");
    world.finish();
}

#[test]
fn the_whole_account_is_visible_in_status() {
    let mut world = World::new();
    let definition = world.register("web", &json!([shell("main", "sleep 1000")]));
    let task = world.run(&definition);
    world.wait_task(&task, "RUNNING");
    world.ecs(
        "create_service",
        &json!({"serviceName": "broken", "taskDefinition": definition, "desiredCount": 1,
            "placementConstraints": [{"type": "memberOf", "expression": "attribute:disk == nvme"}]}),
    );
    let status = eventually("the service says why", std::time::Duration::from_secs(30), || {
        let status = world.portcullis(&["status"]);
        if status.stdout.contains("unable to place") {
            Ok(status)
        } else {
            Err(format!("{status:?}"))
        }
    });
    assert_eq!(status.status, 0, "{status:?}");
    for part in ["broken", "web:1", e2e::task_id(&task).get(..12).unwrap(), "RUNNING"] {
        assert!(status.stdout.contains(part), "no `{part}` in\n{}", status.stdout);
    }
    world.ecs("delete_service", &json!({"service": "broken", "force": true}));
    world.finish();
}

#[test]
fn a_second_up_on_the_same_state_directory_is_refused() {
    let mut world = World::new();
    let process = world.program().id();
    let second = CommandOutput::of(&mut world.settings().command());
    assert_ne!(second.status, 0, "{second:?}");
    assert!(second.stderr.contains(&format!("in use by process {process}")), "{second:?}");
    assert_eq!(second.stdout, "", "{second:?}");
    // The first one has not noticed.
    world.ecs("list_clusters", &json!({}));
    world.finish();
}

/// Imports a hostile image and expects it to be refused for this reason.
fn check_refused(world: &World, name: &str, layer: Archive, reason: &str) {
    let before = files(world);
    let file = world.directory().join("hostile.tar");
    layer.save_as_image(name, &file);
    let output = world.portcullis(&["image", "import", &file.display().to_string()]);
    assert_ne!(output.status, 0, "{name}: {output:?}");
    assert!(output.stderr.contains(reason), "{name}: no `{reason}` in {output:?}");
    assert_eq!(files(world), before, "{name} left something behind");
}

/// Every file of the image store.
fn files(world: &World) -> Vec<String> {
    let mut found = Vec::new();
    let mut directories = vec![world.state_dir().join("images")];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                directories.push(entry.path());
            }
            found.push(entry.path().display().to_string());
        }
    }
    found.sort();
    found
}

#[test]
fn hostile_images_are_refused_and_leave_nothing() {
    let world = World::new();
    let outside = world.directory().join("escaped");
    let escape = format!("{}{}", "../".repeat(20), outside.display());
    check_refused(&world, "escape:1", Archive::default().raw_name(&escape, b"x"), "..");
    check_refused(&world, "device:1", Archive::default().device("dev/disk"), "device");
    let through_link = Archive::default()
        .link(tar::EntryType::Symlink, "out", &world.directory().display().to_string())
        .file("out/escaped", 0o644, b"x");
    check_refused(&world, "link:1", through_link, "out");
    assert!(fs::symlink_metadata(&outside).is_err(), "{} was written", outside.display());

    let damaged = world.directory().join("damaged.tar");
    Archive::default().file("data", 0o644, &[7; 4096]).save_as_image("damaged:1", &damaged);
    let mut bytes = fs::read(&damaged).unwrap();
    let inside = bytes.windows(64).position(|window| window == [7; 64]).unwrap();
    bytes[inside] ^= 1;
    fs::write(&damaged, bytes).unwrap();
    let before = files(&world);
    let output = world.portcullis(&[
        "image",
        "import",
        &damaged.display().to_string(),
        "--name",
        "damaged:1",
    ]);
    assert_ne!(output.status, 0, "{output:?}");
    assert!(output.stderr.contains("digest"), "{output:?}");
    assert_eq!(files(&world), before);
    world.finish();
}

#[test]
fn ended_in_order_it_leaves_tasks_running_and_finds_them_again() {
    let mut world = World::new();
    let task = world.run_script("steady", "while true; do echo tick; sleep 1; done");
    world.wait_task(&task, "RUNNING");
    world.terminate();
    let left = leaks(world.state_dir());
    assert!(left.iter().any(|line| line.starts_with("process: ")), "{left:?}");
    world.start();
    let described = world.task(&task);
    assert_eq!(described["lastStatus"], "RUNNING", "{described}");
    world.finish();
}
