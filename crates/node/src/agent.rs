//! Joins the control plane and gives every task its actor.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base::{Clock, IdSource};
use images::ImageStore;
use network::{Network, NetworkError};
use node_proto::{
    Assignment, ControlPlane, DesiredSet, LinkError, LogSink, PROTOCOL_VERSION, Registration,
};
use runtime_oci::{ContainerExit, RecoveredState, Runtime, RuntimeError};
use task_engine::{Event, FoundContainer, SandboxPhase, TaskState, apply, recover};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinError, JoinSet};

use crate::actor::{Actor, Handle, Message, Shared, exit_event};
use crate::effects::{Drivers, parse_container_name};
use crate::identity::{Identity, IdentityError, identity};
use crate::log_shipper::{LogShippers, log_source};
use crate::record::{TaskFiles, TaskRecord};
use crate::role_credentials::RoleKeeper;
use crate::task_endpoint::{Endpoint, TaskListener};
use crate::task_tokens::TaskTokens;
use crate::{machine, reporter};

/// How long the last reports may take when the agent ends.
const FAREWELL: Duration = Duration::from_secs(2);

/// What the agent is told about itself.
#[derive(Debug, Clone)]
pub struct NodeConfig {
    /// Where it keeps its identity and its tasks. Made when missing.
    pub directory: PathBuf,
    /// Name of the cluster to join.
    pub cluster: String,
    /// Value of `ecs.availability-zone`.
    pub zone: String,
    /// Whether tasks reach the APIs at [`network::API_LINK`].
    pub api_link: bool,
    /// Ports of the program itself, which no task may publish.
    pub own_ports: Vec<u16>,
    /// How FARGATE tasks are isolated here; `None` when they may not run.
    pub fargate_isolation: Option<String>,
    /// Version of the program.
    pub agent_version: String,
}

/// What the agent works with.
#[derive(Debug, Clone)]
pub struct NodeDependencies {
    /// The control plane.
    pub control_plane: Arc<dyn ControlPlane>,
    /// Runs containers.
    pub runtime: Arc<dyn Runtime>,
    /// Gives tasks their network.
    pub network: Arc<dyn Network>,
    /// Images.
    pub images: Arc<ImageStore>,
    /// Where containers' output goes.
    pub logs: Arc<dyn LogSink>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Identifiers.
    pub ids: Arc<dyn IdSource>,
}

