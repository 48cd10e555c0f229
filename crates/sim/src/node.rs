//! A node: a machine with a runtime, a disk and an agent around the product's task engine.
//!
//! The agent does what `node/src/agent.rs`, `actor.rs` and `reporter.rs` do, one event at a time.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use base::{IdSource as _, Timestamp};
use domain::{DesiredStatus, Resources, TaskObservation, TaskSpec};
use invariants::Invariant;
use node_proto::{Assignment, DesiredSet, PROTOCOL_VERSION, Registration, TaskReport};
use task_engine::{
    ContainerPhase, Effect, Event, SandboxPhase, TaskState, apply, observe, plan, recover,
};

use crate::env::Env;
use crate::link::{Down, Up};
use crate::runtime::{ProcessKey, Runtime};

/// What was written so long ago survives the loss of power.
const SYNC_MS: i64 = 5_000;
/// Reports sent at once, as in the node.
const MAX_BATCH: usize = 128;
/// Answers are given up after this time; polls are answered after 20 s at the latest.
const REQUEST_MS: i64 = 30_000;
const POLL_LIMIT_MS: i64 = 50_000;
/// Pauses between attempts.
const FIRST_PAUSE_MS: i64 = 250;
const LONGEST_PAUSE_MS: i64 = 120_000;
const FIRST_REPORT_PAUSE_MS: i64 = 50;
const LONGEST_REPORT_PAUSE_MS: i64 = 5_000;

/// Something that happens to a node.
#[derive(Debug, Clone)]
pub(crate) enum NodeEvent {
    /// The agent starts, unless one runs already.
    StartAgent { boot: u64 },
    /// A task's actor looks at its task.
    Wake { task: String, at: Timestamp, epoch: u64 },
    /// The runtime ends an effect.
    Done { assignment: Arc<Assignment>, effect: Effect, epoch: u64, boot: u64 },
    /// The agent learns of it.
    Performed { task: String, effect: Effect, event: Option<Event>, epoch: u64 },
    /// A process ends.
    Exit { process: ProcessKey, code: i32, boot: u64 },
    /// The agent learns of it.
    Exited { process: ProcessKey, epoch: u64 },
    /// A request was not answered in time.
    TimeOut { request: u64, epoch: u64 },
    /// The next poll, or registration.
    Poll { epoch: u64 },
    /// The next report.
    Report { epoch: u64 },
    /// See [`Invariant::StoppedStays`].
    Haunt { task: String, boot: u64 },
}

/// What a node sets in motion.
#[derive(Debug, Default)]
pub(crate) struct Out {
    pub(crate) events: Vec<(Timestamp, NodeEvent)>,
    pub(crate) messages: Vec<Up>,
}

impl Out {
    pub(crate) fn at(&mut self, at: Timestamp, event: NodeEvent) {
        self.events.push((at, event));
    }
}

/// A task as it is kept on disk.
#[derive(Debug, Clone)]
struct TaskRecord {
    assignment: Arc<Assignment>,
    state: TaskState,
    sequence: u64,
}

#[derive(Debug)]
struct TaskFile {
    record: TaskRecord,
    written_at: Timestamp,
    /// What a machine that loses power now finds again.
    synced: Option<TaskRecord>,
}

#[derive(Debug)]
struct TaskActor {
    record: TaskRecord,
    wanted: Option<Arc<Assignment>>,
    reported: Option<TaskObservation>,
    issued: BTreeSet<Effect>,
    under_way: BTreeSet<Effect>,
    wake_at: Option<Timestamp>,
}

/// What dies with the agent's process.
#[derive(Debug, Default)]
struct Agent {
    actors: BTreeMap<String, TaskActor>,
    session: Option<u64>,
    /// The generation of the last set, as the control plane counts.
    after: u64,
    generation: Option<u64>,
    desired: Arc<DesiredSet>,
    /// The poll, or registration, that is not answered yet.
    polling: Option<u64>,
    poll_pause_ms: i64,
    waiting: BTreeMap<String, TaskObservation>,
    reporting: Option<(u64, Vec<TaskReport>)>,
    report_pause_ms: i64,
    report_due: bool,
    refused: bool,
    /// Actors begin their work when the node has joined.
    joined: bool,
}

