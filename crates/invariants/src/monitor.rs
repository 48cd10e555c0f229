//! Keeps the history that predicates need, and asks them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use base::Timestamp;
use domain::{
    ContainerInstance, Service, ServiceStatus, Task, TaskDefinition, TaskDefinitionId, TaskSpec,
    TaskStatus,
};

use crate::containers::{self, SeenTask};
use crate::liveness::Settled;
use crate::observation::{Actor, ContainerEvent, NetworkEvent, Observation, Record, What};
use crate::{Finding, Invariant, decisions, liveness, resources, tasks};

/// Violations kept; one is enough to fail.
const MAX_VIOLATIONS: usize = 100;

/// Something that did not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// What should hold.
    pub invariant: Invariant,
    /// When it was seen.
    pub at: Timestamp,
    /// What was seen.
    pub text: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}", self.invariant.id(), self.invariant.title(), self.text)
    }
}

/// How often each invariant had something to check.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Exercised(BTreeMap<Invariant, u64>);

impl Exercised {
    /// The count of one invariant.
    pub fn of(&self, invariant: Invariant) -> u64 {
        self.0.get(&invariant).copied().unwrap_or(0)
    }

    /// Adds another run's counts.
    pub fn add(&mut self, other: &Self) {
        for (invariant, count) in &other.0 {
            self.count(*invariant, *count);
        }
    }

    fn count(&mut self, invariant: Invariant, times: u64) {
        let count = self.0.entry(invariant).or_default();
        *count = count.saturating_add(times);
    }
}

impl fmt::Display for Exercised {
    /// One line an invariant: number, count, title.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for invariant in Invariant::ALL {
            writeln!(f, "{}  {:>10}  {}", invariant.id(), self.of(*invariant), invariant.title())?;
        }
        Ok(())
    }
}

/// An address and the ports that go with it.
type Network = (String, Vec<u16>);

/// Watches the product through [`Observation`]s.
#[derive(Debug, Default)]
pub struct Monitor {
    tasks: BTreeMap<String, Arc<Task>>,
    instances: BTreeMap<String, Arc<ContainerInstance>>,
    definitions: BTreeMap<TaskDefinitionId, Arc<TaskDefinition>>,
    services: BTreeMap<String, Arc<Service>>,
    /// Instance → ids of tasks that are not STOPPED.
    live: BTreeMap<String, BTreeSet<String>>,
    /// What runtimes were seen to do, by task.
    seen: BTreeMap<String, SeenTask>,
    /// Node → task → its network.
    networks: BTreeMap<String, BTreeMap<String, Network>>,
    /// Commits of calls that are not answered yet.
    writes: BTreeMap<u64, u64>,
    /// `CLUSTER/TOKEN` → how many commits made tasks of it.
    tokens: BTreeMap<String, u64>,
    exercised: Exercised,
    violations: Vec<Violation>,
}

impl Monitor {
    /// Takes in one observation.
    pub fn observe(&mut self, at: Timestamp, observation: Observation<'_>) {
        match observation {
            Observation::Committed { by, records } => self.committed(at, by, records),
            Observation::Decided(decision) => {
                self.note(at, Invariant::Floor, decisions::floor(decision));
                self.note(at, Invariant::Ceiling, decisions::ceiling(decision));
                self.note(at, Invariant::Breaker, decisions::breaker(decision));
            }
            Observation::Answered { call, refused } => {
                let writes = self.writes.remove(&call).unwrap_or(0);
                if refused {
                    let finding = Finding::check(writes == 0, || {
                        format!("call {call} was refused and has committed {writes} times")
                    });
                    self.note(at, Invariant::RefusedWritesNothing, finding);
                }
            }
            Observation::Container(event) => self.container(at, event),
            Observation::Network(event) => self.network(at, event),
        }
    }

    /// Checks what must hold once nothing has gone wrong for long enough.
    pub fn settled(&mut self, at: Timestamp, settled: &Settled<'_>) {
        for (invariant, finding) in liveness::check(settled) {
            self.note(at, invariant, finding);
        }
    }

