//! A Portcullis of its own for one test.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::archive::busybox_image;
use crate::boto3_image::boto3_image;
use crate::client::{ApiError, Client};
use crate::installation::Installation;
use crate::leaks::{leaks, remove_instance, tasks_are_gone, temporary_files};
use crate::program::{CommandOutput, Program, Settings, client_environment};
use crate::wait::eventually;

/// How long a step of a task or a service may take on a busy machine.
const BOUND: Duration = Duration::from_secs(90);
/// The variable that the crate `crash-point` reads.
const CRASH_POINTS: &str = "PORTCULLIS_CRASH_POINTS";
/// Files that a server opens at the first need and keeps: connections of clients, segments of logs.
const OPENED_LATER: usize = 8;
/// Worlds at the same time on one machine.
const SLOTS: u32 = 64;

/// A `portcullis up` with a state directory, a port and task addresses of its own, the images
/// `busybox:1` and `quotes:1`, and clients for it.
#[derive(Debug)]
pub struct World {
    installation: Installation,
    settings: Settings,
    program: Option<Program>,
    client: Client,
    /// How many files the program had open when it began.
    open_files: usize,
    // Unmounted before the directory goes.
    _disk: Option<Disk>,
    directory: tempfile::TempDir,
    // Held while the task addresses are in use.
    _slot: File,
}

impl World {
    /// Starts one with the default options.
    pub fn new() -> Self {
        Self::with_options(&[])
    }

    /// Starts one with further options of `portcullis up`.
    pub fn with_options(options: &[&str]) -> Self {
        Self::make(options, None)
    }

    /// Starts one whose state directory is a file system of its own with this much space.
    pub fn on_a_small_disk(size_mib: u32) -> Self {
        Self::make(&[], Some(size_mib))
    }

    fn make(options: &[&str], disk_mib: Option<u32>) -> Self {
        let installation = Installation::find();
        let (slot, file) = slot();
        let directory = tempfile::Builder::new().prefix("portcullis-e2e-").tempdir();
        let directory = directory.expect("make a directory");
        let own = |name: &str| {
            let path = directory.path().join(name);
            fs::create_dir(&path).expect("make a directory");
            path.display().to_string()
        };
        let mut settings = Settings {
            portcullis: installation.portcullis.clone(),
            state_dir: directory.path().join("state"),
            listen: "127.0.0.1:0".to_owned(),
            // 198.18.0.0/15 is for tests: no machine has routes there.
            subnet: format!("198.{}.{}.0/22", 18 + slot / 64, slot % 64 * 4),
            options: options.iter().map(ToString::to_string).collect(),
            environment: [("TMPDIR", "tmp"), (CRASH_POINTS, "crash-points")]
                .map(|(name, directory)| (name.to_owned(), own(directory)))
                .into(),
            log: directory.path().join("log"),
        };
        let disk = disk_mib.map(|size_mib| Disk::mount(&settings.state_dir, size_mib));
        let program = Program::start(&settings);
        // The same port again after a restart, as in real life.
        settings.listen = program.endpoint.trim_start_matches("http://").to_owned();
        let environment = environment(directory.path(), &settings, &installation);
        let client = Client::start(&installation.clients, &environment);
        let open_files = program.open_files().len();
        let program = Some(program);
        let world = Self {
            installation,
            settings,
            program,
            client,
            open_files,
            _disk: disk,
            directory,
            _slot: file,
        };
        let image = world.directory.path().join("busybox.tar");
        busybox_image("busybox:1", &image);
        world.import(&image);
        world.import(&world.installation.quotes_image);
        world
    }

    /// A directory for the test's own files.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The state directory.
    pub fn state_dir(&self) -> &Path {
        &self.settings.state_dir
    }

    /// How `portcullis up` is started in this world.
    pub fn settings(&mut self) -> &mut Settings {
        &mut self.settings
    }

    /// The URL of the API.
    pub fn endpoint(&self) -> &str {
        self.program.as_ref().map_or("", |program| program.endpoint.as_str())
    }