/// A machine.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) env: Arc<Env>,
    pub(crate) name: String,
    pub(crate) id: String,
    resources: Resources,
    attributes: Vec<(String, Option<String>)>,
    fargate: bool,
    cluster: String,
    pub(crate) power: bool,
    pub(crate) runtime: Runtime,
    disk: BTreeMap<String, TaskFile>,
    agent: Option<Agent>,
    /// Rises with every agent.
    epoch: u64,
}

impl Node {
    pub(crate) fn new(
        env: &Arc<Env>,
        name: &str,
        resources: Resources,
        attributes: Vec<(String, Option<String>)>,
        fargate: bool,
    ) -> Self {
        let id = env.ids.hex32();
        Self {
            env: Arc::clone(env),
            name: name.to_owned(),
            runtime: Runtime::new(Arc::clone(env), id.clone()),
            id,
            resources,
            attributes,
            fargate,
            cluster: "default".to_owned(),
            power: true,
            disk: BTreeMap::new(),
            agent: None,
            epoch: 0,
        }
    }

    /// Whether its agent runs and has not been refused.
    pub(crate) fn is_up(&self) -> bool {
        self.power && self.agent.as_ref().is_some_and(|agent| !agent.refused)
    }

    pub(crate) fn boot_event(&self) -> NodeEvent {
        NodeEvent::StartAgent { boot: self.runtime.boot }
    }

    /// The agent's process dies; containers go on running.
    pub(crate) fn kill_agent(&mut self) {
        self.agent = None;
        self.epoch = self.epoch.saturating_add(1);
    }

    /// The machine loses power. `synced`: everything that was written is on the disk.
    pub(crate) fn lose_power(&mut self, synced: bool) {
        self.kill_agent();
        self.power = false;
        self.runtime.lose_power();
        if synced {
            return;
        }
        let now = self.env.now();
        self.disk.retain(|_, file| {
            if now.ms_since(file.written_at) < SYNC_MS {
                match file.synced.take() {
                    Some(record) => file.record = record,
                    None => return false,
                }
            }
            true
        });
    }

    pub(crate) fn happens(&mut self, event: NodeEvent, out: &mut Out) {
        let (epoch, boot) = (self.epoch, self.runtime.boot);
        match event {
            NodeEvent::StartAgent { boot: at } if at == boot && self.power => self.start(out),
            NodeEvent::Wake { task, at, epoch: of } if of == epoch => {
                let due = self.actor(&task).is_some_and(|actor| actor.wake_at == Some(at));
                if due {
                    self.drive(&task, out);
                }
            }
            NodeEvent::Done { assignment, effect, epoch: of, boot: at } if at == boot => {
                self.done(&assignment, effect, of, out);
            }
            NodeEvent::Performed { task, effect, event, epoch: of } if of == epoch => {
                self.performed(&task, &effect, event, out);
            }
            NodeEvent::Exit { process, code, boot: at } if at == boot => {
                if self.runtime.end(&process, code, None) {
                    let soon = self.env.now().plus_ms(self.env.takes_ms(0, 0, 5));
                    out.at(soon, NodeEvent::Exited { process, epoch });
                }
            }
            NodeEvent::Exited { process, epoch: of } if of == epoch => self.exited(&process, out),
            NodeEvent::TimeOut { request, epoch: of } if of == epoch => {
                self.timed_out(request, out);
            }
            NodeEvent::Poll { epoch: of } if of == epoch => self.poll(out),
            NodeEvent::Report { epoch: of } if of == epoch => {
                if let Some(agent) = &mut self.agent {
                    agent.report_due = false;
                }
                self.report(out);
            }
            NodeEvent::Haunt { task, boot: at } if at == boot => self.runtime.haunt(&task),
            NodeEvent::StartAgent { .. }
            | NodeEvent::Wake { .. }
            | NodeEvent::Done { .. }
            | NodeEvent::Performed { .. }
            | NodeEvent::Exit { .. }
            | NodeEvent::Exited { .. }
            | NodeEvent::TimeOut { .. }
            | NodeEvent::Poll { .. }
            | NodeEvent::Report { .. }
            | NodeEvent::Haunt { .. } => {}
        }
    }

