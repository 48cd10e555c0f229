//! Machines that join a control plane elsewhere: two programs on loopback, each with a state
//! directory of its own.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use e2e::{CommandOutput, Installation, World, boto3_image, eventually, leaks, remove_instance};
use serde_json::{Value, json};

const BOUND: Duration = Duration::from_secs(90);

/// A control plane whose own node is in the cluster `own`, so that the cluster `default` is the
/// other machine's.
fn control_plane() -> (World, u16) {
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let listen = format!("0.0.0.0:{port}");
    (World::with_options(&["--cluster", "own", "--node-listen", &listen]), port)
}

/// Another machine.
struct Machine {
    state_dir: PathBuf,
    token_file: PathBuf,
    log: PathBuf,
    subnet: String,
    portcullis: PathBuf,
    port: u16,
    process: Option<Child>,
}

impl Machine {
    /// One that has a token, and the image `busybox:1`.
    fn new(world: &mut World, port: u16, name: &str) -> Self {
        let directory = world.directory().join(name);
        fs::create_dir_all(&directory).unwrap();
        let settings = world.settings().clone();
        let machine = Self {
            state_dir: directory.join("state"),
            token_file: directory.join("token"),
            log: directory.join("log"),
            // The other half of what is for tests.
            subnet: settings.subnet.replace("198.18.", "198.19."),
            portcullis: settings.portcullis,
            port,
            process: None,
        };
        let token = world.portcullis(&["join-token", "create"]);
        assert_eq!(token.status, 0, "{token:?}");
        fs::write(&machine.token_file, token.stdout).unwrap();
        machine.import(&world.directory().join("busybox.tar"));
        machine
    }

    fn import(&self, image: &Path) {
        let mut command = Command::new(&self.portcullis);
        command.args(["image", "import"]).arg(image).arg("--state-dir").arg(&self.state_dir);
        let imported = CommandOutput::of(&mut command);
        assert_eq!(imported.status, 0, "{imported:?}");
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.portcullis);
        command
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .args(["node", "--server", &format!("https://127.0.0.1:{}", self.port)])
            .args(["--task-subnet", &self.subnet])
            .arg("--state-dir")
            .arg(&self.state_dir);
        if fs::metadata(&self.token_file).is_ok() {
            command.arg("--token-file").arg(&self.token_file);
        }
        command
    }

    /// Starts the node and waits until it is ready; its instance's id.
    fn start(&mut self) -> String {
        let log = File::options().create(true).append(true).open(&self.log).unwrap();
        let mut process =
            self.command().stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        self.process = Some(process);
        let id = line.trim().strip_prefix("ready node=");
        id.unwrap_or_else(|| panic!("not ready, but `{line}`\n{}", self.log())).to_owned()
    }

    fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Kills it as a power cut would.
    fn kill(&mut self) {
        let mut process = self.process.take().unwrap();
        process.kill().unwrap();
        process.wait().unwrap();
    }

    /// Waits until it has ended by itself; whether it ended well.
    fn ended(&mut self) -> bool {
        let mut process = self.process.take().unwrap();
        eventually("the node ends", BOUND, || {
            let status = process.try_wait().unwrap();
            status.map(|status| status.success()).ok_or_else(|| self.log())
        })
    }

    /// Checks that nothing is left of the node, which must have ended.
    fn finish(mut self) {
        if self.process.is_some() {
            self.kill();
        }
        let left = leaks(&self.state_dir);
        assert_eq!(left, [""; 0], "left of the node");
        remove_instance(&self.state_dir);
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            drop(process.kill());
            drop(process.wait());
        }
        if std::thread::panicking() {
            remove_instance(&self.state_dir);
        }
    }
}

/// Calls our own API.
fn call(world: &mut World, operation: &str, input: &Value) -> Value {
    let answer = world.client().raw(json!({
        "service": "portcullis", "target": format!("Portcullis_20261120.{operation}"),
        "body": input.to_string(),
    }));
    assert_eq!(answer["status"], 200, "{operation}: {answer}");
    serde_json::from_str(answer["body"].as_str().unwrap()).unwrap()
}

