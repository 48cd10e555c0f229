//! The control plane's end of the link to nodes.

mod credentials;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use base::{Clock, Scope};
use domain::{
    Cluster, ClusterStatus, ContainerInstance, ContainerInstanceStatus, Document, Tags, Task,
};
use futures_util::future::BoxFuture;
use node_proto::{
    Assignment, ContainerIdentity, ControlPlane, CredentialError, CredentialRequest, DesiredSet,
    LinkError, PROTOCOL_VERSION, RefusedAttempts, Registration, RoleCredentials, TagsRequest,
    TaskReport, TaskTags,
};
use state::{Change, Row, State, StateError, Subscription, Touched, View};
use tokio::sync::watch;

pub use credentials::{RoleUse, TaskSessions};

/// How often a report is tried again when others changed the same tasks meanwhile.
const MAX_ATTEMPTS: usize = 20;
/// Reports in one transaction at most (two operations each).
const MAX_REPORTS: usize = 60;

/// Desired sets of the nodes that have joined.
type Nodes = BTreeMap<String, Node>;

#[derive(Debug)]
struct Node {
    desired: watch::Sender<Arc<DesiredSet>>,
    /// Assignments made before, by task: they never change but for the desired status.
    assignments: BTreeMap<String, Arc<Assignment>>,
}

/// Tells nodes their desired sets and takes in what they report.
#[derive(Debug)]
pub struct NodeLink {
    state: Arc<State>,
    clock: Arc<dyn Clock>,
    scope: Scope,
    sessions: Arc<dyn TaskSessions>,
    nodes: Mutex<Nodes>,
}

impl NodeLink {
    /// A link without nodes; tasks get their credentials from `sessions`.
    pub fn new(
        state: Arc<State>,
        clock: Arc<dyn Clock>,
        scope: Scope,
        sessions: Arc<dyn TaskSessions>,
    ) -> Self {
        Self { state, clock, scope, sessions, nodes: Mutex::default() }
    }

    /// Keeps the desired sets of all nodes up to date, until it is dropped.
    pub async fn run(self: Arc<Self>) {
        let mut subscription: Subscription = self.state.subscribe();
        loop {
            for touched in subscription.next().await {
                match touched {
                    Touched::Instance { id } | Touched::TasksOn { instance: id } => {
                        self.publish(&id);
                        crash_point::crash_point!("link.set.published");
                    }
                    Touched::Service { .. } => {}
                }
            }
        }
    }

    fn publish(&self, instance: &str) {
        let view = self.state.view();
        let generation = self.state.revision().0;
        let mut nodes = self.nodes.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(node) = nodes.get_mut(instance) else { return };
        let mut assignments = BTreeMap::new();
        for task in view.tasks_on(instance) {
            let known = node.assignments.get(&task.id);
            let assignment = match known {
                Some(known) if known.desired_status == task.desired_status => Arc::clone(known),
                Some(known) => Arc::new(Assignment {
                    desired_status: task.desired_status,
                    ..known.as_ref().clone()
                }),
                None => match assignment(&view, &self.scope, task) {
                    Some(assignment) => Arc::new(assignment),
                    None => continue,
                },
            };
            assignments.insert(task.id.clone(), assignment);
        }
        let tasks: Vec<_> = assignments.values().cloned().collect();
        node.assignments = assignments;
        // Only a node's own observations may have changed: then there is nothing to tell it.
        node.desired.send_if_modified(|desired| {
            let changed = desired.tasks.len() != tasks.len()
                || desired.tasks.iter().zip(&tasks).any(|(old, new)| !Arc::ptr_eq(old, new));
            if changed {
                // The view may be newer than the revision read beside it: a node takes only what
                // is newer than what it has.
                let generation = generation.max(desired.generation.saturating_add(1));
                *desired = Arc::new(DesiredSet { generation, tasks });
            }
            changed
        });
    }

    async fn join(
        &self,
        registration: Registration,
    ) -> Result<watch::Receiver<Arc<DesiredSet>>, LinkError> {
        if registration.protocol_version != PROTOCOL_VERSION {
            return Err(LinkError::Refused {
                reason: format!(
                    "it speaks version {} of the node protocol and the control plane version \
                     {PROTOCOL_VERSION}: run the same version of the program on both",
                    registration.protocol_version
                ),
            });
        }
        self.retry(|view, change| self.register_in(view, &registration, change)).await?;
        let id = registration.instance_id;
        let receiver = {
            let mut nodes = self.nodes.lock().unwrap_or_else(PoisonError::into_inner);
            let node = nodes.entry(id.clone()).or_insert_with(|| Node {
                desired: watch::Sender::new(Arc::new(DesiredSet::default())),
                assignments: BTreeMap::new(),
            });
            node.desired.subscribe()
        };
        self.publish(&id);
        Ok(receiver)
    }

