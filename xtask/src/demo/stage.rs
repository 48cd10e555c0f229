//! A Portcullis below `target/demo`, and the programs that are shown with it.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::{Program, Settings, leaks, pause, remove_instance};

use crate::build::Built;
use crate::workspace::{Workspace, output, run, say};

/// The port that `portcullis up` takes by itself.
const USUAL_ADDRESS: &str = "127.0.0.1:4510";
/// Addresses for the demo's tasks: from the range for tests, where no machine has routes.
const SUBNET: &str = "198.19.252.0/22";
const INTERVAL: Duration = Duration::from_millis(100);
/// Looks for what is left before it counts as left: namespaces end in the background.
const LOOKS: u32 = 100;

/// Where the story takes place.
#[derive(Debug)]
pub(crate) struct Stage {
    root: PathBuf,
    directory: PathBuf,
    clients: PathBuf,
    settings: Settings,
    program: Option<Program>,
    interrupted: Arc<AtomicBool>,
}

impl Stage {
    /// Imports the example's image and starts Portcullis.
    pub(crate) fn set(workspace: &Workspace, built: &Built) -> Result<Self> {
        let directory = workspace.target.join("demo");
        let state_dir = directory.join("state");
        let interrupted = Arc::new(AtomicBool::new(false));
        for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
            signal_hook::flag::register(signal, Arc::clone(&interrupted))?;
        }
        let usual_is_free = TcpListener::bind(USUAL_ADDRESS).is_ok();
        let settings = Settings {
            portcullis: built.programs.join("portcullis"),
            state_dir,
            listen: if usual_is_free { USUAL_ADDRESS } else { "127.0.0.1:0" }.to_owned(),
            subnet: SUBNET.to_owned(),
            options: vec!["--stop-tasks".to_owned()],
            environment: Vec::new(),
            log: directory.join("portcullis.log"),
        };
        let mut stage = Self {
            root: workspace.root.clone(),
            directory,
            clients: workspace.clients(),
            settings,
            program: None,
            interrupted,
        };
        stage.clear()?;
        fs::create_dir_all(stage.directory.join("home"))?;
        let image = built.quotes_image.display().to_string();
        let state_dir = stage.settings.state_dir.display().to_string();
        stage.title("Import the image of the example, then start Portcullis");
        let programs = stage.settings.portcullis.clone();
        let import = ["image", "import", &image, "--state-dir", &state_dir];
        stage.show("portcullis", &import);
        run(Command::new(programs).args(import))?;
        let up = ["up", "--state-dir", &state_dir, "--listen", &stage.settings.listen];
        stage.show(
            "portcullis",
            &[&up[..], &["--task-subnet", SUBNET, "--stop-tasks", "&"]].concat(),
        );
        let program = Program::start(&stage.settings);
        say(&format!("ready endpoint={}", program.endpoint));
        say(&format!("$ set -a; . {}/client.env", stage.settings.state_dir.display()));
        stage.program = Some(program);
        Ok(stage)
    }

    /// Ends what an interrupted demo has left.
    fn clear(&self) -> Result<()> {
        if fs::metadata(&self.settings.state_dir).is_ok() {
            if !leaks(&self.settings.state_dir).is_empty() {
                say("ending what an earlier demo has left");
                Program::start(&self.settings).terminate();
            }
            remove_instance(&self.settings.state_dir);
            fs::remove_dir_all(&self.directory)
                .with_context(|| format!("cannot remove {}", self.directory.display()))?;
        }
        Ok(())
    }

    /// Stops all tasks, ends Portcullis, and checks that nothing is left on this machine.
    pub(crate) fn strike(mut self) -> Result<()> {
        self.title("Tear down");
        if let Some(program) = self.program.take() {
            program.terminate();
        }
        let state_dir = &self.settings.state_dir;
        let mut left = leaks(state_dir);
        for _ in 0..LOOKS {
            if left.is_empty() {
                break;
            }
            pause(INTERVAL);
            left = leaks(state_dir);
        }
        ensure!(left.is_empty(), "the demo has left behind:\n{}", left.join("\n"));
        remove_instance(state_dir);
        fs::remove_dir_all(&self.directory)?;
        say("all tasks stopped; no process, mount, namespace, cgroup, interface or file is left");
        Ok(())
    }

    /// A heading.
    pub(crate) fn title(&self, text: &str) {
        say(&format!("\n── {text}"));
    }

    /// Prints a command as a person would type it.
    fn show(&self, program: &str, arguments: &[&str]) {
        let root = format!("{}/", self.root.display());
        let words = arguments.iter().map(|word| {
            let word = word.replace(&root, "");
            if word.contains([' ', '[', '*', '`', '\'']) { format!("\"{word}\"") } else { word }
        });
        say(&format!("$ {program} {}", words.collect::<Vec<_>>().join(" ")));
    }

    /// Shows and runs an AWS CLI command; shows and returns what it prints.
    pub(crate) fn aws(&self, arguments: &[&str]) -> Result<String> {
        self.show("aws", arguments);
        let text = output(self.client("aws").args(arguments))?;
        if !text.trim().is_empty() {
            say(text.trim_end());
        }
        Ok(text.trim().to_owned())
    }

    /// The same, quietly.
    pub(crate) fn ask(&self, arguments: &[&str]) -> Result<String> {
        Ok(output(self.client("aws").args(arguments))?.trim().to_owned())
    }

    /// Shows and runs `portcullis`.
    pub(crate) fn portcullis(&self, arguments: &[&str]) -> Result<()> {
        self.show("portcullis", arguments);
        run(Command::new(&self.settings.portcullis).args(arguments))
    }

    /// Shows and starts a Python program of the example.
    pub(crate) fn start_python(&self, arguments: &[&str]) -> Result<Child> {
        self.show("python", arguments);
        let mut python = self.client("python");
        python.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped());
        python.spawn().context("cannot start python")
    }

    /// A client in an environment of its own: nothing of the user's configuration.
    fn client(&self, program: &str) -> Command {
        let bin = self.clients.join("bin");
        let mut command = Command::new(bin.join(program));
        command
            .current_dir(&self.root)
            .env_clear()
            .envs(e2e::client_environment(&self.settings.state_dir))
            .env("PATH", format!("{}:/usr/bin:/bin", bin.display()))
            .env("HOME", self.directory.join("home"))
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_PAGER", "");
        command
    }

    /// Writes a file for a command to read; what to pass as its argument.
    pub(crate) fn write(&self, name: &str, text: &str) -> Result<String> {
        let path = self.directory.join(name);
        fs::write(&path, text)?;
        Ok(format!("file://{}", path.display()))
    }

    pub(crate) fn state_dir(&self) -> &Path {
        &self.settings.state_dir
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Returns when the user has pressed Ctrl-C.
    pub(crate) fn wait_for_interrupt(&self) {
        while !self.interrupted.load(Ordering::Relaxed) {
            pause(INTERVAL);
        }
    }
}
