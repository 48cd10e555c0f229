//! A world: nodes, a control plane, a store, and the loop that chooses what happens next.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex};

use base::Timestamp;
use domain::Resources;
use invariants::liveness::Settled;
use invariants::{Actor, Exercised, Invariant, Observation, Violation};
use operation::Outcome;
use store::{HistoryLimits, MemoryStore};

use crate::behaviour::is_hopeless;
use crate::control::{Control, Outbox};
use crate::env::Env;
use crate::executor::{Executor, lock};
use crate::faults::StoreFaults;
use crate::link::{Down, LinkFault, Up};
use crate::node::{Node, NodeEvent, Out};

/// A call that takes longer than this, while the control plane is there, is stuck.
const STALL_MS: i64 = 10 * 60_000;
/// More steps than this without the clock moving by a second is a world that spins.
const MAX_STEPS_PER_SECOND: u64 = 200_000;
/// How many of the due events are looked at when the next is chosen.
const CHOICES: usize = 16;

/// Something that is due at a moment.
#[derive(Debug)]
enum Due {
    Node(usize, NodeEvent),
    Up(usize, Up),
    Down(usize, Down),
    StartControl,
    ReleaseWatches,
    PowerOn(usize),
}

/// A call that is not answered yet.
#[derive(Debug)]
struct Outstanding {
    operation: &'static str,
    since: Timestamp,
    silent: bool,
}

/// What became of a call.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    /// 0 when the control plane died meanwhile.
    pub(crate) status: u16,
    pub(crate) body: serde_json::Value,
}

/// How big a node is, and what it says of itself.
#[derive(Debug, Clone, Default)]
pub(crate) struct NodeSize {
    pub(crate) cpu_units: u32,
    pub(crate) memory_mib: u32,
    pub(crate) attributes: Vec<(String, Option<String>)>,
    pub(crate) fargate: bool,
}

/// See the module.
pub(crate) struct World {
    pub(crate) env: Arc<Env>,
    pub(crate) memory: Arc<MemoryStore>,
    pub(crate) faults: Arc<StoreFaults>,
    executor: Executor,
    pub(crate) control: Option<Control>,
    outbox: Outbox,
    pub(crate) nodes: Vec<Node>,
    links: Vec<LinkFault>,
    agenda: BTreeMap<(Timestamp, u64), Due>,
    next_due: u64,
    runtime: tokio::runtime::Runtime,
    outstanding: BTreeMap<u64, Outstanding>,
    answers: Arc<Mutex<Vec<(u64, Outcome)>>>,
    /// Answers by number, of calls that somebody waits for.
    answered: BTreeMap<u64, Answer>,
    next_call: u64,
    /// Steps in the current second, to see a world that spins.
    steps_in_second: (i64, u64),
    /// Why the world cannot go on.
    pub(crate) stuck: Option<String>,
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a world of {} nodes at {}", self.nodes.len(), self.env.now())
    }
}

impl World {
    /// An empty world with a control plane.
    ///
    /// # Errors
    ///
    /// When the machine gives no async runtime.
    pub(crate) fn new(env: Arc<Env>) -> anyhow::Result<Self> {
        let faults = Arc::new(StoreFaults::new(Arc::clone(&env.clock)));
        let memory = Arc::new(MemoryStore::new(HistoryLimits::default(), faults.clone()));
        let mut world = Self {
            executor: Executor::new(Arc::clone(&env.actor)),
            env,
            memory,
            faults,
            control: None,
            outbox: Outbox::default(),
            nodes: Vec::new(),
            links: Vec::new(),
            agenda: BTreeMap::new(),
            next_due: 0,
            runtime: tokio::runtime::Builder::new_current_thread().build()?,
            outstanding: BTreeMap::new(),
            answers: Arc::default(),
            answered: BTreeMap::new(),
            next_call: 0,
            steps_in_second: (0, 0),
            stuck: None,
        };
        world.start_control();
        Ok(world)
    }

    fn at(&mut self, at: Timestamp, due: Due) {
        self.agenda.insert((at, self.next_due), due);
        self.next_due = self.next_due.saturating_add(1);
    }

