//! A Portcullis of its own for one measurement.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::{Archive, Program, Settings};
use serde_json::{Value, json};
use sigv4::SecretKey;
use tar::EntryType;

use crate::clock::wait;
use crate::http::{ECS, Endpoint, Head, Service};
use crate::{Setting, report};

/// How long any step may take.
pub(crate) const BOUND: Duration = Duration::from_secs(60);
/// The image of every task here.
pub(crate) const IMAGE: &str = "bench:1";
/// The most tasks of one RunTask.
const MAX_COUNT: usize = 10;
/// The most tasks of one DescribeTasks.
pub(crate) const MAX_DESCRIBED: usize = 100;
/// A static program with a shell and the usual small tools.
pub(crate) const BUSYBOX: &str = "/bin/busybox";
/// Lines of `/lines` in the image; each has [`LINE_BYTES`] with its line feed.
pub(crate) const LINES: usize = 10_000;
/// About what a line of an access log has.
pub(crate) const LINE_BYTES: usize = 90;

/// A `portcullis up` with a state directory of its own and [`IMAGE`].
#[derive(Debug)]
pub(crate) struct World {
    directory: tempfile::TempDir,
    settings: Settings,
    program: Option<Program>,
}

impl World {
    /// Starts one.
    pub(crate) fn start(setting: &Setting) -> Result<Self> {
        // Addresses for tests, and none that the end-to-end tests use.
        Self::with_subnet(setting, "198.19.0.0/20")
    }

    /// Starts one beside another.
    pub(crate) fn beside(setting: &Setting) -> Result<Self> {
        Self::with_subnet(setting, "198.19.16.0/20")
    }

    fn with_subnet(setting: &Setting, subnet: &str) -> Result<Self> {
        let directory =
            tempfile::Builder::new().prefix("portcullis-bench-").tempdir_in(&setting.directory)?;
        let settings = Settings {
            portcullis: setting.programs.join("portcullis"),
            state_dir: directory.path().join("state"),
            listen: "127.0.0.1:0".to_owned(),
            subnet: subnet.to_owned(),
            options: vec!["--log-level".to_owned(), "warn".to_owned()],
            environment: Vec::new(),
            log: directory.path().join("log"),
        };
        let program = Program::start(&settings);
        let image = directory.path().join("image.tar");
        self::image()?.save_as_image(IMAGE, &image);
        let output = Command::new(&settings.portcullis)
            .args(["image", "import"])
            .arg(&image)
            .arg("--state-dir")
            .arg(&settings.state_dir)
            .output()?;
        ensure!(
            output.status.success(),
            "image import: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        fs::remove_file(&image)?;
        Ok(Self { directory, settings, program: Some(program) })
    }

    /// The control plane's store. Only for when the program does not run.
    pub(crate) fn store(&self) -> PathBuf {
        self.settings.state_dir.join("store")
    }

    /// The program's process.
    pub(crate) fn pid(&self) -> Result<u32> {
        Ok(self.program.as_ref().context("portcullis does not run")?.id())
    }

    /// The shim's program.
    pub(crate) fn shim(&self) -> PathBuf {
        self.settings.portcullis.with_file_name("portcullis-shim")
    }

    /// Ends the program in order; tasks go on.
    pub(crate) fn terminate(&mut self) {
        if let Some(program) = self.program.take() {
            program.terminate();
        }
    }

    /// Kills the program; tasks go on.
    pub(crate) fn kill(&mut self) {
        if let Some(program) = self.program.take() {
            program.kill();
        }
    }

    /// Starts the program again, and returns when it says that it is ready.
    pub(crate) fn start_again(&mut self) {
        self.program = Some(Program::start(&self.settings));
    }

    /// The server and its root key.
    pub(crate) fn endpoint(&self) -> Result<Endpoint> {
        let text = fs::read_to_string(self.settings.state_dir.join("client.env"))?;
        let variable = |name: &str| {
            text.lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
                .with_context(|| format!("client.env has no {name}"))
        };
        let program = self.program.as_ref().context("portcullis does not run")?;
        let authority = program.endpoint.strip_prefix("http://").context("TLS on loopback")?;
        Ok(Endpoint {
            address: authority.parse()?,
            access_key_id: variable("AWS_ACCESS_KEY_ID")?.to_owned(),
            secret: SecretKey::new(variable("AWS_SECRET_ACCESS_KEY")?.to_owned()),
        })
    }

    /// A connection for one call after the other.
    pub(crate) fn client(&self) -> Result<Client> {
        Client::connect(self.endpoint()?)
    }

    /// Stops all tasks and deletes everything.
    pub(crate) fn finish(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.terminate();
        let mut settings = self.settings.clone();
        settings.options.push("--stop-tasks".to_owned());
        Program::start(&settings).terminate();
        e2e::remove_instance(&self.settings.state_dir);
        let left = e2e::leaks(&self.settings.state_dir);
        if !left.is_empty() {
            report::say(&format!("left behind: {}", left.join("; ")));
        }
    }
}

impl Drop for World {
    /// After a failure: no task shall outlive its measurement.
    fn drop(&mut self) {
        if self.program.is_some() {
            if let Ok(log) = fs::read_to_string(self.directory.path().join("log")) {
                let lines: Vec<&str> = log.lines().rev().take(10).collect();
                report::say(&lines.join("\n"));
            }
            self.end();
        }
    }
}

/// A connection for one call after the other.
#[derive(Debug)]
pub(crate) struct Client {
    endpoint: Endpoint,
    stream: TcpStream,
}

impl Client {
    pub(crate) fn connect(endpoint: Endpoint) -> Result<Self> {
        let stream = TcpStream::connect(endpoint.address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(BOUND))?;
        Ok(Self { endpoint, stream })
    }

