//! One task's owner: events in, effects out, one step at a time.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use base::Timestamp;
use domain::{DesiredStatus, TaskObservation};
use node_proto::Assignment;
use runtime_oci::ContainerExit;
use task_engine::{
    ContainerPhase, Effect, Event, Plan, SandboxPhase, TaskState, apply, observe, plan,
};
use tokio::sync::{mpsc, watch};

use crate::effects::{Drivers, TryAgain, Work, parse_container_name};
use crate::live_tasks::LiveTasks;
use crate::record::{TaskFiles, TaskRecord};

/// Messages that wait for an actor: more than the effects and exits it can have under way.
const MAILBOX: usize = 256;
/// Pause before an effect that failed is tried again.
const RETRY_PAUSE: Duration = Duration::from_secs(1);
/// An actor looks at its task after this time even when nothing happens.
const LONGEST_WAIT_MS: i64 = 60_000;

/// Something that happened to a task.
#[derive(Debug)]
pub(crate) enum Message {
    /// An effect ended.
    Performed(Effect, Result<Option<Event>, TryAgain>),
    /// An effect that failed may be tried again.
    Retry(Effect),
    /// A container ended.
    Exited(ContainerExit),
}

/// What the control plane wants of a task; `None` when it knows nothing of it (any more).
pub(crate) type Wanted = Option<Arc<Assignment>>;

/// How the agent reaches an actor.
#[derive(Debug)]
pub(crate) struct Handle {
    pub(crate) mailbox: mpsc::Sender<Message>,
    pub(crate) wanted: watch::Sender<Wanted>,
}

/// What actors share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) drivers: Drivers,
    pub(crate) files: TaskFiles,
    pub(crate) reports: mpsc::Sender<(String, TaskObservation)>,
    pub(crate) tasks: Arc<LiveTasks>,
}

/// The owner of one task.
#[derive(Debug)]
pub(crate) struct Actor {
    shared: Arc<Shared>,
    record: TaskRecord,
    saved: Option<TaskState>,
    reported: Option<TaskObservation>,
    mailbox: mpsc::Receiver<Message>,
    sender: mpsc::Sender<Message>,
    wanted: watch::Receiver<Wanted>,
    /// Effects begun, perhaps done, that are still in the plan: not to be begun again.
    issued: BTreeSet<Effect>,
    /// Effects whose end is not known yet, in the plan or not.
    under_way: BTreeSet<Effect>,
}

impl Actor {
    /// An actor for a task that is new, or was found on disk.
    pub(crate) fn new(shared: Arc<Shared>, record: TaskRecord) -> (Self, Handle) {
        let (sender, mailbox) = mpsc::channel(MAILBOX);
        let (wanted_sender, wanted) = watch::channel(Some(Arc::clone(&record.assignment)));
        let handle = Handle { mailbox: sender.clone(), wanted: wanted_sender };
        let actor = Self {
            shared,
            record,
            saved: None,
            reported: None,
            mailbox,
            sender,
            wanted,
            issued: BTreeSet::new(),
            under_way: BTreeSet::new(),
        };
        actor.show();
        (actor, handle)
    }

    /// Works until the task is over and the control plane has forgotten it. Returns its id.
    pub(crate) async fn run(mut self) -> String {
        loop {
            let wanted = self.wanted.borrow_and_update().clone();
            if let Some(assignment) = &wanted {
                self.record.assignment = Arc::clone(assignment);
            }
            let removed = self.record.state.sandbox == SandboxPhase::Removed;
            if wanted.is_none() && removed {
                return self.forget();
            }
            let desired =
                wanted.as_ref().map_or(DesiredStatus::Stopped, |wanted| wanted.desired_status);
            let now = self.shared.drivers.clock.now();
            let plan = plan(&self.record.assignment.spec, desired, &mut self.record.state, now);
            self.show();
            self.keep(desired).await;
            self.issue(&plan);
            if self.wait(plan.wake_at, now).await.is_err() {
                return self.record.assignment.task_id.clone();
            }
        }
    }

    /// Lets the task speak to the agent while it lives, and its credentials end with it.
    fn show(&self) {
        let TaskRecord { assignment, state, .. } = &self.record;
        let keeper = &self.shared.drivers.keeper;
        if self.shared.tasks.publish(assignment, state) {
            if assignment.spec.task_role_arn.is_some() {
                keeper.expect(&assignment.task_id);
            }
        } else if state.all_stopped() || state.sandbox == SandboxPhase::Removed {
            keeper.forget(&assignment.task_id);
        }
    }

    /// Writes the state down and reports it, where it changed. The disk comes first: a report
    /// must not be forgotten by a restart.
    async fn keep(&mut self, desired: DesiredStatus) {
        let next = self.record.sequence.saturating_add(1);
        let observation = observe(&self.record.assignment.spec, desired, &self.record.state, next);
        let news = self.reported.as_ref().is_none_or(|reported| {
            TaskObservation { sequence: next, ..reported.clone() } != observation
        });
        if news {
            self.record.sequence = next;
        }
        if news || self.saved.as_ref() != Some(&self.record.state) {
            if let Err(error) = self.shared.files.save(&self.record) {
                tracing::error!(task = self.record.assignment.task_id, %error, "task not saved");
            }
            self.saved = Some(self.record.state.clone());
            crash_point::crash_point!("node.task.saved");
        }
        if news {
            self.reported = Some(observation.clone());
            let task_id = self.record.assignment.task_id.clone();
            // The reporter ends only with the agent.
            let _ended = self.shared.reports.send((task_id, observation)).await;
            crash_point::crash_point!("node.task.reported");
        }
    }

