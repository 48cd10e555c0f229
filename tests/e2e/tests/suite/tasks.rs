//! The life of tasks and containers.

use e2e::{World, shell};
use serde_json::{Value, json};

/// A container's place in a task that DescribeTasks shows.
fn container<'a>(task: &'a Value, name: &str) -> &'a Value {
    let containers = task["containers"].as_array().unwrap();
    containers.iter().find(|container| container["name"] == name).unwrap()
}

fn with(mut container: Value, more: &Value) -> Value {
    let fields = container.as_object_mut().unwrap();
    fields.extend(more.as_object().unwrap().clone());
    container
}

#[test]
fn a_stopped_task_gets_its_signal_then_is_killed() {
    let mut world = World::new();
    let polite = world.run_script(
        "polite",
        "trap 'echo bye; exit 7' TERM; echo up; while true; do sleep 0.1; done",
    );
    let deaf = world.run_script("deaf", "trap '' TERM; echo up; while true; do sleep 0.1; done");
    world.wait_log("/ecs/polite", "up");
    world.wait_log("/ecs/deaf", "up");
    world.ecs("stop_task", &json!({"task": polite, "reason": "enough"}));
    world.stop(&deaf);
    let task = world.wait_stopped(&polite);
    assert_eq!(container(&task, "main")["exitCode"], 7, "{task}");
    assert_eq!(task["stopCode"], "UserInitiated", "{task}");
    assert_eq!(task["stoppedReason"], "enough", "{task}");
    // The last line before the end is there.
    world.wait_log("/ecs/polite", "bye");
    let task = world.wait_stopped(&deaf);
    assert_eq!(container(&task, "main")["exitCode"], 137, "{task}");
    world.finish();
}

#[test]
fn dependencies_order_start_and_stop() {
    let mut world = World::new();
    let trap = |name: &str| format!("trap 'date +%s.%N; echo stop {name}; exit 0' TERM");
    let definition = world.register_with(&json!({
        "family": "ordered",
        "volumes": [{"name": "work"}],
        "containerDefinitions": [
            with(shell("setup", "sleep 0.3; echo done setup > /data/state"),
                &json!({"essential": false, "mountPoints": [{"sourceVolume": "work", "containerPath": "/data"}]})),
            with(shell("database", &format!("{}; cat /data/state; sleep 1; touch /tmp/ready; while true; do sleep 0.1; done", trap("database"))),
                &json!({
                    "mountPoints": [{"sourceVolume": "work", "containerPath": "/data"}],
                    "dependsOn": [{"containerName": "setup", "condition": "SUCCESS"}],
                    "healthCheck": {"command": ["CMD-SHELL", "test -e /tmp/ready"], "interval": 5, "retries": 3},
                })),
            with(shell("web", &format!("{}; echo start web; while true; do sleep 0.1; done", trap("web"))),
                &json!({"dependsOn": [{"containerName": "database", "condition": "HEALTHY"}]})),
        ],
    }));
    let task = world.run(&definition);
    world.wait_log("/ecs/ordered", "start web");
    let running = world.wait_task(&task, "RUNNING");
    assert_eq!(container(&running, "setup")["exitCode"], 0, "{running}");
    assert_eq!(container(&running, "database")["healthStatus"], "HEALTHY", "{running}");
    assert!(world.log("/ecs/ordered").contains(&"done setup".to_owned()));
    world.stop(&task);
    world.wait_stopped(&task);
    let lines = world.wait_log("/ecs/ordered", "stop database");
    let place = |part: &str| lines.iter().position(|line| line == part).unwrap();
    assert!(place("stop web") < place("stop database"), "{lines:?}");
    world.finish();
}

#[test]
fn a_failed_dependency_stops_the_task_and_says_which() {
    let mut world = World::new();
    let definition = world.register(
        "doomed",
        &json!([
            with(shell("setup", "exit 3"), &json!({"essential": false})),
            with(
                shell("main", "echo never"),
                &json!({"dependsOn": [{"containerName": "setup", "condition": "SUCCESS"}]})
            ),
        ]),
    );
    let task = world.run(&definition);
    let task = world.wait_stopped(&task);
    assert_eq!(task["stopCode"], "TaskFailedToStart", "{task}");
    assert_eq!(container(&task, "setup")["exitCode"], 3, "{task}");
    assert!(task.to_string().contains("setup"), "{task}");
    assert!(world.log("/ecs/doomed").is_empty());
    world.finish();
}