    fn actor(&mut self, task: &str) -> Option<&mut TaskActor> {
        self.agent.as_mut()?.actors.get_mut(task)
    }

    /// Finds what an earlier agent left behind, and joins.
    fn start(&mut self, out: &mut Out) {
        if self.agent.is_some() {
            return;
        }
        self.env.tell(&format!("{}: the agent starts", self.id));
        let now = self.env.now();
        for task in self.runtime.tasks() {
            if !self.disk.contains_key(&task) {
                self.runtime.remove(&task);
            }
        }
        let mut agent = Agent {
            poll_pause_ms: FIRST_PAUSE_MS,
            report_pause_ms: FIRST_REPORT_PAUSE_MS,
            ..Agent::default()
        };
        for (task, file) in &mut self.disk {
            let record = &mut file.record;
            let spec = &record.assignment.spec;
            let found = self.runtime.found(task, spec);
            recover(spec, &mut record.state, &found, now);
            if record.state.sandbox == SandboxPhase::Ready && !self.runtime.has_network(task) {
                let reason = "ContainerNetworkingError: the task's network was gone when the agent \
                              came back: the machine was restarted, or somebody removed it";
                let event = Event::SandboxFailed { reason: reason.to_owned() };
                apply(spec, &mut record.state, event, now);
            }
            agent.actors.insert(task.clone(), TaskActor::new(record.clone()));
        }
        self.agent = Some(agent);
        self.poll(out);
    }

    fn registration(&self) -> Registration {
        let digits: String = self.id.chars().take(17).collect();
        Registration {
            protocol_version: PROTOCOL_VERSION,
            instance_id: self.id.clone(),
            cluster: self.cluster.clone(),
            ec2_instance_id: format!("i-{digits}"),
            agent_version: "1.0.0".to_owned(),
            resources: self.resources.clone(),
            attributes: self.attributes.clone(),
            fargate_isolation: self.fargate.then(|| "container".to_owned()),
            system: Vec::new(),
        }
    }

    fn request(&self, limit_ms: i64, out: &mut Out) -> u64 {
        let request = self.env.ids.next_u64();
        let at = self.env.now().plus_ms(limit_ms);
        out.at(at, NodeEvent::TimeOut { request, epoch: self.epoch });
        request
    }

    /// Asks for news, or to be let in.
    fn poll(&mut self, out: &mut Out) {
        let Some(agent) = &self.agent else { return };
        if agent.polling.is_some() || agent.refused {
            return;
        }
        let (session, after) = (agent.session, agent.after);
        let request = match session {
            Some(session) => {
                let request = self.request(POLL_LIMIT_MS, out);
                out.messages.push(Up::Poll { request, session, after });
                request
            }
            None => {
                let request = self.request(REQUEST_MS, out);
                let registration = Box::new(self.registration());
                out.messages.push(Up::Register { request, registration });
                request
            }
        };
        if let Some(agent) = &mut self.agent {
            agent.polling = Some(request);
        }
    }

    fn poll_later(&mut self, out: &mut Out) {
        let Some(agent) = &mut self.agent else { return };
        let pause_ms = agent.poll_pause_ms;
        agent.poll_pause_ms = pause_ms.saturating_mul(3).saturating_div(2).min(LONGEST_PAUSE_MS);
        let pause_ms = self.env.takes_ms(pause_ms, pause_ms.saturating_mul(4) / 5, pause_ms);
        out.at(self.env.now().plus_ms(pause_ms), NodeEvent::Poll { epoch: self.epoch });
    }

    fn timed_out(&mut self, request: u64, out: &mut Out) {
        let Some(agent) = &mut self.agent else { return };
        if agent.polling == Some(request) {
            agent.polling = None;
            self.poll_later(out);
        } else if agent.reporting.as_ref().is_some_and(|(own, _)| *own == request) {
            agent.reporting = None;
            self.report_later(out);
        }
    }