    /// The running program.
    pub fn program(&self) -> &Program {
        self.program.as_ref().expect("portcullis runs")
    }

    /// Kills `portcullis up` without warning.
    pub fn kill(&mut self) {
        self.program.take().expect("portcullis runs").kill();
    }

    /// Ends `portcullis up` in order; tasks go on.
    pub fn terminate(&mut self) {
        self.program.take().expect("portcullis runs").terminate();
    }

    /// Asks `portcullis up` to end and waits until it has, well or not.
    pub fn end_somehow(&mut self) {
        self.program.take().expect("portcullis runs").end_somehow();
    }

    /// Starts `portcullis up` again.
    pub fn start(&mut self) {
        self.program = Some(Program::start(&self.settings));
    }

    /// `portcullis ARGUMENTS… --state-dir DIR`.
    pub fn portcullis(&self, arguments: &[&str]) -> CommandOutput {
        CommandOutput::of(
            self.settings
                .portcullis()
                .args(arguments)
                .arg("--state-dir")
                .arg(&self.settings.state_dir),
        )
    }

    /// Imports an image.
    ///
    /// # Panics
    /// When it is refused.
    pub fn import(&self, image: &Path) {
        let output = self.portcullis(&["image", "import", &image.display().to_string()]);
        assert_eq!(output.status, 0, "{output:?}");
    }

    /// Imports the image `boto3:1`.
    pub fn import_boto3(&self) {
        self.import(&boto3_image(&self.installation.clients));
    }

    /// The AWS CLI.
    pub fn aws(&self, arguments: &[&str]) -> CommandOutput {
        CommandOutput::of(&mut self.aws_command(arguments))
    }

    /// The AWS CLI, not started yet.
    pub fn aws_command(&self, arguments: &[&str]) -> Command {
        self.client_command("aws", arguments)
    }