/// The numbers that a task has printed.
fn numbers(world: &mut World) -> Vec<usize> {
    world.log("/ecs/counter").iter().filter_map(|line| line.parse().ok()).collect()
}

#[test]
fn a_machine_joins_runs_tasks_and_is_found_again_until_it_is_revoked() {
    let (mut world, port) = control_plane();
    let mut machine = Machine::new(&mut world, port, "machine");
    let id = machine.start();
    let nodes = call(&mut world, "ListNodes", &json!({}));
    assert_eq!(nodes["nodes"][0]["id"], json!(id), "{nodes}");
    assert_eq!(nodes["nodes"][0]["cluster"], "default", "{nodes}");

    let script = "trap 'exit 0' TERM; n=0; while true; do n=$((n+1)); echo $n; sleep 0.1; done";
    let task = world.run_script("counter", script);
    let running = world.wait_task(&task, "RUNNING");
    let instance = running["containerInstanceArn"].as_str().unwrap_or_default().to_owned();
    assert!(instance.ends_with(&id), "{running}");
    world.wait_log("/ecs/counter", "10");

    // The token is used up: nobody else comes in with it.
    let mut thief = Machine::new(&mut world, port, "thief");
    fs::copy(&machine.token_file, &thief.token_file).unwrap();
    let refused = CommandOutput::of(&mut thief.command());
    assert_eq!(refused.status, 1, "{refused:?}");
    assert!(refused.stderr.contains("the join token is not valid"), "{refused:?}");
    thief.process = None;

    // The same machine comes back without one, and no line is lost or doubled.
    machine.kill();
    fs::remove_file(&machine.token_file).unwrap();
    let before = numbers(&mut world).len();
    assert_eq!(machine.start(), id);
    eventually("output goes on", BOUND, || {
        let now = numbers(&mut world).len();
        if now > before + 30 { Ok(()) } else { Err(format!("{now} lines, {before} before")) }
    });
    // The control plane goes and comes back: the node follows by itself.
    world.kill();
    world.start();
    let before = numbers(&mut world).len();
    eventually("output goes on after the control plane's restart", BOUND, || {
        let now = numbers(&mut world).len();
        if now > before + 30 { Ok(()) } else { Err(format!("{now} lines, {before} before")) }
    });
    world.stop(&task);
    world.wait_stopped(&task);
    let all = numbers(&mut world);
    assert_eq!(all, (1..=all.len()).collect::<Vec<_>>(), "lines are lost, doubled or out of order");

    let revoked = call(&mut world, "RevokeNode", &json!({"id": id}));
    assert_eq!(revoked["node"]["status"], "REVOKED", "{revoked}");
    assert!(!machine.ended(), "a revoked node must not end well");
    assert!(machine.log().contains("revoked"), "{}", machine.log());
    let output = world.ecs("run_task", &json!({"taskDefinition": "counter"}));
    assert_eq!(output["tasks"], json!([]), "placed on a revoked node: {output}");
    // It is not let in again either.
    let again = CommandOutput::of(&mut machine.command());
    assert!(again.status == 1 && again.stderr.contains("revoked"), "{again:?}");
    machine.finish();
    thief.finish();
    world.finish();
}

#[test]
fn no_task_reaches_the_listener_or_the_identity_of_its_node() {
    let (mut world, port) = control_plane();
    let mut machine = Machine::new(&mut world, port, "machine");
    machine.start();
    // From the machine itself it can be reached, at any of its addresses.
    drop(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap());
    let key = machine.state_dir.join("tls/node.key");
    assert!(fs::metadata(&key).is_ok(), "the key is not where this test looks for it");
    let script = format!(
        "gateway=$(ip route | awk '/default/ {{print $3}}'); echo gateway $gateway; \
         for address in $gateway 127.0.0.1 169.254.170.2 169.254.169.254; do \
         nc -w 2 $address {port} </dev/null >/dev/null 2>&1 && echo reached $address; done; \
         cat {key} 2>/dev/null && echo read; \
         cat /proc/1/root{key} 2>/dev/null && echo read; \
         find / -xdev -name node.key 2>/dev/null; echo end",
        key = key.display(),
    );
    let task = world.run_script("probe", &script);
    world.wait_stopped(&task);
    let mut lines = world.wait_log("/ecs/probe", "end");
    let gateway = lines.iter().find_map(|line| line.strip_prefix("gateway "));
    let gateway: Ipv4Addr = gateway.unwrap_or_default().parse().unwrap();
    assert_eq!(gateway.octets()[..2], [198, 19], "{gateway} is not in {}", machine.subnet);
    lines.retain(|line| !line.starts_with("gateway"));
    assert_eq!(lines, ["end"]);
    machine.finish();
    world.finish();
}