    /// Takes in what the control plane says.
    pub(crate) fn told(&mut self, message: Down, out: &mut Out) {
        let Some(agent) = &mut self.agent else { return };
        let request = message.request();
        if let Down::Reported { taken, .. } = message {
            let Some((_, reports)) = agent.reporting.take_if(|(own, _)| *own == request) else {
                return;
            };
            if taken {
                agent.report_pause_ms = FIRST_REPORT_PAUSE_MS;
                for report in reports {
                    let newest = agent.waiting.get(&report.task_id);
                    if newest.is_some_and(|one| one.sequence == report.observation.sequence) {
                        agent.waiting.remove(&report.task_id);
                    }
                }
                self.report(out);
            } else {
                self.report_later(out);
            }
            return;
        }
        if agent.polling != Some(request) {
            return;
        }
        agent.polling = None;
        match message {
            Down::Registered { session, desired, .. } => {
                agent.session = Some(session);
                let first = !std::mem::replace(&mut agent.joined, true);
                let tasks: Vec<String> = agent.actors.keys().cloned().collect();
                for task in tasks.iter().filter(|_| first) {
                    self.drive(task, out);
                }
                self.news(&desired, out);
            }
            Down::Desired { desired: Some(desired), .. } => self.news(&desired, out),
            Down::Desired { desired: None, .. } => {
                agent.poll_pause_ms = FIRST_PAUSE_MS;
                self.poll(out);
            }
            Down::Stranger { .. } => {
                agent.session = None;
                self.poll(out);
            }
            Down::Refused { reason, .. } => {
                agent.refused = true;
                self.env.tell(&format!("{}: refused: {reason}", self.id));
            }
            Down::Unavailable { .. } => self.poll_later(out),
            Down::Reported { .. } => {}
        }
    }

    fn news(&mut self, desired: &Arc<DesiredSet>, out: &mut Out) {
        let Some(agent) = &mut self.agent else { return };
        agent.poll_pause_ms = FIRST_PAUSE_MS;
        agent.after = desired.generation;
        let generation = desired.generation.max(agent.desired.generation.saturating_add(1));
        agent.desired = Arc::new(DesiredSet { generation, tasks: desired.tasks.clone() });
        self.take_desired(out);
        self.poll(out);
    }

    /// Tells every actor what is wanted of its task.
    fn take_desired(&mut self, out: &mut Out) {
        let Some(agent) = &mut self.agent else { return };
        let desired = Arc::clone(&agent.desired);
        if agent.generation.is_some_and(|generation| desired.generation <= generation) {
            return;
        }
        agent.generation = Some(desired.generation);
        let mut changed = Vec::new();
        for assignment in &desired.tasks {
            if ignores(&self.env, assignment) {
                continue;
            }
            match agent.actors.get_mut(&assignment.task_id) {
                Some(actor) => {
                    let news = actor
                        .wanted
                        .as_ref()
                        .is_none_or(|known| known.desired_status != assignment.desired_status);
                    if news {
                        actor.wanted = Some(Arc::clone(assignment));
                        changed.push(assignment.task_id.clone());
                    }
                }
                None => {
                    let actor = TaskActor::new(new_record(assignment));
                    agent.actors.insert(assignment.task_id.clone(), actor);
                    changed.push(assignment.task_id.clone());
                }
            }
        }
        for (task, actor) in &mut agent.actors {
            let known = desired.tasks.binary_search_by(|one| one.task_id.as_str().cmp(task));
            if known.is_err() && actor.wanted.take().is_some() {
                changed.push(task.clone());
            }
        }
        for task in changed {
            self.drive(&task, out);
        }
    }

    /// The bug that gives a task to a second node.
    pub(crate) fn steal(&mut self, assignment: &Arc<Assignment>, out: &mut Out) {
        if let Some(agent) = &mut self.agent {
            let actor = TaskActor::new(new_record(assignment));
            agent.actors.insert(assignment.task_id.clone(), actor);
            self.drive(&assignment.task_id, out);
        }
    }