    fn after_ms(&mut self, milliseconds: i64, due: Due) {
        self.at(self.env.now().plus_ms(milliseconds), due);
    }

    // Nodes and control plane.

    /// A new machine, switched on.
    pub(crate) fn add_node(&mut self, name: &str, size: NodeSize) {
        let resources = Resources {
            cpu_units: size.cpu_units,
            memory_mib: size.memory_mib,
            ports: BTreeSet::new(),
        };
        let node = Node::new(&self.env, name, resources, size.attributes, size.fargate);
        lock(&self.env.names).set(&node.id, name);
        let event = node.boot_event();
        self.nodes.push(node);
        self.links.push(LinkFault::default());
        let index = self.nodes.len().saturating_sub(1);
        self.after_ms(0, Due::Node(index, event));
    }

    pub(crate) fn node(&self, name: &str) -> Option<usize> {
        self.nodes.iter().position(|node| node.name == name)
    }

    /// A machine loses power, for so long.
    pub(crate) fn lose_power(&mut self, index: usize, for_ms: i64, synced: bool) {
        if let Some(node) = self.nodes.get_mut(index).filter(|node| node.power) {
            self.env.tell(&format!("{}: power is lost", node.id));
            node.lose_power(synced);
            self.after_ms(for_ms, Due::PowerOn(index));
        }
    }

    /// An agent's process dies and is started again after so long.
    pub(crate) fn restart_agent(&mut self, index: usize, after_ms: i64) {
        if let Some(node) = self.nodes.get_mut(index).filter(|node| node.power) {
            self.env.tell(&format!("{}: the agent dies", node.id));
            node.kill_agent();
            let event = node.boot_event();
            self.after_ms(after_ms, Due::Node(index, event));
        }
    }

    pub(crate) fn set_link(&mut self, index: usize, fault: LinkFault) {
        if let Some(link) = self.links.get_mut(index) {
            *link = fault;
        }
    }

    /// A process of a container ends, as if by itself.
    pub(crate) fn crash(&mut self, task: &str, container: Option<&str>, code: i32) {
        let found = self.nodes.iter().enumerate().find_map(|(index, node)| {
            let mut alive = node.runtime.alive();
            let key = alive
                .find(|key| key.0 == task && container.is_none_or(|container| key.1 == container));
            key.map(|key| (index, key.clone(), node.runtime.boot))
        });
        if let Some((index, process, boot)) = found {
            self.after_ms(0, Due::Node(index, NodeEvent::Exit { process, code, boot }));
        }
    }

    /// The control plane's process dies and is started again after so long.
    pub(crate) fn restart_control(&mut self, after_ms: i64) {
        if let Some(control) = self.control.take() {
            self.env.tell("the control plane dies");
            control.die();
            self.executor.clear();
            lock(&self.outbox).clear();
            for (call, _) in std::mem::take(&mut self.outstanding) {
                let body = serde_json::Value::Null;
                self.answered.insert(call, Answer { status: 0, body });
                self.env.observe(Observation::Answered { call, refused: false });
            }
            lock(&self.answers).clear();
            drop(control);
            self.after_ms(after_ms, Due::StartControl);
        }
    }

    fn start_control(&mut self) {
        if self.control.is_some() {
            return;
        }
        let _inside = self.runtime.enter();
        self.control = Control::start(&self.env, &self.memory, &mut self.executor, &self.outbox);
        let text = if self.control.is_some() { "starts" } else { "cannot read its state" };
        self.env.tell(&format!("the control plane {text}"));
        if self.control.is_none() {
            self.executor.clear();
            self.after_ms(1_000, Due::StartControl);
        }
    }

    /// Changes reach the control plane only after so long.
    pub(crate) fn hold_watches(&mut self, for_ms: i64) {
        self.faults.hold_until(self.env.now().plus_ms(for_ms));
        self.after_ms(for_ms, Due::ReleaseWatches);
    }

    // Calls.

