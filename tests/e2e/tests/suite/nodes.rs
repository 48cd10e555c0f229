//! Machines that join a control plane elsewhere: two programs on loopback, each with a state
//! directory of its own.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use e2e::{CommandOutput, World, eventually, leaks, remove_instance};
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
        let image = world.directory().join("busybox.tar").display().to_string();
        let state = machine.state_dir.display().to_string();
        let imported = CommandOutput::of(Command::new(&machine.portcullis).args([
            "image",
            "import",
            &image,
            "--state-dir",
            &state,
        ]));
        assert_eq!(imported.status, 0, "{imported:?}");
        machine
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

#[test]
fn a_server_runs_no_tasks_itself() {
    let directory = tempfile::tempdir().unwrap();
    let installation = e2e::Installation::find();
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