    /// A program of the clients' environment, such as `python`, with what it needs to reach this world.
    pub fn client_command(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.installation.clients.join("bin").join(program));
        command
            .env_clear()
            .envs(environment(self.directory.path(), &self.settings, &self.installation))
            .args(arguments);
        command
    }

    /// What the AWS CLI answers, as JSON.
    ///
    /// # Panics
    /// When it fails.
    pub fn aws_json(&self, arguments: &[&str]) -> Value {
        let output = self.aws(arguments);
        assert_eq!(output.status, 0, "aws {arguments:?}: {}", output.stderr);
        serde_json::from_str(&output.stdout)
            .unwrap_or_else(|error| panic!("aws {arguments:?}: {error}: {}", output.stdout))
    }

    /// boto3.
    pub fn client(&mut self) -> &mut Client {
        &mut self.client
    }

    /// Calls an operation of Amazon ECS that must succeed.
    pub fn ecs(&mut self, operation: &str, input: &Value) -> Value {
        self.client
            .call("ecs", operation, input)
            .unwrap_or_else(|error| panic!("{operation}: {error:?}\n{input}"))
    }

    /// Calls an operation of Amazon ECS that must fail.
    pub fn ecs_error(&mut self, operation: &str, input: &Value) -> ApiError {
        match self.client.call("ecs", operation, input) {
            Err(error) => error,
            Ok(output) => panic!("{operation} succeeded: {output}"),
        }
    }

    /// Registers a task definition with these containers; `family:revision`.
    pub fn register(&mut self, family: &str, containers: &Value) -> String {
        self.register_with(&json!({"family": family, "containerDefinitions": containers}))
    }

    /// Registers a task definition; `family:revision`.
    pub fn register_with(&mut self, definition: &Value) -> String {
        let output = self.ecs("register_task_definition", definition);
        let arn = text(&output["taskDefinition"], "taskDefinitionArn");
        arn.rsplit('/').next().unwrap_or_default().to_owned()
    }

    /// Runs one task; its ARN.
    ///
    /// # Panics
    /// When it is not placed.
    pub fn run(&mut self, task_definition: &str) -> String {
        let output = self.ecs("run_task", &json!({"taskDefinition": task_definition}));
        assert_eq!(output["failures"], json!([]), "{output}");
        text(&output["tasks"][0], "taskArn")
    }

    /// Registers and runs a task of one busybox container; its ARN.
    pub fn run_script(&mut self, family: &str, script: &str) -> String {
        let definition = self.register(family, &json!([shell("main", script)]));
        self.run(&definition)
    }

    /// The task as DescribeTasks shows it.
    pub fn task(&mut self, arn: &str) -> Value {
        let mut output = self.ecs("describe_tasks", &json!({"tasks": [arn]}));
        assert_eq!(output["failures"], json!([]), "{output}");
        output["tasks"][0].take()
    }

    /// Waits until a task's `lastStatus` is this; the task then.
    ///
    /// # Panics
    /// When it takes too long, or the task stops first.
    pub fn wait_task(&mut self, arn: &str, status: &str) -> Value {
        let what = format!("task {} is {status}", task_id(arn));
        self.wait_task_until(arn, &what, |task| task["lastStatus"] == status)
    }

    /// Waits until a condition on a task holds; the task then.
    ///
    /// # Panics
    /// When it takes too long, or the task stops first.
    pub fn wait_task_until(
        &mut self,
        arn: &str,
        what: &str,
        condition: impl Fn(&Value) -> bool,
    ) -> Value {
        let task = eventually(what, BOUND, || {
            let task = self.task(arn);
            if condition(&task) || task["lastStatus"] == "STOPPED" {
                Ok(task)
            } else {
                Err(format!("{task}\n{}", self.program().log_end()))
            }
        });
        assert!(condition(&task), "{what}: the task stopped: {task}\n{}", self.program().log_end());
        task
    }

    /// Waits until a task has stopped; the task then.
    pub fn wait_stopped(&mut self, arn: &str) -> Value {
        self.wait_task(arn, "STOPPED")
    }

    /// Asks a task to stop.
    pub fn stop(&mut self, arn: &str) {
        self.ecs("stop_task", &json!({"task": arn}));
    }

    /// All ARNs of the service's tasks that should run.
    pub fn service_tasks(&mut self, service: &str) -> Vec<String> {
        let output = self.ecs("list_tasks", &json!({"serviceName": service}));
        let arns = output["taskArns"].as_array().cloned().unwrap_or_default();
        arns.iter().filter_map(|arn| arn.as_str().map(ToOwned::to_owned)).collect()
    }

    /// The service as DescribeServices shows it.
    pub fn service(&mut self, name: &str) -> Value {
        let mut output = self.ecs("describe_services", &json!({"services": [name]}));
        assert_eq!(output["failures"], json!([]), "{output}");
        output["services"][0].take()
    }

    /// Waits until a condition on a service holds; the service then.
    ///
    /// # Panics
    /// When it takes too long.
    pub fn wait_service(
        &mut self,
        name: &str,
        what: &str,
        condition: impl Fn(&Value) -> bool,
    ) -> Value {
        eventually(what, BOUND, || {
            let service = self.service(name);
            if condition(&service) { Ok(service) } else { Err(brief(&service)) }
        })
    }

    /// Waits until a service is as AWS's waiter `services_stable` wants it.
    pub fn wait_stable(&mut self, name: &str) -> Value {
        self.wait_service(name, &format!("service {name} is stable"), |service| {
            service["deployments"].as_array().map(Vec::len) == Some(1)
                && service["runningCount"] == service["desiredCount"]
                && service["deployments"][0]["rolloutState"] == "COMPLETED"
        })
    }

    /// All messages of a log group, by time; none when it is not there yet.
    pub fn log(&mut self, group: &str) -> Vec<String> {
        let input = json!({"logGroupName": group});
        match self.client.paginate("logs", "filter_log_events", &input, 1000) {
            Ok(output) => messages(&output),
            Err(error) if error.code == "ResourceNotFoundException" => Vec::new(),
            Err(error) => panic!("log of {group}: {error:?}"),
        }
    }

    /// Waits until a log group holds a line with this text; the lines then.
    pub fn wait_log(&mut self, group: &str, part: &str) -> Vec<String> {
        eventually(&format!("log {group} has `{part}`"), BOUND, || {
            let lines = self.log(group);
            if lines.iter().any(|line| line.contains(part)) {
                Ok(lines)
            } else {
                Err(lines.join("\n"))
            }
        })
    }

    /// The port of this machine where the task's container port is published.
    pub fn host_port(&mut self, arn: &str, container_port: u64) -> u16 {
        let task = self.task(arn);
        let containers = task["containers"].as_array().cloned().unwrap_or_default();
        let port = containers.iter().flat_map(|container| {
            container["networkBindings"].as_array().cloned().unwrap_or_default()
        });
        port.into_iter()
            .find(|binding| binding["containerPort"] == container_port)
            .and_then(|binding| binding["hostPort"].as_u64())
            .and_then(|port| u16::try_from(port).ok())
            .unwrap_or_else(|| panic!("port {container_port} is not published: {task}"))
    }

    /// `GET path` on a port of this machine; the answer's head and body.
    ///
    /// # Errors
    /// What went wrong.
    pub fn get(port: u16, path: &str) -> Result<String, String> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let failed = |error: std::io::Error| format!("{address}: {error}");
        let wait = Duration::from_secs(5);
        let mut stream = TcpStream::connect_timeout(&address, wait).map_err(failed)?;
        stream.set_read_timeout(Some(wait)).map_err(failed)?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: portcullis\r\nConnection: close\r\n\r\n")
            .map_err(failed)?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).map_err(failed)?;
        Ok(answer)
    }

    /// Kills the program when it, or a program of its, reaches this place for the `hit`th time from
    /// now on: see the crate `crash-point`.
    pub fn crash_at(&self, place: &str, hit: u32) {
        fs::write(self.crash_file(place), hit.to_string()).expect("arm a crash point");
    }

    /// Whether somebody was killed at this place since it was asked for.
    pub fn crashed_at(&self, place: &str) -> bool {
        fs::metadata(self.crash_file(&format!("{place}.reached"))).is_ok()
    }

    /// Nobody is to be killed at this place any more; whether somebody was.
    pub fn forget_crash(&self, place: &str) -> bool {
        drop(fs::remove_file(self.crash_file(place)));
        fs::remove_file(self.crash_file(&format!("{place}.reached"))).is_ok()
    }

    fn crash_file(&self, place: &str) -> PathBuf {
        self.directory.path().join("crash-points").join(place)
    }

    /// Whether `portcullis up` runs; it may have been killed at a crash point.
    pub fn runs(&mut self) -> bool {
        self.program.as_mut().is_some_and(Program::runs)
    }

    /// Ends everything and checks that nothing is left: no open files of the server beyond those it
    /// began with when no task runs any more; then stops all tasks and looks for processes, mounts,
    /// namespaces, cgroups, interfaces, loop devices and files, temporary ones too.
    ///
    /// # Panics
    /// Naming the test and what it left.
    pub fn finish(mut self) {
        let test = std::thread::current().name().unwrap_or_default().to_owned();
        if let Some(program) = self.program.take() {
            // The connections that it keeps are no leak of the server's.
            self.client.end();
            self.check_open_files(&program, &test);
            program.terminate();
        }
        self.end_tasks();
        let temporary = self.directory.path().join("tmp");
        eventually(&format!("nothing is left of `{test}`"), Duration::from_secs(15), || {
            let mut left = leaks(&self.settings.state_dir);
            left.extend(temporary_files(&temporary));
            if left.is_empty() { Ok(()) } else { Err(left.join("\n")) }
        });
        remove_instance(&self.settings.state_dir);
    }

    /// A server whose tasks have all gone has the files open that it had at its start, and a few
    /// that are opened at the first need.
    fn check_open_files(&self, program: &Program, test: &str) {
        if !tasks_are_gone(&self.settings.state_dir) {
            return;
        }
        let limit = self.open_files + OPENED_LATER;
        eventually(&format!("`{test}` left no file open"), Duration::from_secs(20), || {
            let open = program.open_files();
            if open.len() <= limit {
                return Ok(());
            }
            Err(format!("{} are open, not {limit}:\n{}", open.len(), open.join("\n")))
        });
    }

    /// Starts once more to stop what still runs.
    fn end_tasks(&mut self) {
        let mut settings = self.settings.clone();
        if !settings.options.iter().any(|option| option == "--stop-tasks") {
            settings.options.push("--stop-tasks".to_owned());
        }
        Program::start(&settings).terminate();
    }
}

