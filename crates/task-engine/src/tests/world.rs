//! A task's definition in one line of text, and a runtime that does what it is told.

use std::collections::BTreeSet;

use base::Timestamp;
use domain::{
    ContainerSpec, DependencyCondition, DependsOn, DesiredStatus, HealthCheck, NetworkMode,
    RestartPolicy, TaskObservation, TaskSpec, TaskStatus,
};

use crate::{Effect, Event, FoundContainer, TaskState, apply, observe, plan, recover};

/// A task of containers given as words: `web:essential,after=db/HEALTHY,stop=5`.
pub(crate) fn task(containers: &str) -> TaskSpec {
    TaskSpec {
        containers: containers.split_whitespace().map(container).collect(),
        volumes: Vec::new(),
        network_mode: NetworkMode::Bridge,
        cpu_units: None,
        memory_mib: None,
        task_role_arn: None,
        execution_role_arn: None,
        ephemeral_storage_mib: None,
        compatible_with_ec2: true,
        compatible_with_fargate: false,
        placement_expressions: Vec::new(),
    }
}

fn container(text: &str) -> ContainerSpec {
    let (name, words) = text.split_once(':').unwrap_or((text, ""));
    let mut spec = ContainerSpec { name: name.to_owned(), ..ContainerSpec::default() };
    for word in words.split(',').filter(|word| !word.is_empty()) {
        let (key, value) = word.split_once('=').unwrap_or((word, ""));
        let number = || value.parse::<u32>().unwrap();
        match key {
            "essential" => spec.essential = true,
            "after" => spec.depends_on.push(depends_on(value)),
            "start" => spec.start_timeout_seconds = Some(number()),
            "stop" => spec.stop_timeout_seconds = Some(number()),
            "restart" => {
                spec.restart_policy = Some(RestartPolicy {
                    ignored_exit_codes: vec![42],
                    attempt_period_seconds: number(),
                });
            }
            "health" => {
                spec.health_check = Some(HealthCheck {
                    argv: vec!["check".to_owned()],
                    interval_seconds: 10,
                    timeout_seconds: 5,
                    retries: 3,
                    start_period_seconds: number(),
                });
            }
            other => panic!("`{other}` is not a word of the fixture"),
        }
    }
    spec
}

fn depends_on(value: &str) -> DependsOn {
    let (container_name, condition) = value.split_once('/').unwrap();
    let condition = match condition {
        "START" => DependencyCondition::Start,
        "COMPLETE" => DependencyCondition::Complete,
        "SUCCESS" => DependencyCondition::Success,
        "HEALTHY" => DependencyCondition::Healthy,
        other => panic!("`{other}` is not a condition"),
    };
    DependsOn { container_name: container_name.to_owned(), condition }
}

/// A process as the runtime has it.
#[derive(Debug, Clone)]
struct Process {
    container: usize,
    attempt: u32,
    started_at: Timestamp,
    exit: Option<(i32, Timestamp)>,
}

/// One task on one node.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) spec: TaskSpec,
    pub(crate) state: TaskState,
    pub(crate) desired: DesiredStatus,
    pub(crate) now: Timestamp,
    /// Containers that do not heed the stop signal.
    pub(crate) deaf: BTreeSet<String>,
    /// Containers that cannot be started.
    pub(crate) broken: BTreeSet<String>,
    /// Containers whose health check fails.
    pub(crate) ill: BTreeSet<String>,
    /// What the runtime was told and what it saw, in words.
    pub(crate) history: Vec<String>,
    processes: Vec<Process>,
    sandbox: bool,
    last_status: TaskStatus,
}

impl World {
    pub(crate) fn new(containers: &str) -> Self {
        let spec = task(containers);
        let names = spec.containers.iter().map(|spec| (spec.name.clone(), "id".to_owned()));
        Self {
            state: TaskState::new(names.collect::<Vec<_>>()),
            spec,
            desired: DesiredStatus::Running,
            now: Timestamp::from_epoch_ms(0),
            deaf: BTreeSet::new(),
            broken: BTreeSet::new(),
            ill: BTreeSet::new(),
            history: Vec::new(),
            processes: Vec::new(),
            sandbox: false,
            last_status: TaskStatus::Pending,
        }
    }