    /// Begins a call; its number. `silent`: it is not part of the story.
    pub(crate) fn call(&mut self, operation: &'static str, body: String, silent: bool) -> u64 {
        let id = self.next_call;
        self.next_call = id.saturating_add(1);
        if !silent {
            self.env.tell(&format!("call {id}: {operation} {body}"));
        }
        let Some(control) = &self.control else {
            self.answered.insert(id, Answer { status: 0, body: serde_json::Value::Null });
            return id;
        };
        let performed = control.call(operation, body);
        let answers = Arc::clone(&self.answers);
        self.executor.spawn(Actor::Call { id, operation }, async move {
            let outcome = performed.await;
            lock(&answers).push((id, outcome));
        });
        self.outstanding.insert(id, Outstanding { operation, since: self.env.now(), silent });
        id
    }

    /// What became of a call, once it is known.
    pub(crate) fn take_answer(&mut self, call: u64) -> Option<Answer> {
        self.answered.remove(&call)
    }

    /// Works until a call is answered, for ten minutes at most.
    pub(crate) fn call_and_wait(&mut self, operation: &'static str, body: String) -> Answer {
        let silent = operation.starts_with("Describe") || operation.starts_with("List");
        let call = self.call(operation, body, silent);
        let end = self.env.now().plus_ms(STALL_MS);
        loop {
            if let Some(answer) = self.take_answer(call) {
                return answer;
            }
            if self.env.now() >= end || !self.step(end) {
                return Answer { status: 0, body: serde_json::Value::Null };
            }
        }
    }

    fn take_answers(&mut self) {
        let answers = std::mem::take(&mut *lock(&self.answers));
        for (call, outcome) in answers {
            let Some(known) = self.outstanding.remove(&call) else { continue };
            let status = outcome.response.status;
            let refused = (400..500).contains(&status);
            if refused && self.env.mutation.breaks(Invariant::RefusedWritesNothing) {
                let by = Actor::Call { id: call, operation: known.operation };
                self.env.observe(Observation::Committed { by: &by, records: &[] });
            }
            self.env.observe(Observation::Answered { call, refused });
            let error = outcome.error.as_ref();
            let text = error.map(|error| format!("{}: {}", error.code, error.message));
            if !known.silent {
                let text = text.unwrap_or_default();
                self.env.tell(&format!("call {call} ({}): {status} {text}", known.operation));
            }
            let body = serde_json::from_slice(&outcome.response.body).unwrap_or_default();
            self.answered.insert(call, Answer { status, body });
        }
    }

    /// Forgets what became of calls that nobody waits for.
    pub(crate) fn forget_answers(&mut self) {
        self.answered.clear();
    }

    // The loop.

    /// Works until `end`, or until something does not hold.
    pub(crate) fn run_until(&mut self, end: Timestamp) {
        while self.env.now() < end && self.sound() {
            if !self.step(end) {
                let left_ms = end.ms_since(self.env.now());
                self.env.clock.advance_ms(left_ms.max(0));
                self.env.timers.fire();
            }
        }
    }

    pub(crate) fn run_ms(&mut self, milliseconds: i64) {
        self.run_until(self.env.now().plus_ms(milliseconds));
    }

    /// Whether nothing has gone wrong yet.
    pub(crate) fn sound(&self) -> bool {
        self.stuck.is_none() && lock(&self.env.monitor).violations().is_empty()
    }

    /// What did not hold, and what stands still.
    pub(crate) fn violations(&self) -> Vec<Violation> {
        lock(&self.env.monitor).violations().to_vec()
    }

    pub(crate) fn exercised(&self) -> Exercised {
        lock(&self.env.monitor).exercised().clone()
    }

    /// One thing happens, or time moves on to the next, `end` at most. `false` when nothing is left
    /// to happen before `end`.
    fn step(&mut self, end: Timestamp) -> bool {
        self.drive_registrations();
        self.route_down();
        let now = self.env.now();
        let ready = self.executor.ready();
        let due = self.agenda.range(..=(now, u64::MAX)).take(CHOICES).count();
        if ready == 0 && due == 0 {
            return self.advance(end);
        }
        self.count_step();
        let chosen =
            if self.env.calm { 0 } else { self.env.random.index(ready.saturating_add(due)) };
        if chosen < ready {
            let _inside = self.runtime.enter();
            self.executor.run(chosen);
        } else {
            let key = self.agenda.keys().nth(chosen.saturating_sub(ready)).copied();
            if let Some(due) = key.and_then(|key| self.agenda.remove(&key)) {
                self.happens(due);
            }
        }
        self.take_answers();
        let broken = self.control.as_ref().and_then(|control| lock(&control.broken).take());
        if let Some(reason) = broken {
            self.env.tell(&reason);
            self.restart_control(1_000);
        }
        true
    }