/// A small file system in memory; unmounted when dropped.
#[derive(Debug)]
struct Disk(PathBuf);

impl Disk {
    fn mount(place: &Path, size_mib: u32) -> Self {
        fs::create_dir(place).expect("make a directory");
        let size = format!("size={size_mib}m,mode=0700");
        let mut mount = Command::new("mount");
        let mount = mount.args(["-t", "tmpfs", "-o", &size, "portcullis-e2e"]).arg(place);
        let output = CommandOutput::of(mount);
        assert_eq!(output.status, 0, "{output:?}");
        Self(place.to_owned())
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // After a failure something may still be in it; it goes when that does.
        drop(Command::new("umount").arg("--lazy").arg(&self.0).output());
    }
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for World {
    /// After a failure: no task shall outlive its test.
    fn drop(&mut self) {
        if std::thread::panicking() {
            drop(self.program.take());
            // The first failure is the one to report.
            let ended = catch_unwind(AssertUnwindSafe(|| self.end_tasks()));
            drop(ended);
            remove_instance(&self.settings.state_dir);
        }
    }
}

/// A container of the image `busybox:1` that runs a script, with 32 MiB and a stop time-out of 2 s.
pub fn shell(name: &str, script: &str) -> Value {
    json!({
        "name": name, "image": "busybox:1", "command": ["sh", "-c", script], "memory": 32,
        "stopTimeout": 2,
    })
}

/// The last part of a task's ARN.
pub fn task_id(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or_default()
}

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_else(|| panic!("no `{name}` in {value}")).to_owned()
}