    /// What the node would carry out now.
    pub(crate) fn effects(&mut self) -> Vec<Effect> {
        let effects = plan(&self.spec, self.desired, &mut self.state, self.now).effects;
        self.check();
        effects
    }

    /// When the engine wants to be asked again.
    pub(crate) fn wake_at_seconds(&mut self) -> Option<i64> {
        let plan = plan(&self.spec, self.desired, &mut self.state, self.now);
        plan.wake_at.map(|moment| moment.as_epoch_ms() / 1000)
    }

    /// Carries out effects until the same ones are asked for again.
    pub(crate) fn settle(&mut self) {
        let mut before = None;
        for _ in 0..200 {
            let effects = self.effects();
            if effects.is_empty() || before.as_ref() == Some(&effects) {
                return;
            }
            for effect in &effects {
                self.carry_out(effect);
            }
            before = Some(effects);
        }
        panic!("never settles: {:?}\n{:#?}", self.history, self.state);
    }

    /// Lets time pass, waking the engine when it wants.
    pub(crate) fn pass(&mut self, seconds: i64) {
        let end = self.now.plus_seconds(seconds);
        for _ in 0..10_000 {
            self.settle();
            let wake_at = plan(&self.spec, self.desired, &mut self.state, self.now).wake_at;
            match wake_at.filter(|wake_at| *wake_at <= end) {
                Some(wake_at) => {
                    assert!(wake_at > self.now, "asked to wake in the past: {:#?}", self.state);
                    self.now = wake_at;
                }
                None => break,
            }
        }
        self.now = end;
        self.settle();
    }

    /// A process ends by itself.
    pub(crate) fn exit(&mut self, name: &str, exit_code: i32) {
        let index = self.index(name);
        self.end(index, exit_code);
    }

    fn end(&mut self, index: usize, exit_code: i32) {
        let now = self.now;
        let alive = self
            .processes
            .iter_mut()
            .find(|process| process.container == index && process.exit.is_none());
        if let Some(process) = alive {
            process.exit = Some((exit_code, now));
            let attempt = process.attempt;
            self.history.push(format!("{} exited {exit_code}", self.name(index)));
            self.apply(Event::ContainerExited {
                container: index,
                attempt,
                exit_code,
                reason: None,
                at: now,
            });
        }
    }

    /// The agent dies: nothing is under way any more. It comes back and looks at what is there.
    pub(crate) fn crash(&mut self) {
        self.history.push("crash".to_owned());
        // What the agent has written, read again.
        let written = serde_json::to_vec(&self.state).unwrap();
        self.state = serde_json::from_slice(&written).unwrap();
        let found: Vec<FoundContainer> = self
            .processes
            .iter()
            .map(|process| FoundContainer {
                container: process.container,
                attempt: process.attempt,
                runtime_id: "runtime".to_owned(),
                started_at: process.started_at,
                exit: process.exit.map(|(code, at)| (code, None, at)),
            })
            .collect();
        recover(&self.spec, &mut self.state, &found, self.now);
        self.check();
    }

    /// A process that dies while nobody looks.
    pub(crate) fn die_unseen(&mut self, index: usize) {
        let now = self.now;
        for process in &mut self.processes {
            if process.container == index && process.exit.is_none() {
                process.exit = Some((9, now));
            }
        }
    }

    pub(crate) fn carry_out(&mut self, effect: &Effect) {
        if let Some(event) = self.begin(effect) {
            self.apply(event);
        }
    }