/// A container that runs a Python program with these environment variables.
fn python(program: &str, environment: &Value) -> Value {
    json!([{
        "name": "main", "image": "boto3:1", "command": ["python3", "-c", program], "memory": 256,
        "stopTimeout": 2, "readonlyRootFilesystem": true, "user": "1000", "environment": environment,
    }])
}

/// Lists tasks without any configuration, tries what its role may not, tells its credentials, lives on.
const LIST: &str = r#"
import json, os, time, boto3, botocore.exceptions
ecs = boto3.client("ecs")
print("listed", len(ecs.list_tasks()["taskArns"]))
try:
    ecs.list_clusters()
    print("clusters allowed")
except botocore.exceptions.ClientError as error:
    print("clusters", error.response["Error"]["Code"])
print("identity", boto3.client("sts").get_caller_identity()["Arn"])
print("endpoint", os.environ["AWS_ENDPOINT_URL"], os.environ["AWS_REGION"])
frozen = boto3.Session().get_credentials().get_frozen_credentials()
print("stolen", json.dumps([frozen.access_key, frozen.secret_key, frozen.token]), flush=True)
time.sleep(1000)
"#;

/// Uses credentials of the environment, at the endpoint of the environment.
const USE: &str = r#"
import boto3, botocore.exceptions
try:
    boto3.client("ecs").list_tasks()
    print("used allowed")
except botocore.exceptions.ClientError as error:
    print("used", error.response["Error"]["Code"])
"#;

