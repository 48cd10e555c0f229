//! A node's container runtime: processes, networks, and how long everything takes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use base::Timestamp;
use domain::{ContainerSpec, NetworkBinding, TaskSpec};
use invariants::{ContainerEvent, Invariant, NetworkEvent, Observation, What};
use node_proto::Assignment;
use task_engine::{Effect, Event, FoundContainer};

use crate::behaviour::Behaviour;
use crate::env::Env;
use crate::node::{NodeEvent, Out};

/// The first port that is given to a mapping without one.
const FIRST_DYNAMIC_PORT: u16 = 32_768;

/// A process: of a task, a container by its name, and a start.
pub(crate) type ProcessKey = (String, String, u32);

#[derive(Debug, Clone)]
pub(crate) struct Process {
    started_at: Timestamp,
    exit: Option<(i32, Option<String>, Timestamp)>,
    behaviour: Behaviour,
}

#[derive(Debug, Clone)]
struct Network {
    address: String,
    number: u64,
    ports: Vec<u16>,
}

/// What a node's machine runs. Gone when it loses power.
#[derive(Debug)]
pub(crate) struct Runtime {
    env: Arc<Env>,
    node: String,
    processes: BTreeMap<ProcessKey, Process>,
    networks: BTreeMap<String, Network>,
    /// Rises with every boot: what was under way before is no more.
    pub(crate) boot: u64,
}

impl Runtime {
    pub(crate) fn new(env: Arc<Env>, node: String) -> Self {
        Self { env, node, processes: BTreeMap::new(), networks: BTreeMap::new(), boot: 0 }
    }

    fn see(&self, key: &ProcessKey, what: What) {
        let (task, container, attempt) = (key.0.as_str(), key.1.as_str(), key.2);
        let event = ContainerEvent { node: &self.node, task, container, attempt, what };
        self.env.observe(Observation::Container(event));
        let what = match what {
            What::Started => "starts".to_owned(),
            What::Signalled => "is told to stop".to_owned(),
            What::Exited(code) => format!("exits with {code}"),
            What::Probed { passed: true } => return,
            What::Probed { passed: false } => "fails its health check".to_owned(),
        };
        self.env.tell(&format!("{}: container {container} of {task} {what}", self.node));
    }

    /// How long an effect takes.
    pub(crate) fn takes_ms(&self, spec: &TaskSpec, effect: &Effect) -> i64 {
        let behaviour = |container: usize| {
            let container = spec.containers.get(container);
            container.map(|container| Behaviour::of(&container.command)).unwrap_or_default()
        };
        match *effect {
            Effect::ResolveImages => {
                let given = (0..spec.containers.len()).filter_map(|one| behaviour(one).pull_ms);
                given.max().unwrap_or_else(|| self.env.takes_ms(1_000, 5, 2_000))
            }
            Effect::CreateSandbox => self.env.takes_ms(100, 10, 150),
            Effect::StartContainer { container, .. } => {
                behaviour(container).start_ms.unwrap_or_else(|| self.env.takes_ms(200, 20, 400))
            }
            Effect::StopContainer { .. } | Effect::KillContainer { .. } => {
                self.env.takes_ms(10, 0, 20)
            }
            Effect::ProbeHealth { .. } => self.env.takes_ms(100, 10, 500),
            Effect::RemoveSandbox => self.env.takes_ms(200, 20, 500),
        }
    }

    /// Does what an effect does. Returns what the agent is told.
    pub(crate) fn perform(
        &mut self,
        assignment: &Assignment,
        effect: &Effect,
        out: &mut Out,
    ) -> Option<Event> {
        let (task, spec) = (&assignment.task_id, &assignment.spec);
        match *effect {
            Effect::ResolveImages => Some(resolve(spec)),
            Effect::CreateSandbox => Some(self.attach(task, spec)),
            Effect::StartContainer { container, attempt } => {
                Some(self.start(task, spec.containers.get(container)?, (container, attempt), out))
            }
            Effect::StopContainer { container, attempt } => {
                self.signal(task, spec.containers.get(container)?, attempt, false, out);
                None
            }
            Effect::KillContainer { container, attempt } => {
                self.signal(task, spec.containers.get(container)?, attempt, true, out);
                None
            }
            Effect::ProbeHealth { container, attempt } => {
                let name = &spec.containers.get(container)?.name;
                Some(self.probe(&(task.clone(), name.clone(), attempt), container))
            }
            Effect::RemoveSandbox => {
                self.remove(task);
                if self.env.mutation.breaks(Invariant::StoppedStays) {
                    let at = self.env.now().plus_ms(5_000);
                    out.at(at, NodeEvent::Haunt { task: task.clone(), boot: self.boot });
                }
                Some(Event::SandboxRemoved)
            }
        }
    }