    /// Registrations of task definitions are the one thing that the product spawns.
    fn drive_registrations(&self) {
        let registering = |one: &Outstanding| one.operation == "RegisterTaskDefinition";
        if self.outstanding.values().any(registering) {
            self.runtime.block_on(async {
                for _ in 0..3 {
                    tokio::task::yield_now().await;
                }
            });
        }
    }

    fn count_step(&mut self) {
        lock(&self.env.trace).steps += 1;
        let second = self.env.elapsed_ms() / 1000;
        let (known, steps) = &mut self.steps_in_second;
        if *known != second {
            (*known, *steps) = (second, 0);
        }
        *steps = steps.saturating_add(1);
        if *steps > MAX_STEPS_PER_SECOND {
            self.stuck = Some(format!("{steps} steps within one second: the world spins"));
        }
    }

    fn advance(&mut self, end: Timestamp) -> bool {
        let first = self.agenda.keys().next().map(|(at, _)| *at);
        let timer = self.env.timers.first();
        let next = match (first, timer) {
            (Some(first), Some(timer)) => first.min(timer),
            (first, timer) => match first.or(timer) {
                Some(next) => next,
                None => return false,
            },
        };
        let stalled = self
            .outstanding
            .iter()
            .find(|(_, call)| self.env.now().ms_since(call.since) > STALL_MS);
        if let Some((call, outstanding)) = stalled {
            let operation = outstanding.operation;
            self.stuck = Some(format!("call {call} ({operation}) is never answered"));
            return false;
        }
        if next > end {
            return false;
        }
        let now = self.env.now();
        self.env.clock.advance_ms(next.ms_since(now).max(0));
        self.env.timers.fire();
        true
    }

    fn happens(&mut self, due: Due) {
        let mut out = Out::default();
        match due {
            Due::Node(index, event) => {
                if let Some(node) = self.nodes.get_mut(index) {
                    node.happens(event, &mut out);
                    self.set_going(index, out);
                }
            }
            Due::Down(index, message) => {
                let Some(node) = self.nodes.get_mut(index) else { return };
                node.told(message.clone(), &mut out);
                self.set_going(index, out);
                if self.env.mutation.breaks(Invariant::OneNode) {
                    self.give_to_another(index, &message);
                }
            }
            Due::Up(index, message) => self.arrives(index, message),
            Due::StartControl => self.start_control(),
            Due::ReleaseWatches => self.memory.release_watches(),
            Due::PowerOn(index) => {
                if let Some(node) = self.nodes.get_mut(index) {
                    node.power = true;
                    let event = node.boot_event();
                    self.env.tell(&format!("{}: power is back", node.id));
                    self.after_ms(5_000, Due::Node(index, event));
                }
            }
        }
    }

    /// The bug that gives a task to two nodes.
    fn give_to_another(&mut self, index: usize, message: &Down) {
        let desired = match message {
            Down::Registered { desired, .. } | Down::Desired { desired: Some(desired), .. } => {
                desired
            }
            Down::Desired { desired: None, .. }
            | Down::Reported { .. }
            | Down::Stranger { .. }
            | Down::Refused { .. }
            | Down::Unavailable { .. } => return,
        };
        let other = if index == 0 { 1 } else { 0 };
        let Some(assignment) = desired.tasks.first() else { return };
        if let Some(node) = self.nodes.get_mut(other) {
            let mut out = Out::default();
            node.steal(assignment, &mut out);
            self.set_going(other, out);
        }
    }

    fn set_going(&mut self, index: usize, out: Out) {
        for (at, event) in out.events {
            self.at(at, Due::Node(index, event));
        }
        for message in out.messages {
            for delay_ms in self.deliveries(index) {
                self.after_ms(delay_ms, Due::Up(index, message.clone()));
            }
        }
    }

