//! The store of a world: the product's own in memory, with time, faults and somebody who watches.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};

use domain::{ContainerInstance, Service, Task, TaskDefinition};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use invariants::decisions::Decision;
use invariants::{Actor, Observation, Record};
use serde::de::DeserializeOwned;
use state::{Record as _, State, View};
use store::{
    CommitError, Entry, Key, MemoryStore, Page, Query, Revision, Span, Store, StoreError,
    Transaction, Watch, WatchError, Write,
};

use crate::env::Env;
use crate::executor::lock;
use crate::plant;

/// One process's access to the store: it ends with the process.
#[derive(Debug)]
pub(crate) struct SimStore {
    env: Arc<Env>,
    memory: Arc<MemoryStore>,
    dead: AtomicBool,
    /// The state that the process sees, once it has opened it.
    state: Mutex<Weak<State>>,
}

impl SimStore {
    pub(crate) fn new(env: Arc<Env>, memory: Arc<MemoryStore>) -> Arc<Self> {
        Arc::new(Self { env, memory, dead: AtomicBool::new(false), state: Mutex::default() })
    }

    /// The process has died: nothing of it reaches the store any more.
    pub(crate) fn die(&self) {
        self.dead.store(true, Ordering::Relaxed);
    }

    pub(crate) fn seen_by(&self, state: &Arc<State>) {
        *lock(&self.state) = Arc::downgrade(state);
    }

    async fn pause(&self) {
        let wait_ms = self.env.takes_ms(1, 0, 4);
        if wait_ms > 0 {
            self.env.timers.sleep_ms(wait_ms).await;
        }
        if self.dead.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
    }

    async fn commit_as(
        &self,
        actor: Actor,
        mut transaction: Transaction,
    ) -> Result<Revision, CommitError> {
        plant::in_transaction(&self.env, &actor, &mut transaction);
        if actor == Actor::Services && self.env.watched {
            self.decided(&transaction);
        }
        let lost = plant::is_lost(&self.env, &actor, &transaction);
        self.pause().await;
        if lost {
            return Err(CommitError::OutcomeUnknown { reason: "planted".to_owned() });
        }
        let records = if self.env.watched { records(&transaction) } else { Vec::new() };
        let keys: Vec<String> = transaction.writes.iter().map(key_of).collect();
        let before = self.memory.revision();
        let outcome = self.memory.commit(transaction).await;
        if self.memory.revision() > before {
            self.env.mark(self.memory.revision().0);
            self.env.observe(Observation::Committed { by: &actor, records: &records });
            self.name(&records);
            self.tell(&actor, &records, &keys);
        }
        if let Err(error) = &outcome {
            self.env.tell(&format!("{}: {error}", who(&actor)));
        }
        self.pause().await;
        outcome
    }

    fn name(&self, records: &[Record]) {
        let mut names = lock(&self.env.names);
        for record in records {
            match record {
                Record::Task(id, Some(_)) => drop(names.add("t", id)),
                Record::Service(_, Some(service)) => {
                    for deployment in service.deployments.iter().rev() {
                        if let Some((_, digits)) = deployment.id.split_once('/') {
                            names.add("d", digits);
                        }
                    }
                }
                Record::Task(..)
                | Record::Service(..)
                | Record::Instance(..)
                | Record::Definition(_) => {}
            }
        }
    }

    fn tell(&self, actor: &Actor, records: &[Record], keys: &[String]) {
        let mut words = Vec::new();
        for record in records {
            match record {
                Record::Task(id, Some(task)) => {
                    let (last, desired) = (task.last_status.as_str(), task.desired_status.as_str());
                    words.push(format!("task {id} {last}/{desired}"));
                }
                Record::Service(key, Some(service)) => {
                    words.push(format!("service {key} wants {}", service.desired_count));
                }
                Record::Instance(id, Some(instance)) => {
                    words.push(format!("instance {id} {}", instance.status.as_str()));
                }
                Record::Definition(definition) => {
                    words.push(format!("definition {}", definition.id))
                }
                Record::Task(id, None) | Record::Service(id, None) | Record::Instance(id, None) => {
                    words.push(format!("{id} deleted"));
                }
            }
        }
        if words.is_empty() {
            words.extend(keys.first().map(|key| format!("{key} …")));
        }
        self.env.tell(&format!("{} commits: {}", who(actor), words.join(", ")));
    }