/// A role for tasks that may list tasks; its ARN.
fn lister(world: &mut World) -> String {
    let document =
        |statement: Value| json!({"Version": "2012-10-17", "Statement": [statement]}).to_string();
    let trust = document(json!({
        "Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }));
    let policy = document(json!({"Effect": "Allow", "Action": "ecs:ListTasks", "Resource": "*"}));
    let role = json!({"RoleName": "lister", "AssumeRolePolicyDocument": trust});
    let role = world.client().call("iam", "create_role", &role).unwrap();
    let put = json!({"RoleName": "lister", "PolicyName": "list", "PolicyDocument": policy});
    world.client().call("iam", "put_role_policy", &put).unwrap();
    role["Role"]["Arn"].as_str().unwrap().to_owned()
}

/// Lists and revokes the machine as an operator does.
fn revoke_with_the_command_line(world: &World, machine: &mut Machine, id: &str) {
    let listed = world.portcullis(&["nodes"]);
    assert!(listed.stdout.contains(id) && listed.stdout.contains("ACTIVE"), "{listed:?}");
    let revoked = world.portcullis(&["nodes", "--revoke", id]);
    assert_eq!((revoked.status, revoked.stdout.as_str()), (0, ""), "{revoked:?}");
    assert!(!machine.ended(), "a revoked node must not end well");
    let listed = world.portcullis(&["nodes"]);
    assert!(listed.stdout.contains("REVOKED"), "{listed:?}");
}

#[test]
fn a_task_on_a_joined_machine_acts_as_its_role_and_nobody_else_does() {
    let (mut world, port) = control_plane();
    world.import_boto3();
    let mut machine = Machine::new(&mut world, port, "machine");
    machine.import(&boto3_image(&Installation::find().clients));
    let id = machine.start();
    let role = lister(&mut world);
    let definition = world.register_with(&json!({
        "family": "lister", "taskRoleArn": role, "containerDefinitions": python(LIST, &json!([])),
    }));
    let task = world.run(&definition);
    let lines = world.wait_log("/ecs/lister", "stolen");
    let said = |name: &str| {
        let found = lines.iter().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        found.unwrap_or_else(|| panic!("no `{name}` in {lines:#?}"))
    };
    assert_eq!(said("listed"), "1");
    assert_eq!(said("clusters"), "AccessDeniedException");
    assert!(said("identity").contains(":assumed-role/lister/"), "{lines:#?}");
    assert_eq!(said("endpoint"), "http://169.254.170.3 us-east-1");
    let findings = world.portcullis(&["findings"]);
    assert!(!findings.stdout.contains("DET-00"), "an honest task was suspected: {findings:?}");

    // From tasks of the control plane's own machine, and from another task of the same one.
    let stolen: Vec<String> = serde_json::from_str(said("stolen")).unwrap();
    let environment = json!([
        {"name": "AWS_ACCESS_KEY_ID", "value": stolen[0]},
        {"name": "AWS_SECRET_ACCESS_KEY", "value": stolen[1]},
        {"name": "AWS_SESSION_TOKEN", "value": stolen[2]},
    ]);
    for (family, cluster) in [("stranger", "own"), ("neighbour", "default")] {
        let thief = world.register(family, &python(USE, &environment));
        let run = world.ecs("run_task", &json!({"taskDefinition": thief, "cluster": cluster}));
        assert_eq!(run["failures"], json!([]), "{run}");
        let used = world.wait_log(&format!("/ecs/{family}"), "used");
        assert_eq!(used, ["used AccessDeniedException"], "{family}");
        let describe = json!({"cluster": cluster, "tasks": [run["tasks"][0]["taskArn"]]});
        eventually("the thief stops", BOUND, || {
            let shown = world.ecs("describe_tasks", &describe);
            let status = &shown["tasks"][0]["lastStatus"];
            if status == "STOPPED" { Ok(()) } else { Err(shown.to_string()) }
        });
    }
    eventually("DET-005", BOUND, || {
        let shown = world.portcullis(&["findings"]);
        if shown.stdout.contains("DET-005") { Ok(()) } else { Err(format!("{shown:?}")) }
    });
    // What the task did is on record with its own address.
    let asked = json!([{"AttributeKey": "EventName", "AttributeValue": "ListTasks"}]);
    let asked = json!({"LookupAttributes": asked});
    let subnet = machine.subnet.rsplit_once('.').unwrap().0.to_owned();
    eventually("the record", BOUND, || {
        let events = world.client().call("cloudtrail", "lookup_events", &asked).unwrap();
        let records = events["Events"].as_array().unwrap().iter();
        let mut records = records.filter_map(|event| {
            serde_json::from_str::<Value>(event["CloudTrailEvent"].as_str()?).ok()
        });
        let own = records.any(|record| {
            let from = record["sourceIPAddress"].as_str().unwrap_or_default();
            from.starts_with(&subnet)
                && record["vpcEndpointId"] == "vpce-task-link"
                && record.get("errorCode").is_none_or(Value::is_null)
        });
        if own { Ok(()) } else { Err(events.to_string()) }
    });

    world.stop(&task);
    world.wait_stopped(&task);
    revoke_with_the_command_line(&world, &mut machine, &id);
    machine.finish();
    world.finish();
}

#[test]
fn a_server_runs_no_tasks_itself() {
    let directory = tempfile::tempdir().unwrap();
    let installation = Installation::find();
    let mut process = Command::new(installation.portcullis)
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .args(["server", "--listen", "127.0.0.1:0", "--node-listen", "127.0.0.1:0", "--state-dir"])
        .arg(directory.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let (ready, nodes) = (lines.next().unwrap().unwrap(), lines.next().unwrap().unwrap());
    process.kill().unwrap();
    process.wait().unwrap();
    assert!(ready.starts_with("ready endpoint=http://127.0.0.1:"), "{ready}");
    assert!(nodes.starts_with("nodes endpoint=https://127.0.0.1:"), "{nodes}");
    assert!(fs::metadata(directory.path().join("node")).is_err(), "it made a node");
}