    /// When copies of a message arrive; none when it is lost.
    fn deliveries(&self, index: usize) -> Vec<i64> {
        let fault = self.links.get(index).copied().unwrap_or_default().at(self.env.now());
        let random = &self.env.random;
        if fault.cut || (fault.loss_percent > 0 && random.percent(fault.loss_percent)) {
            return Vec::new();
        }
        let copies = if fault.duplicate_percent > 0 && random.percent(fault.duplicate_percent) {
            2
        } else {
            1
        };
        let late = |_| {
            let delay_ms = if fault.delay_ms > 0 { random.between(0, fault.delay_ms) } else { 0 };
            self.env.takes_ms(2, 0, 10).saturating_add(delay_ms)
        };
        (0..copies).map(late).collect()
    }

    fn route_down(&mut self) {
        let messages = std::mem::take(&mut *lock(&self.outbox));
        for envelope in messages {
            let index = self.nodes.iter().position(|node| node.id == envelope.node);
            let Some(index) = index else { continue };
            for delay_ms in self.deliveries(index) {
                self.after_ms(delay_ms, Due::Down(index, envelope.message.clone()));
            }
        }
    }

    /// A message of a node that is not in this world reaches the control plane.
    pub(crate) fn ask(&mut self, node: String, message: Up) {
        if let Some(control) = &self.control {
            control.take(&mut self.executor, node, message);
        }
    }

    fn arrives(&mut self, index: usize, message: Up) {
        let Some(node) = self.nodes.get(index).map(|node| node.id.clone()) else { return };
        match &self.control {
            Some(control) => control.take(&mut self.executor, node, message),
            None => {
                let request = match message {
                    Up::Register { request, .. }
                    | Up::Poll { request, .. }
                    | Up::Report { request, .. } => request,
                };
                self.after_ms(5, Due::Down(index, Down::Unavailable { request }));
            }
        }
    }

    // Liveness.

    /// Whatever is wrong is repaired: power, links, store.
    pub(crate) fn heal(&mut self) {
        self.env.tell("everything is repaired");
        for link in &mut self.links {
            *link = LinkFault::default();
        }
        self.faults.heal();
        self.memory.release_watches();
    }

    /// Ids of instances whose node is up and reaches the control plane.
    pub(crate) fn reachable(&self) -> BTreeSet<String> {
        let up = self.nodes.iter().filter(|node| node.is_up());
        up.map(|node| node.id.clone()).collect()
    }

    /// Ids of tasks that run.
    pub(crate) fn running(&self) -> BTreeSet<String> {
        let monitor = lock(&self.env.monitor);
        let running =
            monitor.tasks().values().filter(|task| task.last_status == domain::TaskStatus::Running);
        running.map(|task| task.id.clone()).collect()
    }

    /// A task of a service that runs.
    pub(crate) fn a_service_task(&self) -> Option<String> {
        let monitor = lock(&self.env.monitor);
        let running = |task: &&Arc<domain::Task>| {
            task.service.is_some() && task.last_status == domain::TaskStatus::Running
        };
        monitor.tasks().values().find(running).map(|task| task.id.clone())
    }

    /// Checks liveness; with the tasks that ran at a first look, that they stayed.
    pub(crate) fn settled(&self, ran_before: Option<&BTreeSet<String>>) {
        let (reachable, now) = (self.reachable(), self.env.now());
        let mut monitor = lock(&self.env.monitor);
        let (services, tasks) = (monitor.services().clone(), monitor.tasks().clone());
        let (instances, definitions) = (monitor.instances().clone(), monitor.definitions().clone());
        let hopeless = definitions
            .values()
            .filter(|definition| is_hopeless(&definition.spec))
            .map(|definition| definition.id.clone())
            .collect();
        let settled = Settled {
            now,
            services: &services,
            tasks: &tasks,
            instances: &instances,
            definitions: &definitions,
            reachable: &reachable,
            hopeless: &hopeless,
            ran_before,
        };
        monitor.settled(now, &settled);
    }
}