fn messages(output: &Value) -> Vec<String> {
    let mut events = output["events"].as_array().cloned().unwrap_or_default();
    events.sort_by_key(|event| event["timestamp"].as_i64());
    events.iter().filter_map(|event| Some(event["message"].as_str()?.to_owned())).collect()
}

/// What matters of a service when a wait fails.
fn brief(service: &Value) -> String {
    let mut brief = json!({});
    for name in ["desiredCount", "runningCount", "pendingCount", "status", "deployments", "events"]
    {
        brief[name] = service[name].clone();
    }
    brief.to_string()
}

/// What the clients of a world get to see: nothing of the user's own configuration.
fn environment(
    directory: &Path,
    settings: &Settings,
    installation: &Installation,
) -> Vec<(String, String)> {
    let home = directory.join("home");
    fs::create_dir_all(&home).expect("make a directory");
    let clients: PathBuf = installation.clients.join("bin");
    let mut variables = client_environment(&settings.state_dir);
    variables.extend(
        [
            ("HOME", home.display().to_string()),
            ("PATH", format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", clients.display())),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
            ("AWS_PAGER", String::new()),
            ("PYTHONDONTWRITEBYTECODE", "1".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value)),
    );
    variables
}

/// Addresses for tasks that no other world of this machine uses, while the file is held.
fn slot() -> (u32, File) {
    let directory = std::env::temp_dir().join("portcullis-e2e-slots");
    fs::create_dir_all(&directory).expect("make a directory");
    eventually("a slot is free", Duration::from_secs(600), || {
        for slot in 0..SLOTS {
            let path = directory.join(slot.to_string());
            let file = File::create(&path).map_err(|error| error.to_string())?;
            if file.try_lock().is_ok() {
                return Ok((slot, file));
            }
        }
        Err(format!("{SLOTS} are taken"))
    })
}
