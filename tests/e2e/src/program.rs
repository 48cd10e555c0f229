//! A running `portcullis up`.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::wait::eventually;

/// How long a start and an end may take on a busy machine.
const BOUND: Duration = Duration::from_secs(90);
/// Lines of the program's log that a failure shows.
const SHOWN_LINES: usize = 40;

/// How `portcullis up` is started.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The program.
    pub portcullis: PathBuf,
    /// `--state-dir`.
    pub state_dir: PathBuf,
    /// `--listen`.
    pub listen: String,
    /// `--task-subnet`.
    pub subnet: String,
    /// Further options.
    pub options: Vec<String>,
    /// Variables of its environment, beside a search path.
    pub environment: Vec<(String, String)>,
    /// The file that its log is appended to.
    pub log: PathBuf,
}

/// A `portcullis up` that has said it is ready. Dropping it kills it.
#[derive(Debug)]
pub struct Program {
    process: Child,
    /// What it said in its line `ready endpoint=…`.
    pub endpoint: String,
    log: PathBuf,
}

/// What a command that has ended said.
#[derive(Debug, Clone)]
pub struct CommandOutput {
    /// Its exit status; −1 when a signal ended it.
    pub status: i32,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

impl CommandOutput {
    /// Runs a command to its end.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn of(command: &mut Command) -> Self {
        let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        Self {
            status: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Settings {
    /// The program, in an environment with nothing but a search path and what the settings say.
    pub fn portcullis(&self) -> Command {
        let mut command = Command::new(&self.portcullis);
        command
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .envs(self.environment.iter().cloned());
        command
    }

    /// `portcullis up`.
    pub fn command(&self) -> Command {
        let mut command = self.portcullis();
        command
            .arg("up")
            .arg("--state-dir")
            .arg(&self.state_dir)
            .args(["--listen", &self.listen, "--task-subnet", &self.subnet])
            .args(&self.options);
        command
    }
}

impl Program {
    /// Starts it and waits until it says that it is ready.
    ///
    /// # Panics
    /// When it does not, with the end of its log.
    pub fn start(settings: &Settings) -> Self {
        let mut options = File::options();
        let log = options.create(true).append(true).open(&settings.log).expect("open a log file");
        let mut process = settings
            .command()
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("start portcullis");
        let stdout = process.stdout.take().expect("a pipe");
        let (sender, receiver) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                // Nobody may want to know any more.
                drop(sender.send(line));
            }
        });
        let ready = receiver.recv_timeout(BOUND).ok();
        let endpoint = ready.as_deref().and_then(|line| line.strip_prefix("ready endpoint="));
        let program = Self {
            process,
            endpoint: endpoint.unwrap_or_default().to_owned(),
            log: settings.log.clone(),
        };
        assert!(endpoint.is_some(), "not ready, but {ready:?}\n{}", program.log_end());
        program
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// What its open files are, as the kernel names them.
    pub fn open_files(&self) -> Vec<String> {
        let directory = format!("/proc/{}/fd", self.id());
        let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
        let targets = entries.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
        targets.map(|target| target.display().to_string()).collect()
    }

    /// Whether it runs.
    pub fn runs(&mut self) -> bool {
        matches!(self.process.try_wait(), Ok(None))
    }

    /// The end of its log.
    pub fn log_end(&self) -> String {
        end_of(&self.log)
    }

    /// Kills it as a power cut would: no warning, nothing written.
    pub fn kill(mut self) {
        self.process.kill().expect("kill portcullis");
        self.process.wait().expect("wait for portcullis");
    }

    /// Asks it to end and waits until it has.
    ///
    /// # Panics
    /// When it does not, or does not end well.
    pub fn terminate(self) {
        let log = self.log.clone();
        let status = self.end_somehow();
        assert!(status.success(), "portcullis ended with {status}\n{}", end_of(&log));
    }

    /// Asks it to end and waits until it has; how it ended.
    ///
    /// # Panics
    /// When it does not.
    pub fn end_somehow(mut self) -> ExitStatus {
        let pid = Pid::from_child(&self.process);
        kill_process(pid, Signal::TERM).expect("signal portcullis");
        let bound = BOUND + Duration::from_secs(90);
        eventually("portcullis ends after SIGTERM", bound, || {
            let status = self.process.try_wait().map_err(|error| error.to_string())?;
            status.ok_or_else(|| format!("it runs on\n{}", self.log_end()))
        })
    }
}

fn end_of(log: &Path) -> String {
    let log = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = log.lines().collect();
    let first = lines.len().saturating_sub(SHOWN_LINES);
    lines.get(first..).unwrap_or_default().join("\n")
}

impl Drop for Program {
    fn drop(&mut self) {
        if matches!(self.process.try_wait(), Ok(None)) {
            // It may end meanwhile.
            drop(self.process.kill());
            drop(self.process.wait());
        }
    }
}

/// The variables of a `client.env`.
pub fn client_environment(state_dir: &Path) -> Vec<(String, String)> {
    let path = state_dir.join("client.env");
    let text = fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
    let variables = text.lines().filter_map(|line| line.split_once('='));
    variables.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}