    /// Shows the monitor what the reconciler saw and what it wants.
    fn decided(&self, transaction: &Transaction) {
        let Some(state) = lock(&self.state).upgrade() else { return };
        let view = state.view();
        let records = records(transaction);
        let mut started = Vec::new();
        let mut stopped = std::collections::BTreeSet::new();
        let mut after = None;
        for record in &records {
            match record {
                Record::Service(_, Some(service)) => after = Some(Arc::clone(service)),
                Record::Task(id, Some(task)) => {
                    if view.task(id).is_some() {
                        stopped.insert(id.as_str());
                    } else {
                        started.push(task.as_ref());
                    }
                }
                Record::Task(..)
                | Record::Service(..)
                | Record::Instance(..)
                | Record::Definition(_) => {}
            }
        }
        let Some(before) = decided_service(&view, transaction) else { return };
        let after = after.unwrap_or_else(|| Arc::clone(&before));
        let tasks: Vec<&Task> = view
            .tasks_of_service(&before.cluster, &before.name)
            .map(|row| row.value.as_ref())
            .filter(|task| {
                task.last_status != domain::TaskStatus::Stopped
                    || task.created_at >= before.created_at
            })
            .collect();
        let checked = |task: &&&Task| {
            view.task_definition(&task.task_definition).is_some_and(|definition| {
                let containers = &definition.spec.containers;
                containers.iter().any(|one| one.essential && one.health_check.is_some())
            })
        };
        let decision = Decision {
            now: self.env.now(),
            before: &before,
            after: &after,
            checked: tasks.iter().filter(checked).map(|task| task.id.as_str()).collect(),
            tasks,
            instances: view.instances_of(&before.cluster).map(|row| row.value.as_ref()).collect(),
            started,
            stopped,
        };
        self.env.observe(Observation::Decided(&decision));
    }
}

fn who(actor: &Actor) -> String {
    match actor {
        Actor::Call { id, operation } => format!("call {id} ({operation})"),
        Actor::Services => "service controller".to_owned(),
        Actor::NodeLink => "node link".to_owned(),
        Actor::Other => "control plane".to_owned(),
    }
}

/// The service that a reconciler's transaction is about: every one names it in a precondition.
fn decided_service(view: &View, transaction: &Transaction) -> Option<Arc<Service>> {
    transaction.preconditions.iter().find_map(|precondition| {
        let path = precondition.key().as_str().strip_prefix("service/")?;
        let (cluster, name) = path.split_once('/')?;
        Some(Arc::clone(&view.service(cluster, name)?.value))
    })
}

fn key_of(write: &Write) -> String {
    match write {
        Write::Put(key, _) | Write::Delete(key) => key.as_str().to_owned(),
    }
}

/// What of a transaction the monitor wants to know.
pub(crate) fn records(transaction: &Transaction) -> Vec<Record> {
    transaction.writes.iter().filter_map(record).collect()
}

fn record(write: &Write) -> Option<Record> {
    let (key, value) = match write {
        Write::Put(key, value) => (key, Some(value)),
        Write::Delete(key) => (key, None),
    };
    let (table, path) = key.as_str().split_once('/')?;
    match table {
        Task::TABLE => Some(Record::Task(path.to_owned(), decode(value)?)),
        Service::TABLE => Some(Record::Service(path.to_owned(), decode(value)?)),
        ContainerInstance::TABLE => Some(Record::Instance(path.to_owned(), decode(value)?)),
        TaskDefinition::TABLE => decode(value)?.map(Record::Definition),
        _ => None,
    }
}

/// `Some(None)` for a deletion, `None` for what cannot be read.
fn decode<T: DeserializeOwned>(value: Option<&bytes::Bytes>) -> Option<Option<Arc<T>>> {
    match value {
        None => Some(None),
        Some(value) => serde_json::from_slice(value).ok().map(|record| Some(Arc::new(record))),
    }
}

impl Store for SimStore {
    fn get<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Entry>, StoreError>> {
        self.memory.get(key)
    }

    fn range(&self, query: Query) -> BoxFuture<'_, Result<Page, StoreError>> {
        self.memory.range(query)
    }

    fn commit(&self, transaction: Transaction) -> BoxFuture<'_, Result<Revision, CommitError>> {
        // The actor is known only while the caller is polled.
        let actor = lock(&self.env.actor).clone();
        self.commit_as(actor, transaction).boxed()
    }

    fn watch(&self, span: Span, after: Revision) -> BoxFuture<'_, Result<Watch, WatchError>> {
        self.memory.watch(span, after)
    }

    fn revision(&self) -> Revision {
        self.memory.revision()
    }
}