    fn attach(&mut self, task: &str, spec: &TaskSpec) -> Event {
        if !self.networks.contains_key(task) {
            let used: BTreeSet<u64> = self.networks.values().map(|one| one.number).collect();
            let same = self.env.mutation.breaks(Invariant::Addresses);
            let number = (2..).find(|number| same || !used.contains(number)).unwrap_or(2);
            let taken: BTreeSet<u16> =
                self.networks.values().flat_map(|one| one.ports.iter().copied()).collect();
            let mut free = (FIRST_DYNAMIC_PORT..).filter(|port| !taken.contains(port));
            let mappings = spec.containers.iter().flat_map(|one| &one.port_mappings);
            let ports = mappings
                .filter_map(|mapping| mapping.host_port.or_else(|| free.next()))
                .collect::<Vec<_>>();
            let address = format!("172.31.{}.{}", number / 256, number % 256);
            self.networks.insert(task.to_owned(), Network { address, number, ports });
        }
        let Some(network) = self.networks.get(task) else {
            return Event::SandboxFailed { reason: "no network".to_owned() };
        };
        let (node, address) = (self.node.as_str(), Some(network.address.as_str()));
        let ports = network.ports.as_slice();
        self.env.observe(Observation::Network(NetworkEvent { node, task, address, ports }));
        let mut given = network.ports.iter();
        let mut bindings = Vec::new();
        for (index, container) in spec.containers.iter().enumerate() {
            for mapping in &container.port_mappings {
                let Some(host_port) = given.next().copied() else { continue };
                let binding = NetworkBinding {
                    bind_ip: "0.0.0.0".to_owned(),
                    container_port: mapping.container_port,
                    host_port,
                    protocol: mapping.protocol,
                };
                bindings.push((index, binding));
            }
        }
        Event::SandboxReady { address: Some(network.address.clone()), mac_address: None, bindings }
    }

    fn start(
        &mut self,
        task: &str,
        spec: &ContainerSpec,
        (container, attempt): (usize, u32),
        out: &mut Out,
    ) -> Event {
        let failed =
            |reason: &str| Event::ContainerFailed { container, attempt, reason: reason.to_owned() };
        let behaviour = Behaviour::of(&spec.command);
        if behaviour.start_fails {
            return failed("CannotStartContainerError: the program cannot be executed");
        }
        if !self.networks.contains_key(task) {
            return failed("CannotStartContainerError: the task has no namespaces");
        }
        let key = (task.to_owned(), spec.name.clone(), attempt);
        let started_at = self.env.now();
        // What an agent that died meanwhile began is begun anew.
        if self.processes.get(&key).is_some_and(|process| process.exit.is_none()) {
            self.end(&key, 137, None);
        }
        self.processes.insert(key.clone(), Process { started_at, exit: None, behaviour });
        self.see(&key, What::Started);
        if let Some((code, after_ms)) = behaviour.exit {
            self.end_at(&key, started_at.plus_ms(after_ms), code, out);
        }
        if let Some(after_ms) = behaviour.oom_ms {
            self.end_at(&key, started_at.plus_ms(after_ms), 137, out);
        }
        let runtime_id = format!("{task}/{attempt}-{}", spec.name);
        Event::ContainerStarted { container, attempt, runtime_id, at: started_at }
    }

    fn end_at(&self, key: &ProcessKey, at: Timestamp, code: i32, out: &mut Out) {
        out.at(at, NodeEvent::Exit { process: key.clone(), code, boot: self.boot });
    }

    fn signal(&self, task: &str, spec: &ContainerSpec, attempt: u32, kill: bool, out: &mut Out) {
        let key = (task.to_owned(), spec.name.clone(), attempt);
        let Some(process) = self.processes.get(&key).filter(|process| process.exit.is_none())
        else {
            return;
        };
        self.see(&key, What::Signalled);
        if kill {
            self.end_at(&key, self.env.now().plus_ms(10), 137, out);
        } else if !process.behaviour.deaf {
            let stop_ms = process.behaviour.stop_ms;
            let stop_ms = stop_ms.unwrap_or_else(|| self.env.takes_ms(500, 0, 1_000));
            self.end_at(&key, self.env.now().plus_ms(stop_ms), 143, out);
        }
    }