#[test]
fn the_exit_of_an_essential_container_stops_the_others() {
    let mut world = World::new();
    let definition = world.register(
        "pair",
        &json!([
            shell("short", "exit 4"),
            with(
                shell("long", "trap 'exit 0' TERM; while true; do sleep 0.1; done"),
                &json!({"essential": false})
            ),
        ]),
    );
    let task = world.run(&definition);
    let task = world.wait_stopped(&task);
    assert_eq!(task["stopCode"], "EssentialContainerExited", "{task}");
    assert_eq!(container(&task, "short")["exitCode"], 4, "{task}");
    assert_eq!(container(&task, "long")["lastStatus"], "STOPPED", "{task}");
    world.finish();
}

#[test]
fn a_restart_policy_starts_a_container_again_in_the_same_task() {
    let mut world = World::new();
    // The shortest period that ECS knows: who ran for less is not started again.
    let script = "trap 'exit 0' TERM; if test -e /data/second; then echo again; sleep 1000 & wait; fi; \
                  touch /data/second; echo first; sleep 61; exit 9";
    let container = with(
        shell("main", script),
        &json!({
            "restartPolicy": {"enabled": true, "restartAttemptPeriod": 60},
            "mountPoints": [{"sourceVolume": "work", "containerPath": "/data"}],
        }),
    );
    let definition = world.register_with(&json!({
        "family": "restart", "volumes": [{"name": "work"}], "containerDefinitions": [container],
    }));
    let task = world.run(&definition);
    assert_eq!(world.wait_log("/ecs/restart", "again"), ["first", "again"]);
    world.wait_task(&task, "RUNNING");
    world.stop(&task);
    world.wait_stopped(&task);
    world.finish();
}

#[test]
fn an_image_that_is_not_there_is_named_with_what_to_do() {
    let mut world = World::new();
    let definition = world.register(
        "missing",
        &json!([{"name": "main", "image": "nowhere:9", "memory": 32, "command": ["x"]}]),
    );
    let task = world.run(&definition);
    let task = world.wait_stopped(&task);
    assert_eq!(task["stopCode"], "TaskFailedToStart", "{task}");
    let reason = task["stoppedReason"].as_str().unwrap();
    assert!(reason.starts_with("CannotPullContainerError"), "{reason}");
    assert!(reason.contains("nowhere:9") && reason.contains("portcullis image import"), "{reason}");
    world.finish();
}

#[test]
fn overrides_reach_the_container() {
    let mut world = World::new();
    let definition = world.register("override", &json!([shell("main", "echo never")]));
    let output = world.ecs(
        "run_task",
        &json!({"taskDefinition": definition, "overrides": {"containerOverrides": [{
            "name": "main", "command": ["sh", "-c", "echo $WHO from $FROM_IMAGE"],
            "environment": [{"name": "WHO", "value": "me"}]}]}}),
    );
    let task = output["tasks"][0]["taskArn"].as_str().unwrap().to_owned();
    world.wait_stopped(&task);
    assert_eq!(world.wait_log("/ecs/override", "me"), ["me from yes"]);
    world.finish();
}

#[test]
fn a_flood_of_output_is_kept_to_the_last_line() {
    let mut world = World::new();
    let task = world.run_script("flood", "seq 1 20000; seq 20001 20010 >&2");
    world.wait_stopped(&task);
    world.wait_log("/ecs/flood", "20010");
    let mut numbers: Vec<u32> =
        world.log("/ecs/flood").iter().map(|line| line.parse().unwrap()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=20010).collect::<Vec<_>>());
    world.finish();
}

#[test]
fn limits_user_directory_and_volumes_are_as_the_definition_says() {
    let mut world = World::new();
    let script = "id -u; pwd; ulimit -n; df -m /scratch | tail -1 | awk '{print $2}'; \
                  test -w /bin && echo writable || echo read-only; hostname";
    let definition = world.register(
        "settings",
        &json!([with(shell("main", script), &json!({
            "user": "app", "workingDirectory": "/etc", "hostname": "box", "readonlyRootFilesystem": true,
            "ulimits": [{"name": "nofile", "softLimit": 512, "hardLimit": 1024}],
            "linuxParameters": {"initProcessEnabled": true,
                "tmpfs": [{"containerPath": "/scratch", "size": 8}]},
        }))]),
    );
    let task = world.run(&definition);
    let task = world.wait_stopped(&task);
    assert_eq!(container(&task, "main")["exitCode"], 0, "{task}");
    let lines = world.wait_log("/ecs/settings", "box");
    assert_eq!(lines, ["1000", "/etc", "512", "8", "read-only", "box"]);
    world.finish();
}

#[test]
fn memory_over_the_limit_ends_the_container_and_says_so() {
    let mut world = World::new();
    let task = world.run_script("greedy", "x=x; while true; do x=$x$x; done");
    let task = world.wait_stopped(&task);
    let main = container(&task, "main");
    assert_eq!(main["exitCode"], 137, "{task}");
    assert!(main["reason"].as_str().unwrap_or_default().starts_with("OutOfMemoryError"), "{task}");
    world.finish();
}