    /// Begins what the plan wants and what is not under way yet.
    fn issue(&mut self, plan: &Plan) {
        self.issued.retain(|effect| plan.effects.contains(effect));
        for effect in &plan.effects {
            // Nothing may be made any more while everything is taken down.
            let must_be_alone = *effect == Effect::RemoveSandbox;
            if self.under_way.contains(effect) || (must_be_alone && !self.under_way.is_empty()) {
                continue;
            }
            if !self.issued.insert(effect.clone()) {
                continue;
            }
            self.under_way.insert(effect.clone());
            let work = Work {
                assignment: Arc::clone(&self.record.assignment),
                digests: self
                    .record
                    .state
                    .containers
                    .iter()
                    .map(|container| container.image_digest.clone())
                    .collect(),
                address: self.record.state.address.clone(),
            };
            let (shared, sender, effect) =
                (Arc::clone(&self.shared), self.sender.clone(), effect.clone());
            tokio::spawn(async move {
                let outcome = shared.drivers.perform(&work, &effect).await;
                // The actor may be gone: then nobody needs to know.
                let _gone = sender.send(Message::Performed(effect, outcome)).await;
            });
        }
    }

    /// Waits for something to happen and takes it in; an error when the agent is gone.
    async fn wait(&mut self, wake_at: Option<Timestamp>, now: Timestamp) -> Result<(), ()> {
        let wait_ms = wake_at
            .map_or(LONGEST_WAIT_MS, |wake_at| wake_at.ms_since(now))
            .clamp(0, LONGEST_WAIT_MS);
        let wait = Duration::from_millis(u64::try_from(wait_ms).unwrap_or(0));
        tokio::select! {
            message = self.mailbox.recv() => {
                self.take_in(message.ok_or(())?);
                while let Ok(message) = self.mailbox.try_recv() {
                    self.take_in(message);
                }
                Ok(())
            }
            changed = self.wanted.changed() => changed.map_err(|_| ()),
            () = tokio::time::sleep(wait) => Ok(()),
        }
    }

    fn take_in(&mut self, message: Message) {
        let now = self.shared.drivers.clock.now();
        match message {
            Message::Performed(effect, Ok(event)) => {
                self.under_way.remove(&effect);
                if let Some(event) = event {
                    self.apply(event, now);
                }
                // Done once is enough for a signal; anything else may be wanted again.
                match effect {
                    Effect::StopContainer { .. } | Effect::KillContainer { .. } => {}
                    Effect::ResolveImages
                    | Effect::CreateSandbox
                    | Effect::StartContainer { .. }
                    | Effect::ProbeHealth { .. }
                    | Effect::RemoveSandbox => drop(self.issued.remove(&effect)),
                }
            }
            Message::Performed(effect, Err(TryAgain(reason))) => {
                self.under_way.remove(&effect);
                let task = &self.record.assignment.task_id;
                tracing::warn!(task, ?effect, reason, "not done: tried again");
                let sender = self.sender.clone();
                tokio::spawn(async move {
                    tokio::time::sleep(RETRY_PAUSE).await;
                    let _gone = sender.send(Message::Retry(effect)).await;
                });
            }
            Message::Retry(effect) => drop(self.issued.remove(&effect)),
            Message::Exited(exit) => self.exited(exit, now),
        }
    }

    fn exited(&mut self, exit: ContainerExit, now: Timestamp) {
        let Some((attempt, name)) = parse_container_name(&exit.container.name) else { return };
        let containers = &self.record.state.containers;
        let Some(index) = containers.iter().position(|container| container.name == name) else {
            return;
        };
        // The exit of a short program may be known before the end of its start is.
        let starting =
            containers.get(index).is_some_and(|known| known.phase == ContainerPhase::Starting);
        // What became of one that never ran is told by the effect that starts it, or starts it anew.
        if starting && exit.started_at.is_none() {
            return;
        }
        if let (true, Some(at)) = (starting, exit.started_at) {
            let runtime_id = exit.container.to_string();
            self.apply(Event::ContainerStarted { container: index, attempt, runtime_id, at }, now);
        }
        self.apply(exit_event(index, attempt, exit), now);
    }

    fn apply(&mut self, event: Event, now: Timestamp) {
        let task = &self.record.assignment.task_id;
        tracing::debug!(task, ?event, "task event");
        apply(&self.record.assignment.spec, &mut self.record.state, event, now);
    }

    fn forget(self) -> String {
        let task_id = self.record.assignment.task_id.clone();
        if let Err(error) = self.shared.files.remove(&task_id) {
            tracing::warn!(task = task_id, %error, "task file not removed");
        }
        crash_point::crash_point!("node.task.forgotten");
        task_id
    }
}

/// The engine's event for an exit, with ECS's words where memory was the cause.
pub(crate) fn exit_event(container: usize, attempt: u32, exit: ContainerExit) -> Event {
    let out_of_memory = "OutOfMemoryError: Container killed due to memory usage";
    let reason = if exit.oom_killed { Some(out_of_memory.to_owned()) } else { exit.reason };
    Event::ContainerExited {
        container,
        attempt,
        exit_code: exit.exit_code,
        reason,
        at: exit.finished_at,
    }
}