    /// What did not hold, oldest first.
    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }

    /// How often each invariant had something to check.
    pub fn exercised(&self) -> &Exercised {
        &self.exercised
    }

    /// The tasks as the store has them, by id.
    pub fn tasks(&self) -> &BTreeMap<String, Arc<Task>> {
        &self.tasks
    }

    /// The services as the store has them, by `CLUSTER/NAME`.
    pub fn services(&self) -> &BTreeMap<String, Arc<Service>> {
        &self.services
    }

    /// The instances as the store has them, by id.
    pub fn instances(&self) -> &BTreeMap<String, Arc<ContainerInstance>> {
        &self.instances
    }

    /// The revisions as the store has them.
    pub fn definitions(&self) -> &BTreeMap<TaskDefinitionId, Arc<TaskDefinition>> {
        &self.definitions
    }

    /// Notes what a predicate said.
    fn note(&mut self, at: Timestamp, invariant: Invariant, finding: Finding) {
        self.exercised.count(invariant, finding.exercised);
        for text in finding.broken {
            if self.violations.len() < MAX_VIOLATIONS {
                self.violations.push(Violation { invariant, at, text });
            }
        }
    }

    fn committed(&mut self, at: Timestamp, by: &Actor, records: &[Record]) {
        if let Actor::Call { id, .. } = by {
            let writes = self.writes.entry(*id).or_default();
            *writes = writes.saturating_add(1);
        }
        let mut placed: BTreeSet<String> = BTreeSet::new();
        let mut tokens: BTreeSet<String> = BTreeSet::new();
        // Services first: a reconciler's commit may hold both a service and its tasks.
        for record in records {
            match record {
                Record::Service(key, service) => {
                    let draining = self.services.get(key).map(|known| known.status)
                        == Some(ServiceStatus::Draining);
                    let ended = service.as_ref().map(|service| service.status)
                        == Some(ServiceStatus::Inactive);
                    if draining && ended {
                        self.note(at, Invariant::DrainingEnds, Finding::check(true, String::new));
                    }
                    put(&mut self.services, key, service.as_ref());
                }
                Record::Instance(id, instance) => put(&mut self.instances, id, instance.as_ref()),
                Record::Definition(definition) => {
                    self.definitions.insert(definition.id.clone(), Arc::clone(definition));
                }
                Record::Task(..) => {}
            }
        }
        for record in records {
            let Record::Task(id, task) = record else { continue };
            let Some(task) = task else {
                self.forget(id);
                continue;
            };
            let before = self.tasks.get(id).cloned();
            if before.is_none() {
                placed.insert(task.container_instance.clone());
                let token = task.client_token.as_ref();
                tokens.extend(token.map(|token| format!("{}/{token}", task.cluster)));
                self.note(at, Invariant::AcceptedOnly, self.accepted(by, task));
            }
            self.task(at, before.as_deref(), task);
        }
        for token in tokens {
            let made = self.tokens.entry(token.clone()).or_default();
            *made = made.saturating_add(1);
            let finding =
                Finding::check(*made == 1, || format!("client token {token} made tasks again"));
            self.note(at, Invariant::ClientTokens, finding);
        }
        for instance in placed {
            self.placed(at, &instance);
        }
    }

    fn task(&mut self, at: Timestamp, before: Option<&Task>, task: &Arc<Task>) {
        if let Some(before) = before {
            self.note(at, Invariant::OneNode, tasks::placement_is_fixed(before, task));
            self.note(at, Invariant::NeverBack, tasks::never_back(before, task));
        }
        self.note(at, Invariant::StopsHaveReasons, tasks::stop_has_reason(task));
        let news = before.is_none_or(|before| before.containers != task.containers);
        if let Some(spec) = self.spec(task).filter(|_| news) {
            self.note(at, Invariant::EssentialExit, tasks::essential_exit(task, &spec));
        }
        let was_live = before.is_none_or(|before| before.last_status != TaskStatus::Stopped);
        if task.last_status != TaskStatus::Stopped {
            let live = self.live.entry(task.container_instance.clone()).or_default();
            live.insert(task.id.clone());
        } else if was_live {
            self.live.entry(task.container_instance.clone()).or_default().remove(&task.id);
            let nothing = SeenTask::new();
            let seen = self.seen.get(&task.id).unwrap_or(&nothing);
            let finding = containers::nothing_alive(&task.id, seen);
            self.note(at, Invariant::StoppedStays, finding);
        }
        self.tasks.insert(task.id.clone(), Arc::clone(task));
    }

    /// INV-014, of the record.
    fn accepted(&self, by: &Actor, task: &Task) -> Finding {
        let accepted = match (by, &task.service) {
            (Actor::Call { operation, .. }, None) => {
                matches!(*operation, "RunTask" | "StartTask")
            }
            (Actor::Services, Some(service)) => {
                self.services.contains_key(&format!("{}/{service}", task.cluster))
            }
            (Actor::Call { .. }, Some(_))
            | (Actor::Services, None)
            | (Actor::NodeLink | Actor::Other, _) => false,
        };
        Finding::check(accepted, || format!("task {} was made by {by:?}", task.id))
    }

    fn placed(&mut self, at: Timestamp, instance: &str) {
        let Some(record) = self.instances.get(instance) else { return };
        let live = || {
            let ids = self.live.get(instance).into_iter().flatten();
            ids.filter_map(|id| self.tasks.get(id)).map(AsRef::as_ref)
        };
        let amounts = resources::amounts(record, live());
        let ports = resources::host_ports(record, live());
        self.note(at, Invariant::Amounts, amounts);
        self.note(at, Invariant::HostPorts, ports);
    }

    fn forget(&mut self, id: &str) {
        if let Some(task) = self.tasks.remove(id)
            && let Some(live) = self.live.get_mut(&task.container_instance)
        {
            live.remove(id);
        }
        self.seen.remove(id);
    }

    fn spec(&self, task: &Task) -> Option<TaskSpec> {
        let definition = self.definitions.get(&task.task_definition)?;
        Some(task.overrides.apply(&definition.spec))
    }

    fn container(&mut self, at: Timestamp, event: ContainerEvent<'_>) {
        let task = self.tasks.get(event.task).cloned();
        if event.what == What::Started {
            self.started(at, event, task.as_deref());
        }
        if event.what == What::Signalled
            && let Some(spec) = task.as_deref().and_then(|task| self.spec(task))
        {
            let nothing = SeenTask::new();
            let seen = self.seen.get(event.task).unwrap_or(&nothing);
            let finding = containers::stop_order(event.task, &spec, event.container, seen);
            self.note(at, Invariant::StopOrder, finding);
        }
        let seen = self.seen.entry(event.task.to_owned()).or_default();
        let seen = seen.entry(event.container.to_owned()).or_default();
        match event.what {
            What::Started => {
                seen.started = true;
                seen.alive.push(event.attempt);
            }
            What::Signalled => {}
            What::Exited(code) => {
                seen.alive.retain(|attempt| *attempt != event.attempt);
                seen.exits.push(code);
            }
            What::Probed { passed } => seen.passed |= passed,
        }
    }

    fn started(&mut self, at: Timestamp, event: ContainerEvent<'_>, task: Option<&Task>) {
        let ContainerEvent { node, task: id, container, attempt, .. } = event;
        let finding =
            Finding::check(task.is_some(), || format!("a container of unknown task {id} starts"));
        self.note(at, Invariant::AcceptedOnly, finding);
        let Some(task) = task else { return };
        let finding = Finding::check(task.container_instance == node, || {
            format!("task {id} was placed on {} and starts on {node}", task.container_instance)
        });
        self.note(at, Invariant::OneNode, finding);
        let finding = Finding::check(task.last_status != TaskStatus::Stopped, || {
            format!("container `{container}` of STOPPED task {id} starts")
        });
        self.note(at, Invariant::StoppedStays, finding);
        let Some(spec) = self.spec(task) else { return };
        if let (1, Some(container)) = (attempt, spec.container(container)) {
            let nothing = SeenTask::new();
            let seen = self.seen.get(id).unwrap_or(&nothing);
            let finding = containers::start_order(id, &spec, container, seen);
            self.note(at, Invariant::StartOrder, finding);
        }
    }

    fn network(&mut self, at: Timestamp, event: NetworkEvent<'_>) {
        let node = self.networks.entry(event.node.to_owned()).or_default();
        let Some(address) = event.address else {
            node.remove(event.task);
            return;
        };
        let others = node.iter().filter(|(task, _)| task.as_str() != event.task);
        let others = others.map(|(task, (at, ports))| (task.as_str(), at.as_str(), &ports[..]));
        let finding = resources::addresses((event.task, address, event.ports), others);
        node.insert(event.task.to_owned(), (address.to_owned(), event.ports.to_vec()));
        self.note(at, Invariant::Addresses, finding);
    }
}

fn put<T>(table: &mut BTreeMap<String, Arc<T>>, key: &str, record: Option<&Arc<T>>) {
    match record {
        Some(record) => drop(table.insert(key.to_owned(), Arc::clone(record))),
        None => drop(table.remove(key)),
    }
}