    /// Calls an operation that must succeed.
    pub(crate) fn call(
        &mut self,
        service: Service,
        operation: &str,
        body: &Value,
    ) -> Result<Value> {
        let request = self.endpoint.request(service, operation, &body.to_string())?;
        self.stream.write_all(&request)?;
        let mut answer = Vec::new();
        let mut piece = vec![0; 256 * 1024];
        let mut head: Option<Head> = None;
        while head.is_none_or(|head| answer.len() < head.total()) {
            let read = self.stream.read(&mut piece)?;
            ensure!(read > 0, "{operation}: the server closed the connection");
            answer.extend_from_slice(piece.get(..read).unwrap_or_default());
            if head.is_none() {
                head = Head::read(&answer)?;
            }
        }
        let head = head.context("no answer")?;
        let body = answer.get(head.length..).unwrap_or_default();
        ensure!(
            head.status == 200,
            "{operation}: {} {}",
            head.status,
            String::from_utf8_lossy(body)
        );
        if head.close {
            *self = Self::connect(self.endpoint.clone())?;
        }
        Ok(serde_json::from_slice(body)?)
    }

    /// Calls an operation of Amazon ECS.
    pub(crate) fn ecs(&mut self, operation: &str, body: &Value) -> Result<Value> {
        self.call(ECS, operation, body)
    }

    /// Registers a task definition with one container that runs a command of [`IMAGE`].
    pub(crate) fn register(&mut self, family: &str, command: &[&str]) -> Result<()> {
        self.ecs("RegisterTaskDefinition", &definition(family, command))?;
        Ok(())
    }

    /// Runs tasks; their ARNs.
    pub(crate) fn run(&mut self, family: &str, count: usize) -> Result<Vec<String>> {
        let mut arns = Vec::new();
        while arns.len() < count {
            let some = (count - arns.len()).min(MAX_COUNT);
            let body = json!({"taskDefinition": family, "count": some});
            arns.extend(started(&self.ecs("RunTask", &body)?)?);
        }
        Ok(arns)
    }

    /// Waits until all these tasks have a status; the tasks then. Fails when one stops first.
    pub(crate) fn wait_tasks(&mut self, arns: &[String], status: &str) -> Result<Vec<Value>> {
        let mut all = Vec::new();
        for some in arns.chunks(MAX_DESCRIBED) {
            all.extend(wait(&format!("{} tasks {status}", some.len()), BOUND, || {
                let body = json!({"cluster": "default", "tasks": some});
                let mut output = self.ecs("DescribeTasks", &body)?;
                let tasks = array(&mut output, "tasks");
                for task in &tasks {
                    let last = text(task, "lastStatus")?;
                    ensure!(last == status || last != "STOPPED", "a task stopped: {task}");
                    if last != status {
                        return Ok(None);
                    }
                }
                ensure!(tasks.len() == some.len(), "tasks are missing: {output}");
                Ok(Some(tasks))
            })?);
        }
        Ok(all)
    }
}

/// A task definition with one container.
pub(crate) fn definition(family: &str, command: &[&str]) -> Value {
    json!({"family": family, "containerDefinitions": [{
        "name": "main", "image": IMAGE, "command": command, "memory": 16, "stopTimeout": 2,
    }]})
}

/// The ARNs of the tasks that RunTask started; an error when some were not.
pub(crate) fn started(output: &Value) -> Result<Vec<String>> {
    let failures = output.get("failures").and_then(Value::as_array);
    ensure!(failures.is_none_or(Vec::is_empty), "not started: {output}");
    let tasks = output.get("tasks").and_then(Value::as_array).context("no tasks")?;
    tasks.iter().map(|task| Ok(text(task, "taskArn")?.to_owned())).collect()
}

/// A member that is a list; empty when it is missing.
pub(crate) fn array(value: &mut Value, name: &str) -> Vec<Value> {
    value.get_mut(name).and_then(Value::as_array_mut).map(std::mem::take).unwrap_or_default()
}

/// A member that is a text.
pub(crate) fn text<'a>(value: &'a Value, name: &str) -> Result<&'a str> {
    value.get(name).and_then(Value::as_str).with_context(|| format!("no {name} in {value}"))
}

/// A member that is a time, in milliseconds.
pub(crate) fn time_ms(value: &Value, name: &str) -> Result<f64> {
    let seconds = value.get(name).and_then(Value::as_f64);
    Ok(seconds.with_context(|| format!("no {name} in {value}"))? * 1000.0)
}

/// The last part of a task's ARN.
pub(crate) fn task_id(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or_default()
}

/// Line `number` of `/lines`.
pub(crate) fn line(number: usize) -> String {
    let request = "GET /quote/ACME HTTP/1.1 status=200 bytes=1534 duration_us=";
    format!("{number:08} {request}{:0>width$}", number, width = LINE_BYTES - 10 - request.len())
}

/// What tasks run, under its own names.
const APPLETS: [&str; 4] = ["cat", "sh", "sleep", "true"];

/// Busybox, [`LINES`] lines in `/lines`, and `end` in `/end`.
fn image() -> Result<Archive> {
    let busybox = fs::read(BUSYBOX).context("install busybox-static")?;
    let lines: String = (0..LINES).flat_map(|number| [line(number), "\n".to_owned()]).collect();
    let archive = Archive::default()
        .directory("bin", 0o755)
        .file("bin/busybox", 0o755, &busybox)
        .file("lines", 0o644, lines.as_bytes())
        .file("end", 0o644, b"end\n");
    Ok(APPLETS.iter().fold(archive, |archive, applet| {
        archive.link(EntryType::Symlink, &format!("bin/{applet}"), "busybox")
    }))
}
