//! What is refused, and how.

use e2e::{World, shell};
use serde_json::{Value, json};

/// Everything of the first day's rules at once.
fn reckless() -> Value {
    json!({
        "family": "reckless", "networkMode": "host", "pidMode": "host", "ipcMode": "host",
        "volumes": [
            {"name": "root", "host": {"sourcePath": "/"}},
            {"name": "engine", "host": {"sourcePath": "/var/run/docker.sock"}},
        ],
        "containerDefinitions": [{
            "name": "main", "image": "busybox:1", "memory": 32, "privileged": true, "stopTimeout": 2,
            "command": ["sh", "-c", "grep -E '^(NoNewPrivs|Seccomp):' /proc/self/status; ls /host | wc -l; awk '{print \"base\", ($2 > 0)}' /proc/self/uid_map; echo end"],
            "mountPoints": [{"sourceVolume": "root", "containerPath": "/host"}],
            "linuxParameters": {"devices": [{"hostPath": "/dev/sda"}]},
        }],
    })
}

const RULES: [&str; 7] = ["TSK-004", "NET-003", "X-PID", "X-IPC", "TSK-007", "X-DOCKSOCK", "X-DEV"];

#[test]
fn a_reckless_definition_is_refused_with_every_rule() {
    let mut world = World::new();
    let error = world.ecs_error("register_task_definition", &reckless());
    assert_eq!(error.code, "ClientException", "{error:?}");
    assert_eq!(error.status, 400, "{error:?}");
    for rule in RULES {
        assert!(error.message.contains(rule), "no {rule} in {}", error.message);
    }
    let families = world.ecs("list_task_definition_families", &json!({}));
    assert_eq!(families["families"], json!([]), "{families}");
    world.finish();
}

#[test]
fn in_audit_mode_it_is_accepted_and_still_runs_hardened() {
    let mut world = World::with_options(&["--guard", "audit"]);
    let definition = world.register_with(&reckless());
    let output = world.ecs("run_task", &json!({"taskDefinition": definition}));
    assert_eq!(output["failures"], json!([]), "{output}");
    let task = output["tasks"][0]["taskArn"].as_str().unwrap().to_owned();
    world.wait_stopped(&task);
    let lines = world.wait_log("/ecs/reckless", "end");
    let text = lines.join("\n").replace('\t', " ");
    for part in ["NoNewPrivs: 1", "Seccomp: 2", "base 1"] {
        assert!(text.contains(part), "no `{part}` in {text}");
    }
    // Back to enforcing, it may not start again.
    world.terminate();
    world.settings().options.clear();
    world.start();
    let error = world.ecs_error("run_task", &json!({"taskDefinition": definition}));
    assert!(error.message.contains("TSK-004"), "{error:?}");
    world.finish();
}

#[test]
fn fargate_waits_for_a_machine_that_isolates() {
    let definition = json!({
        "family": "fargate", "requiresCompatibilities": ["FARGATE"], "networkMode": "awsvpc",
        "cpu": "256", "memory": "512",
        "containerDefinitions": [{"name": "main", "image": "busybox:1",
            "command": ["sh", "-c", "echo isolated"]}],
    });
    let run = |name: &str| {
        json!({
            "taskDefinition": name, "launchType": "FARGATE",
            "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-1"]}},
        })
    };
    let mut world = World::new();
    let mut wrong = definition.clone();
    wrong["memory"] = json!("513");
    let error = world.ecs_error("register_task_definition", &wrong);
    assert_eq!(error.code, "ClientException", "{error:?}");
    let name = world.register_with(&definition);
    let text = match world.client().call("ecs", "run_task", &run(&name)) {
        Ok(output) => {
            assert_eq!(output["tasks"], json!([]), "{output}");
            output["failures"].to_string()
        }
        Err(error) => error.message,
    };
    assert!(text.contains("--fargate-isolation container"), "{text}");
    world.terminate();
    world.settings().options = vec!["--fargate-isolation".to_owned(), "container".to_owned()];
    world.start();
    let output = world.ecs("run_task", &run(&name));
    assert_eq!(output["failures"], json!([]), "{output}");
    let task = output["tasks"][0]["taskArn"].as_str().unwrap().to_owned();
    let stopped = world.wait_stopped(&task);
    assert_eq!(stopped["launchType"], "FARGATE", "{stopped}");
    world.wait_log("/ecs/fargate", "isolated");
    world.finish();
}

#[test]
fn secrets_that_cannot_be_delivered_stop_the_task_by_name() {
    let mut world = World::new();
    let trust = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow",
        "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}]});
    let role = json!({"RoleName": "execution", "AssumeRolePolicyDocument": trust.to_string()});
    world.client().call("iam", "create_role", &role).unwrap();
    let mut container = shell("main", "echo $TOKEN");
    container["secrets"] = json!([{"name": "TOKEN",
        "valueFrom": "arn:aws:secretsmanager:us-east-1:123456789012:secret:token"}]);
    let input = json!({"family": "secret", "containerDefinitions": [container],
        "executionRoleArn": "arn:aws:iam::123456789012:role/execution"});
    let definition = world.register_with(&input);
    let task = world.run(&definition);
    let stopped = world.wait_stopped(&task);
    assert_eq!(stopped["stopCode"], "TaskFailedToStart", "{stopped}");
    let reason = stopped["stoppedReason"].as_str().unwrap();
    assert!(reason.contains("TOKEN") || reason.contains("secret"), "{reason}");
    assert!(world.log("/ecs/secret").is_empty());
    world.finish();
}