    /// One turn of a task's actor.
    fn drive(&mut self, task: &str, out: &mut Out) {
        let (now, epoch, boot) = (self.env.now(), self.epoch, self.runtime.boot);
        let Some(agent) = self.agent.as_mut().filter(|agent| agent.joined) else { return };
        let Some(actor) = agent.actors.get_mut(task) else { return };
        if let Some(assignment) = &actor.wanted {
            actor.record.assignment = Arc::clone(assignment);
        }
        if actor.wanted.is_none() && actor.record.state.sandbox == SandboxPhase::Removed {
            agent.actors.remove(task);
            self.disk.remove(task);
            agent.generation = None;
            self.take_desired(out);
            return;
        }
        let desired =
            actor.wanted.as_ref().map_or(DesiredStatus::Stopped, |one| one.desired_status);
        let assignment = Arc::clone(&actor.record.assignment);
        let spec = planted_spec(&self.env, &assignment.spec, desired);
        let plan = plan(&spec, desired, &mut actor.record.state, now);
        let report = actor.keep(desired, now, &mut self.disk);
        actor.wake_at = plan.wake_at;
        if let Some(at) = plan.wake_at {
            out.at(at, NodeEvent::Wake { task: task.to_owned(), at, epoch });
        }
        actor.issued.retain(|effect| plan.effects.contains(effect));
        for effect in plan.effects {
            let must_be_alone = effect == Effect::RemoveSandbox;
            let waits = must_be_alone && !actor.under_way.is_empty();
            if actor.under_way.contains(&effect) || waits || !actor.issued.insert(effect.clone()) {
                continue;
            }
            actor.under_way.insert(effect.clone());
            let at = now.plus_ms(self.runtime.takes_ms(&spec, &effect));
            let assignment = Arc::clone(&assignment);
            out.at(at, NodeEvent::Done { assignment, effect, epoch, boot });
        }
        if let Some(observation) = report {
            agent.waiting.insert(task.to_owned(), observation);
            self.report(out);
        }
    }

    fn done(&mut self, assignment: &Assignment, effect: Effect, epoch: u64, out: &mut Out) {
        let mine = epoch == self.epoch;
        // What a dead agent had begun may still come to its end, or not.
        let goes_on = matches!(effect, Effect::StartContainer { .. }) && self.agent.is_none();
        let happens = mine || (goes_on && self.env.random.percent(50));
        if !happens {
            return;
        }
        let event = self.runtime.perform(assignment, &effect, out);
        if mine {
            let soon = self.env.now().plus_ms(self.env.takes_ms(0, 0, 5));
            let task = assignment.task_id.clone();
            out.at(soon, NodeEvent::Performed { task, effect, event, epoch });
        }
    }

    fn performed(&mut self, task: &str, effect: &Effect, event: Option<Event>, out: &mut Out) {
        let now = self.env.now();
        let Some(actor) = self.actor(task) else { return };
        actor.under_way.remove(effect);
        if let Some(event) = event {
            actor.apply(event, now);
        }
        match effect {
            Effect::StopContainer { .. } | Effect::KillContainer { .. } => {}
            Effect::ResolveImages
            | Effect::CreateSandbox
            | Effect::StartContainer { .. }
            | Effect::ProbeHealth { .. }
            | Effect::RemoveSandbox => drop(actor.issued.remove(effect)),
        }
        self.drive(task, out);
    }

    fn exited(&mut self, key: &ProcessKey, out: &mut Out) {
        let now = self.env.now();
        let Some(process) = self.runtime.exit_of(key).cloned() else { return };
        let Some(actor) = self.actor(&key.0) else { return };
        let containers = &actor.record.state.containers;
        let Some(index) = containers.iter().position(|one| one.name == key.1) else { return };
        let Some((started_at, exit)) = process.exit_event(index, key.2) else { return };
        let starting =
            containers.get(index).is_some_and(|one| one.phase == ContainerPhase::Starting);
        if starting {
            let runtime_id = format!("{}/{}-{}", key.0, key.2, key.1);
            let started = Event::ContainerStarted {
                container: index,
                attempt: key.2,
                runtime_id,
                at: started_at,
            };
            actor.apply(started, now);
        }
        actor.apply(exit, now);
        self.drive(&key.0, out);
    }

    /// Sends the newest of each task, unless a report is under way or has to wait.
    fn report(&mut self, out: &mut Out) {
        let Some(agent) = &self.agent else { return };
        if agent.reporting.is_none() && !agent.report_due {
            self.send_reports(out);
        }
    }