/// Why the agent cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// Its directory cannot be used.
    #[error("cannot use the node's directory `{}`", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The key of its tasks' tokens cannot be had.
    #[error("the node has no key for its tasks' tokens")]
    Tokens(#[source] std::io::Error),
    /// Its identity cannot be had.
    #[error("the node does not know who it is")]
    Identity(#[source] IdentityError),
    /// The runtime cannot find what it left behind.
    #[error("the container runtime cannot begin")]
    Runtime(#[source] RuntimeError),
    /// The network cannot be set up.
    #[error("the task network cannot be set up")]
    Network(#[source] NetworkError),
    /// The control plane will not have it.
    #[error("the node cannot join")]
    Link(#[source] LinkError),
    /// Someone else reads the runtime's exits.
    #[error("the container runtime is in use by another agent in this process")]
    ExitsTaken,
}

/// A node that has joined.
#[derive(Debug)]
pub struct Node {
    shared: Arc<Shared>,
    desired: watch::Receiver<Arc<DesiredSet>>,
    exits: mpsc::Receiver<ContainerExit>,
    handles: BTreeMap<String, Handle>,
    actors: JoinSet<String>,
    reporter: tokio::task::JoinHandle<()>,
    /// What tasks speak to; ends with the node.
    endpoint: JoinSet<()>,
    generation: Option<u64>,
}

impl Node {
    /// Finds what an earlier agent left behind, joins the control plane, and takes up every task
    /// that is there. Tasks are answered on `listener` from then on; all other work begins with
    /// [`Node::run`].
    ///
    /// # Errors
    ///
    /// [`NodeError`]; containers that run go on running.
    pub async fn start(
        config: NodeConfig,
        dependencies: NodeDependencies,
        listener: TaskListener,
    ) -> Result<Self, NodeError> {
        let directory_error =
            |source| NodeError::Directory { path: config.directory.clone(), source };
        std::fs::create_dir_all(&config.directory).map_err(directory_error)?;
        let identity =
            identity(&config.directory, dependencies.ids.as_ref()).map_err(NodeError::Identity)?;
        let files = TaskFiles::open(&config.directory).map_err(directory_error)?;
        let mut records = files.load().map_err(directory_error)?;
        let exits = dependencies.runtime.exits().ok_or(NodeError::ExitsTaken)?;
        let resources = machine::resources(&config.own_ports);
        let endpoint = endpoint(&config, &dependencies, &identity).map_err(NodeError::Tokens)?;
        let drivers = Drivers {
            runtime: Arc::clone(&dependencies.runtime),
            network: Arc::clone(&dependencies.network),
            images: Arc::clone(&dependencies.images),
            logs: LogShippers::new(Arc::clone(&dependencies.logs)),
            clock: Arc::clone(&dependencies.clock),
            keeper: Arc::clone(&endpoint.keeper),
            tokens: Arc::clone(&endpoint.tokens),
            api_link: config.api_link,
            machine_cpu_units: resources.cpu_units,
            machine_memory_mib: resources.memory_mib,
            attached: Mutex::default(),
        };
        let live = take_up(&drivers, &mut records).await?;
        attach_again(&drivers, &mut records, &live).await?;
        let registration = registration(&config, identity, resources);
        let desired =
            dependencies.control_plane.register(registration).await.map_err(NodeError::Link)?;
        let (reports, receiver) = mpsc::channel(reporter::QUEUE);
        let tasks = Arc::clone(&endpoint.tasks);
        let reporter =
            reporter::run(Arc::clone(&dependencies.control_plane), Arc::clone(&tasks), receiver);
        let reporter = tokio::spawn(reporter);
        let mut node = Self {
            shared: Arc::new(Shared { drivers, files, reports, tasks }),
            desired,
            exits,
            handles: BTreeMap::new(),
            actors: JoinSet::new(),
            reporter,
            endpoint: JoinSet::new(),
            generation: None,
        };
        for record in records {
            node.begin(record);
        }
        node.endpoint.spawn(Arc::new(endpoint).run(listener));
        Ok(node)
    }

    /// Works until `shutdown` is done. Containers go on running after that.
    pub async fn run(mut self, shutdown: impl Future<Output = ()>) {
        tokio::pin!(shutdown);
        self.take_desired();
        loop {
            tokio::select! {
                () = &mut shutdown => break,
                changed = self.desired.changed() => match changed {
                    Ok(()) => self.take_desired(),
                    Err(_) => break,
                },
                exit = self.exits.recv() => match exit {
                    Some(exit) => self.exited(exit).await,
                    None => break,
                },
                _ended = self.endpoint.join_next() => {
                    tracing::error!("the tasks' endpoint ended: the agent ends");
                    break;
                }
                Some(ended) = self.actors.join_next() => {
                    // A task without its owner would hang for ever: a new start finds it again.
                    if let Err(error) = self.ended(ended) {
                        tracing::error!(%error, "a task's actor ended wrongly: the agent ends");
                        break;
                    }
                }
            }
        }
        self.endpoint.shutdown().await;
        self.actors.shutdown().await;
        let Self { shared, handles, reporter, .. } = self;
        drop((shared, handles));
        if tokio::time::timeout(FAREWELL, reporter).await.is_err() {
            tracing::info!("last reports are sent again at the next start");
        }
    }

    /// Tells every actor what is wanted of its task.
    fn take_desired(&mut self) {
        let desired = Arc::clone(&self.desired.borrow_and_update());
        if self.generation.is_some_and(|generation| desired.generation <= generation) {
            return;
        }
        self.generation = Some(desired.generation);
        for assignment in &desired.tasks {
            match self.handles.get(&assignment.task_id) {
                Some(handle) => {
                    handle.wanted.send_if_modified(|wanted| {
                        let changed = wanted
                            .as_ref()
                            .is_none_or(|known| known.desired_status != assignment.desired_status);
                        if changed {
                            *wanted = Some(Arc::clone(assignment));
                        }
                        changed
                    });
                }
                None => self.begin(new_record(assignment)),
            }
        }
        for (task_id, handle) in &self.handles {
            let known = desired
                .tasks
                .binary_search_by(|assignment| assignment.task_id.as_str().cmp(task_id))
                .is_ok();
            if !known {
                handle.wanted.send_if_modified(|wanted| wanted.take().is_some());
            }
        }
    }

    fn begin(&mut self, record: TaskRecord) {
        let task_id = record.assignment.task_id.clone();
        let (actor, handle) = Actor::new(Arc::clone(&self.shared), record);
        self.actors.spawn(actor.run());
        self.handles.insert(task_id, handle);
    }

    async fn exited(&mut self, exit: ContainerExit) {
        if let Some(handle) = self.handles.get(&exit.container.task_id) {
            // An actor that has ended has nothing more to learn.
            let _ended = handle.mailbox.send(Message::Exited(exit)).await;
        }
    }

    fn ended(&mut self, ended: Result<String, JoinError>) -> Result<(), JoinError> {
        self.handles.remove(&ended?);
        // It may have been asked for again while it ended.
        self.generation = None;
        self.take_desired();
        Ok(())
    }
}

fn new_record(assignment: &Arc<Assignment>) -> TaskRecord {
    let containers = assignment.containers.iter();
    TaskRecord {
        assignment: Arc::clone(assignment),
        state: TaskState::new(
            containers.map(|container| (container.name.clone(), container.id.clone())),
        ),
        sequence: 0,
    }
}

/// What tasks speak to.
fn endpoint(
    config: &NodeConfig,
    dependencies: &NodeDependencies,
    identity: &Identity,
) -> std::io::Result<Endpoint> {
    let NodeDependencies { control_plane, runtime, clock, ids, .. } = dependencies;
    let instance_id = identity.instance_id.clone();
    let keeper = RoleKeeper::new(Arc::clone(control_plane), Arc::clone(clock), instance_id.clone());
    Ok(Endpoint {
        tasks: Arc::default(),
        keeper: Arc::new(keeper),
        tokens: Arc::new(TaskTokens::open(&config.directory, ids.as_ref())?),
        refusals: Arc::default(),
        runtime: Arc::clone(runtime),
        control_plane: Arc::clone(control_plane),
        clock: Arc::clone(clock),
        instance_id,
        zone: config.zone.clone(),
    })
}

fn registration(
    config: &NodeConfig,
    identity: Identity,
    resources: domain::Resources,
) -> Registration {
    Registration {
        protocol_version: PROTOCOL_VERSION,
        instance_id: identity.instance_id,
        cluster: config.cluster.clone(),
        ec2_instance_id: identity.ec2_instance_id,
        agent_version: config.agent_version.clone(),
        resources,
        attributes: machine::attributes(&config.zone),
        fargate_isolation: config.fargate_isolation.clone(),
        system: machine::system(),
    }
}

/// Brings the records up to what the runtime has, follows the output of what is there, and
/// removes what belongs to no record. Returns the tasks whose namespaces exist.
async fn take_up(drivers: &Drivers, records: &mut [TaskRecord]) -> Result<Vec<String>, NodeError> {
    let now = drivers.clock.now();
    let recovered = drivers.runtime.recover().await.map_err(NodeError::Runtime)?;
    let mut found: BTreeMap<String, Vec<FoundContainer>> = BTreeMap::new();
    let mut present: Vec<String> =
        recovered.sandboxes.iter().map(|sandbox| sandbox.task_id.clone()).collect();
    for (id, state) in recovered.containers {
        present.push(id.task_id.clone());
        let Some(record) = records.iter().find(|record| record.assignment.task_id == id.task_id)
        else {
            continue;
        };
        let Some((attempt, name)) = parse_container_name(&id.name) else { continue };
        let containers = &record.assignment.spec.containers;
        let Some(container) = containers.iter().position(|spec| spec.name == name) else {
            continue;
        };
        if let Some(spec) = containers.get(container) {
            drivers.logs.follow(&drivers.runtime, &id, log_source(&record.assignment, spec));
        }
        let runtime_id = id.to_string();
        let survivor = match state {
            RecoveredState::Created => None,
            RecoveredState::Running(started) => Some((started.started_at, None)),
            RecoveredState::Exited(exit) => {
                let started_at = exit.started_at.unwrap_or(exit.finished_at);
                Some((started_at, as_exit(container, attempt, exit)))
            }
        };
        if let Some((started_at, exit)) = survivor {
            let survivor = FoundContainer { container, attempt, runtime_id, started_at, exit };
            found.entry(id.task_id).or_default().push(survivor);
        }
    }
    for record in records.iter_mut() {
        let found = found.remove(&record.assignment.task_id).unwrap_or_default();
        recover(&record.assignment.spec, &mut record.state, &found, now);
    }
    present.sort();
    present.dedup();
    for task_id in &present {
        let known = records.iter().any(|record| record.assignment.task_id == *task_id);
        if !known {
            tracing::warn!(task = task_id, "remains of an unknown task are removed");
            drivers.runtime.remove_task(task_id).await.map_err(NodeError::Runtime)?;
        }
    }
    Ok(recovered.sandboxes.into_iter().map(|sandbox| sandbox.task_id).collect())
}

fn as_exit(
    container: usize,
    attempt: u32,
    exit: ContainerExit,
) -> Option<(i32, Option<String>, base::Timestamp)> {
    match exit_event(container, attempt, exit) {
        Event::ContainerExited { exit_code, reason, at, .. } => Some((exit_code, reason, at)),
        Event::ImagesResolved { .. }
        | Event::ImageFailed { .. }
        | Event::SandboxReady { .. }
        | Event::SandboxFailed { .. }
        | Event::SandboxRemoved
        | Event::ContainerStarted { .. }
        | Event::ContainerFailed { .. }
        | Event::HealthProbed { .. } => None,
    }
}

/// Reconciles the network with the tasks that are there. A task that has lost its network stops.
async fn attach_again(
    drivers: &Drivers,
    records: &mut [TaskRecord],
    sandboxes: &[String],
) -> Result<(), NodeError> {
    let live: Vec<String> = records
        .iter()
        .filter(|record| record.state.sandbox != SandboxPhase::Removed)
        .map(|record| record.assignment.task_id.clone())
        .filter(|task_id| sandboxes.contains(task_id))
        .collect();
    let recovery = drivers.network.recover(&live).await.map_err(NodeError::Network)?;
    let now = drivers.clock.now();
    for record in records.iter_mut() {
        let task_id = &record.assignment.task_id;
        let ready = record.state.sandbox == SandboxPhase::Ready;
        if ready && !recovery.kept.contains_key(task_id) {
            let reason = "ContainerNetworkingError: the task's network was gone when the agent came \
                          back: the machine was restarted, or somebody removed it";
            let event = Event::SandboxFailed { reason: reason.to_owned() };
            apply(&record.assignment.spec, &mut record.state, event, now);
        }
    }
    let mut attached = drivers.attached.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    *attached = recovery.kept;
    Ok(())
}