    fn register_in(
        &self,
        view: &View,
        registration: &Registration,
        change: &mut Change,
    ) -> Result<(), LinkError> {
        let known = view.instance(&registration.instance_id);
        if known.is_some_and(|known| known.status == ContainerInstanceStatus::Inactive) {
            return Err(LinkError::Refused {
                reason: format!(
                    "container instance {} was deregistered: remove the node's identity file to \
                     let it join as a new one",
                    registration.instance_id
                ),
            });
        }
        let cluster = view.cluster(&registration.cluster);
        if cluster.is_none_or(|cluster| cluster.status != ClusterStatus::Active) {
            change.put(cluster, &new_cluster(&registration.cluster));
        }
        let custom = known.map(|known| known.attributes.clone()).unwrap_or_default();
        let mut attributes: BTreeMap<_, _> = custom
            .into_iter()
            .filter(|(name, _)| !name.starts_with("ecs.") && !name.starts_with("com.amazonaws."))
            .collect();
        attributes.extend(registration.attributes.iter().cloned());
        let instance = ContainerInstance {
            id: registration.instance_id.clone(),
            cluster: registration.cluster.clone(),
            status: known.map_or(ContainerInstanceStatus::Active, |known| known.status),
            status_reason: known.and_then(|known| known.status_reason.clone()),
            agent_connected: true,
            agent_version: registration.agent_version.clone(),
            registered: registration.resources.clone(),
            attributes,
            registered_at: known.map_or_else(|| self.clock.now(), |known| known.registered_at),
            ec2_instance_id: registration.ec2_instance_id.clone(),
            fargate_isolation: registration.fargate_isolation.clone(),
            system: registration.system.iter().cloned().collect(),
            tags: known.map(|known| known.tags.clone()).unwrap_or_default(),
            version: known.map_or(1, |known| known.version.saturating_add(1)),
        };
        change.put(known, &instance);
        Ok(())
    }

    async fn take_in(&self, reports: Vec<TaskReport>) -> Result<(), LinkError> {
        for reports in reports.chunks(MAX_REPORTS) {
            self.retry(|view, change| {
                self.observe_in(view, reports, change);
                Ok(())
            })
            .await?;
        }
        Ok(())
    }

    fn observe_in(&self, view: &View, reports: &[TaskReport], change: &mut Change) {
        // Several reports of one task build on each other.
        let mut observed: BTreeMap<&str, Task> = BTreeMap::new();
        for report in reports {
            let Some(row) = view.task(&report.task_id) else { continue };
            let known = observed.get(report.task_id.as_str()).unwrap_or(row.value.as_ref());
            if let Some(task) = self.observe(known, report) {
                observed.insert(&report.task_id, task);
            }
        }
        for (id, task) in &observed {
            if let Some(row) = view.task(id) {
                change.update(row, task);
            }
        }
    }

    /// The task after a report, where that changes it.
    fn observe(&self, known: &Task, report: &TaskReport) -> Option<Task> {
        let mut task = known.clone();
        match task.observe(report.observation.clone(), self.clock.now()) {
            Ok(false) => None,
            Ok(true) => {
                let to = (task.last_status, task.desired_status);
                if (known.last_status, known.desired_status) != to {
                    tracing::info!(
                        cluster = task.cluster,
                        task = task.id,
                        from = known.last_status.as_str(),
                        to = task.last_status.as_str(),
                        desired = task.desired_status.as_str(),
                        reason = task.stopped_reason,
                        "task changed"
                    );
                }
                Some(task)
            }
            Err(error) => {
                tracing::error!(%error, "report ignored");
                None
            }
        }
    }

    /// Builds a change on the newest state and commits it; again, when somebody was faster.
    async fn retry(
        &self,
        build: impl Fn(&View, &mut Change) -> Result<(), LinkError>,
    ) -> Result<(), LinkError> {
        let mut reason = String::new();
        for _ in 0..MAX_ATTEMPTS {
            let mut change = Change::new();
            build(&self.state.view(), &mut change)?;
            crash_point::crash_point!("link.report.taken");
            match self.state.commit(change).await {
                Ok(_) => {
                    crash_point::crash_point!("link.report.committed");
                    return Ok(());
                }
                Err(error @ (StateError::Conflict { .. } | StateError::OutcomeUnknown(_))) => {
                    reason = error.to_string();
                }
                Err(error) => return Err(LinkError::Unavailable { reason: error.to_string() }),
            }
        }
        Err(LinkError::Unavailable { reason })
    }
}

impl ControlPlane for NodeLink {
    fn register(
        &self,
        registration: Registration,
    ) -> BoxFuture<'_, Result<watch::Receiver<Arc<DesiredSet>>, LinkError>> {
        Box::pin(self.join(registration))
    }

    fn report(&self, reports: Vec<TaskReport>) -> BoxFuture<'_, Result<(), LinkError>> {
        Box::pin(self.take_in(reports))
    }

    fn credentials(
        &self,
        request: CredentialRequest,
    ) -> BoxFuture<'_, Result<RoleCredentials, CredentialError>> {
        Box::pin(self.issue(request))
    }

    fn refused(&self, attempts: RefusedAttempts) -> BoxFuture<'_, Result<(), LinkError>> {
        Box::pin(self.take_in_refused(attempts))
    }

    fn tags(&self, request: TagsRequest) -> BoxFuture<'_, Result<TaskTags, LinkError>> {
        Box::pin(std::future::ready(self.tags_of(&request)))
    }
}

fn new_cluster(name: &str) -> Cluster {
    Cluster {
        name: name.to_owned(),
        status: ClusterStatus::Active,
        deleted_at: None,
        settings: Document::default(),
        configuration: None,
        service_connect_defaults: None,
        capacity_providers: None,
        tags: Tags::new(),
    }
}

fn assignment(view: &View, scope: &Scope, task: &Row<Task>) -> Option<Assignment> {
    let Some(definition) = view.task_definition(&task.task_definition) else {
        tracing::error!(
            task = task.id,
            task_definition = %task.task_definition,
            "task cannot be sent to its node: its task definition is gone"
        );
        return None;
    };
    Some(Assignment {
        task_id: task.id.clone(),
        task_arn: scope.arn("ecs", format_args!("task/{}/{}", task.cluster, task.id)),
        cluster: task.cluster.clone(),
        task_definition: task.task_definition.clone(),
        desired_status: task.desired_status,
        launch_type: task.launch_type,
        service: task.service.clone(),
        spec: task.overrides.apply(&definition.spec),
        containers: task.containers.iter().map(ContainerIdentity::from).collect(),
        default_log_group: node_proto::default_log_group(task),
        created_at: task.created_at,
    })
}