    fn send_reports(&mut self, out: &mut Out) {
        let Some(agent) = &self.agent else { return };
        if agent.waiting.is_empty() {
            return;
        }
        let reports: Vec<TaskReport> = agent
            .waiting
            .iter()
            .take(MAX_BATCH)
            .map(|(task_id, observation)| TaskReport {
                task_id: task_id.clone(),
                observation: observation.clone(),
            })
            .collect();
        let request = self.request(REQUEST_MS, out);
        out.messages.push(Up::Report { request, reports: reports.clone() });
        if let Some(agent) = &mut self.agent {
            agent.reporting = Some((request, reports));
        }
    }

    fn report_later(&mut self, out: &mut Out) {
        let Some(agent) = &mut self.agent else { return };
        let pause_ms = agent.report_pause_ms;
        agent.report_pause_ms = pause_ms.saturating_mul(2).min(LONGEST_REPORT_PAUSE_MS);
        agent.report_due = true;
        out.at(self.env.now().plus_ms(pause_ms), NodeEvent::Report { epoch: self.epoch });
    }
}

impl TaskActor {
    fn new(record: TaskRecord) -> Self {
        Self {
            wanted: Some(Arc::clone(&record.assignment)),
            record,
            reported: None,
            issued: BTreeSet::new(),
            under_way: BTreeSet::new(),
            wake_at: None,
        }
    }

    fn apply(&mut self, event: Event, now: Timestamp) {
        apply(&self.record.assignment.spec, &mut self.record.state, event, now);
    }

    /// Writes the state down; what is to be reported, where there is news.
    fn keep(
        &mut self,
        desired: DesiredStatus,
        now: Timestamp,
        disk: &mut BTreeMap<String, TaskFile>,
    ) -> Option<TaskObservation> {
        let next = self.record.sequence.saturating_add(1);
        let observation = observe(&self.record.assignment.spec, desired, &self.record.state, next);
        let news = self.reported.as_ref().is_none_or(|reported| {
            TaskObservation { sequence: next, ..reported.clone() } != observation
        });
        if news {
            self.record.sequence = next;
        }
        let task = &self.record.assignment.task_id;
        let file = disk.remove(task);
        if news || file.as_ref().is_none_or(|file| file.record.state != self.record.state) {
            let synced = file.and_then(|file| {
                let old = now.ms_since(file.written_at) >= SYNC_MS;
                if old { Some(file.record) } else { file.synced }
            });
            let record = self.record.clone();
            disk.insert(task.clone(), TaskFile { record, written_at: now, synced });
        } else if let Some(file) = file {
            disk.insert(task.clone(), file);
        }
        news.then(|| {
            self.reported = Some(observation.clone());
            observation
        })
    }
}

fn new_record(assignment: &Arc<Assignment>) -> TaskRecord {
    let containers = assignment.containers.iter();
    TaskRecord {
        assignment: Arc::clone(assignment),
        state: TaskState::new(containers.map(|one| (one.name.clone(), one.id.clone()))),
        sequence: 0,
    }
}

/// The bugs that leave a task pending or running for ever.
fn ignores(env: &Env, assignment: &Assignment) -> bool {
    let standalone = assignment.service.is_none();
    let stopping = assignment.desired_status == DesiredStatus::Stopped;
    standalone
        && ((env.mutation.breaks(Invariant::PendingExplained) && !stopping)
            || (env.mutation.breaks(Invariant::StopsEnd) && stopping))
}

/// The bugs that forget dependencies.
fn planted_spec<'a>(env: &Env, spec: &'a TaskSpec, desired: DesiredStatus) -> Cow<'a, TaskSpec> {
    let running = desired == DesiredStatus::Running;
    let forgets = (env.mutation.breaks(Invariant::StartOrder) && running)
        || (env.mutation.breaks(Invariant::StopOrder) && !running);
    if !forgets {
        return Cow::Borrowed(spec);
    }
    let mut spec = spec.clone();
    for container in &mut spec.containers {
        container.depends_on.clear();
    }
    Cow::Owned(spec)
}
