//! What a container sees of the machine and of its neighbours.

use std::net::{Ipv4Addr, TcpListener};

use e2e::{World, shell};
use serde_json::{Value, json};

/// Runs a script to its end; what it printed.
fn output(world: &mut World, family: &str, script: &str) -> Vec<String> {
    let task = world.run_script(family, &format!("{script}; echo end"));
    world.wait_stopped(&task);
    let mut lines = world.wait_log(&format!("/ecs/{family}"), "end");
    lines.retain(|line| line != "end");
    lines
}

#[test]
fn a_container_is_hardened_without_asking() {
    let mut world = World::new();
    let lines = output(
        &mut world,
        "hardened",
        "awk '{print ($2 > 0), $3}' /proc/self/uid_map; \
         grep -E '^(NoNewPrivs|Seccomp):' /proc/self/status | tr '\\t' ' '; \
         cat /proc/kcore 2>/dev/null | head -c 1 | grep -c . ; \
         head -c 1 /proc/timer_list 2>/dev/null | grep -c .; \
         (echo 1 > /proc/sys/kernel/panic) 2>/dev/null || echo sys-read-only; \
         mknod /tmp/disk b 8 0 2>/dev/null || echo no-device; \
         mount -t tmpfs x /tmp 2>/dev/null || echo no-mount; \
         ls /sys/fs/cgroup >/dev/null 2>&1; hostname | grep -c .; \
         ls /proc | grep -cE '^[0-9]+$'",
    );
    // Container root is an unprivileged user of the machine, and 65,536 ids are all it has.
    assert_eq!(lines[0], "1 65536", "{lines:?}");
    assert_eq!(lines[1], "NoNewPrivs: 1", "{lines:?}");
    assert_eq!(lines[2], "Seccomp: 2", "{lines:?}");
    assert_eq!(&lines[3..5], ["0", "0"], "kernel memory or timers are readable: {lines:?}");
    assert_eq!(&lines[5..8], ["sys-read-only", "no-device", "no-mount"], "{lines:?}");
    // It sees its own few processes only.
    let processes: u32 = lines.last().unwrap().parse().unwrap();
    assert!(processes < 8, "{lines:?}");
    world.finish();
}

#[test]
fn capabilities_and_process_limits_hold() {
    let mut world = World::new();
    let lines = output(
        &mut world,
        "capabilities",
        "grep -E '^Cap(Eff|Bnd):' /proc/self/status | awk '{print $2}'",
    );
    // CAP_SYS_ADMIN 21, CAP_NET_ADMIN 12, CAP_NET_RAW 13, CAP_SYS_MODULE 16, CAP_SYS_PTRACE 19.
    for line in &lines {
        let set = u64::from_str_radix(line, 16).unwrap();
        for bit in [12, 13, 16, 19, 21] {
            assert_eq!(set >> bit & 1, 0, "capability {bit} in {line}");
        }
    }
    let script = "i=0; while test $i -lt 1200; do sleep 5 & i=$((i+1)); done; echo all";
    let mut container = shell("main", script);
    container["memory"] = json!(512);
    let definition = world.register("forks", &json!([container]));
    let task = world.run(&definition);
    let stopped = world.wait_stopped(&task);
    assert_eq!(stopped["containers"][0]["exitCode"], 2, "{stopped}");
    let lines = world.wait_log("/ecs/forks", "can't fork");
    assert!(!lines.contains(&"all".to_owned()), "1,200 processes were allowed");
    world.finish();
}

#[test]
fn two_tasks_have_different_users_of_the_machine() {
    let mut world = World::new();
    let script = "awk '{print \"base\", $2}' /proc/self/uid_map; sleep 1000";
    let tasks = [world.run_script("one", script), world.run_script("two", script)];
    let one = world.wait_log("/ecs/one", "base");
    let two = world.wait_log("/ecs/two", "base");
    assert_ne!(one, two);
    for task in tasks {
        world.stop(&task);
    }
    world.finish();
}

fn address(task: &Value) -> String {
    let text = task["containers"][0].to_string();
    let interface = &task["containers"][0]["networkInterfaces"][0]["privateIpv4Address"];
    interface.as_str().unwrap_or_else(|| panic!("no address in {text}")).to_owned()
}

#[test]
fn tasks_reach_neither_each_other_nor_the_host_nor_metadata() {
    let mut world = World::new();
    let definition = world.register_with(&json!({
        "family": "server", "networkMode": "awsvpc",
        "containerDefinitions": [{"name": "main", "image": "quotes:1", "memory": 32}],
    }));
    let run = world.ecs(
        "run_task",
        &json!({"taskDefinition": definition, "networkConfiguration":
            {"awsvpcConfiguration": {"subnets": ["subnet-1"]}}}),
    );
    let server = run["tasks"][0]["taskArn"].as_str().unwrap().to_owned();
    let server = world.wait_task(&server, "RUNNING");
    let neighbour = address(&server);
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let api = world.endpoint().rsplit(':').next().unwrap().to_owned();
    let script = format!(
        "gateway=$(ip route | awk '/default/ {{print $3}}'); \
         for target in {neighbour}:8080 $gateway:{port} $gateway:{api} 169.254.169.254:80 169.254.170.2:22 169.254.170.4:80 198.51.100.4:80 169.254.170.2:80 169.254.170.3:80; do \
           if nc -w 2 ${{target%:*}} ${{target#*:}} </dev/null >/dev/null 2>&1; then echo reached $target; else echo closed $target; fi; \
         done"
    );
    let lines = output(&mut world, "prober", &script);
    // The agent's and the API's own addresses are the only ones that are open.
    let (closed, open) = lines.split_at(7);
    assert!(closed.iter().all(|line| line.starts_with("closed ")), "{lines:?}");
    assert_eq!(open, ["reached 169.254.170.2:80", "reached 169.254.170.3:80"], "{lines:?}");
    world.finish();
}

#[test]
fn a_published_port_is_reachable_and_others_are_not() {
    let mut world = World::new();
    let definition = world.register(
        "published",
        &json!([{"name": "main", "image": "quotes:1", "memory": 32,
            "portMappings": [{"containerPort": 8080}]}]),
    );
    let task = world.run(&definition);
    let running = world.wait_task(&task, "RUNNING");
    let port = world.host_port(&task, 8080);
    assert!((49153..).contains(&port), "{running}");
    let answer = e2e::eventually("it answers", std::time::Duration::from_secs(10), || {
        World::get(port, "/quote/SNOW")
    });
    assert!(answer.contains(r#""symbol":"SNOW""#), "{answer}");
    world.stop(&task);
    world.wait_stopped(&task);
    assert!(World::get(port, "/quote/SNOW").is_err());
    world.finish();
}

#[test]
fn a_container_without_a_log_configuration_still_has_a_log() {
    let mut world = World::new();
    let definition = world.register(
        "loud",
        &json!([
            shell("quiet", "echo default"),
            {"name": "chosen", "image": "busybox:1", "command": ["echo", "chosen"], "memory": 32, "essential": false,
             "logConfiguration": {"logDriver": "awslogs", "options": {
                "awslogs-group": "/mine", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "p"}}},
        ]),
    );
    let task = world.run(&definition);
    world.wait_stopped(&task);
    world.wait_log("/ecs/loud", "default");
    world.finish();
}