    /// Carries an effect out without telling the engine; what would be told is returned.
    pub(crate) fn begin(&mut self, effect: &Effect) -> Option<Event> {
        let at = self.now;
        match *effect {
            Effect::ResolveImages => Some(Event::ImagesResolved {
                digests: vec!["sha256:0".to_owned(); self.spec.containers.len()],
            }),
            Effect::CreateSandbox => {
                self.sandbox = true;
                Some(Event::SandboxReady { address: None, mac_address: None, bindings: Vec::new() })
            }
            Effect::StartContainer { container, attempt } => self.start(container, attempt),
            Effect::StopContainer { container, .. } => {
                let name = self.name(container);
                self.say(format!("stop {name}"));
                if !self.deaf.contains(&name) {
                    self.end(container, 143);
                }
                None
            }
            Effect::KillContainer { container, .. } => {
                self.say(format!("kill {}", self.name(container)));
                self.end(container, 137);
                None
            }
            Effect::ProbeHealth { container, attempt } => {
                let passed = !self.ill.contains(&self.name(container));
                Some(Event::HealthProbed { container, attempt, passed, at })
            }
            Effect::RemoveSandbox => {
                let alive = self.processes.iter().any(|process| process.exit.is_none());
                assert!(!alive, "the sandbox is removed under a living process");
                self.sandbox = false;
                self.processes.clear();
                self.say("remove".to_owned());
                Some(Event::SandboxRemoved)
            }
        }
    }

    fn start(&mut self, container: usize, attempt: u32) -> Option<Event> {
        let name = self.name(container);
        assert!(self.sandbox, "{name} is started without a sandbox");
        if self.broken.contains(&name) {
            let reason = format!("CannotStartContainerError: {name} is broken");
            return Some(Event::ContainerFailed { container, attempt, reason });
        }
        let known = self
            .processes
            .iter()
            .find(|process| process.container == container && process.attempt == attempt);
        let started_at = match known {
            // Idempotent: a start that was carried out already is told again, never repeated.
            Some(process) => process.started_at,
            None => {
                let alive =
                    |process: &Process| process.container == container && process.exit.is_none();
                assert!(!self.processes.iter().any(alive), "{name} runs twice");
                self.history.push(format!("start {name}"));
                let started_at = self.now;
                self.processes.push(Process { container, attempt, started_at, exit: None });
                started_at
            }
        };
        let runtime_id = "runtime".to_owned();
        Some(Event::ContainerStarted { container, attempt, runtime_id, at: started_at })
    }

    pub(crate) fn apply(&mut self, event: Event) {
        apply(&self.spec, &mut self.state, event, self.now);
        self.check();
    }

    pub(crate) fn observe(&self) -> TaskObservation {
        observe(&self.spec, self.desired, &self.state, 1)
    }

    /// What must hold after every single step.
    fn check(&mut self) {
        let seen = self.observe();
        let shown = (self.last_status, seen.last_status);
        assert!(shown.0 <= shown.1, "status went back: {shown:?}\n{:?}", self.history);
        self.last_status = seen.last_status;
        if seen.last_status >= TaskStatus::Stopping {
            let wanted = self.desired == DesiredStatus::Stopped || seen.stop.is_some();
            assert!(wanted, "it stops without a reason: {seen:#?}");
        }
        if seen.last_status >= TaskStatus::Deprovisioning {
            let stopped = seen
                .containers
                .iter()
                .all(|container| container.last_status == domain::ContainerStatus::Stopped);
            assert!(stopped, "{:?} with a container that has not stopped", seen.last_status);
        }
    }

    pub(crate) fn index(&self, name: &str) -> usize {
        self.spec.containers.iter().position(|spec| spec.name == name).unwrap()
    }

    fn name(&self, index: usize) -> String {
        self.spec.containers[index].name.clone()
    }

    /// The same told twice in a row is one story.
    fn say(&mut self, text: String) {
        if self.history.last() != Some(&text) {
            self.history.push(text);
        }
    }

    /// `STATUS; stop code: reason`, as the control plane sees it.
    pub(crate) fn summary(&self) -> String {
        let seen = self.observe();
        let stop = seen.stop.map(|(code, reason)| format!("; {}: {reason}", code.as_str()));
        format!("{}{}", seen.last_status.as_str(), stop.unwrap_or_default())
    }
}