    /// A process ends. Returns whether it was alive.
    pub(crate) fn end(&mut self, key: &ProcessKey, code: i32, reason: Option<String>) -> bool {
        let now = self.env.now();
        let Some(process) = self.processes.get_mut(key) else { return false };
        if process.exit.is_some() {
            return false;
        }
        let oom = process.behaviour.oom_ms.is_some() && code == 137;
        let oom = oom.then(|| "OutOfMemoryError: Container killed due to memory usage".to_owned());
        process.exit = Some((code, reason.or(oom), now));
        self.see(key, What::Exited(code));
        true
    }

    /// How a process that has ended did.
    pub(crate) fn exit_of(&self, key: &ProcessKey) -> Option<&Process> {
        self.processes.get(key).filter(|process| process.exit.is_some())
    }

    fn probe(&self, key: &ProcessKey, container: usize) -> Event {
        let now = self.env.now();
        let process = self.processes.get(key).filter(|process| process.exit.is_none());
        let passed = process
            .is_some_and(|process| process.behaviour.passes(now.ms_since(process.started_at)));
        self.see(key, What::Probed { passed });
        Event::HealthProbed { container, attempt: key.2, passed, at: now }
    }

    /// Everything of a task goes.
    pub(crate) fn remove(&mut self, task: &str) {
        let own: Vec<ProcessKey> =
            self.processes.keys().filter(|key| key.0 == task).cloned().collect();
        for key in own {
            self.end(&key, 137, None);
            self.processes.remove(&key);
        }
        if self.networks.remove(task).is_some() {
            let (node, ports) = (self.node.as_str(), &[][..]);
            let event = NetworkEvent { node, task, address: None, ports };
            self.env.observe(Observation::Network(event));
        }
    }

    /// The machine loses power: everything that runs is gone.
    pub(crate) fn lose_power(&mut self) {
        self.boot = self.boot.saturating_add(1);
        let tasks = self.tasks();
        for task in tasks {
            self.remove(&task);
        }
    }

    /// Tasks of which something is there.
    pub(crate) fn tasks(&self) -> BTreeSet<String> {
        let processes = self.processes.keys().map(|key| key.0.clone());
        processes.chain(self.networks.keys().cloned()).collect()
    }

    pub(crate) fn has_network(&self, task: &str) -> bool {
        self.networks.contains_key(task)
    }

    /// Processes that are alive.
    pub(crate) fn alive(&self) -> impl Iterator<Item = &ProcessKey> {
        self.processes.iter().filter(|(_, process)| process.exit.is_none()).map(|(key, _)| key)
    }

    /// What an agent that starts finds of a task.
    pub(crate) fn found(&self, task: &str, spec: &TaskSpec) -> Vec<FoundContainer> {
        let own = self.processes.iter().filter(|(key, _)| key.0 == task);
        own.filter_map(|(key, process)| {
            let container = spec.containers.iter().position(|one| one.name == key.1)?;
            Some(FoundContainer {
                container,
                attempt: key.2,
                runtime_id: format!("{task}/{}-{}", key.2, key.1),
                started_at: process.started_at,
                exit: process.exit.clone(),
            })
        })
        .collect()
    }

    /// The bug that lets a stopped task run again.
    pub(crate) fn haunt(&mut self, task: &str) {
        self.see(&(task.to_owned(), "main".to_owned(), 99), What::Started);
    }
}

impl Process {
    /// The engine's event of the exit.
    pub(crate) fn exit_event(&self, container: usize, attempt: u32) -> Option<(Timestamp, Event)> {
        let (exit_code, reason, at) = self.exit.clone()?;
        let exited = Event::ContainerExited { container, attempt, exit_code, reason, at };
        Some((self.started_at, exited))
    }
}

fn resolve(spec: &TaskSpec) -> Event {
    let failing = spec.containers.iter().position(|one| Behaviour::of(&one.command).pull_fails);
    match failing {
        Some(container) => {
            let reason = "CannotPullContainerError: the image is not to be had".to_owned();
            Event::ImageFailed { container, reason }
        }
        None => {
            let digest = |_: &ContainerSpec| format!("sha256:{:064}", 0);
            Event::ImagesResolved { digests: spec.containers.iter().map(digest).collect() }
        }
    }
}
