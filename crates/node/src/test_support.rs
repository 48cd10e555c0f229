//! A task, a control plane and a runtime for the tests of this crate.

#![expect(
    clippy::unreachable,
    reason = "clippy knows a test by its attribute, and these are their helpers"
)]

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use base::{Clock, ManualClock, Timestamp};
use domain::{
    ContainerSpec, DesiredStatus, LaunchType, NetworkMode, Tags, TaskDefinitionId, TaskSpec,
};
use futures_util::future::{BoxFuture, ready};
use node_proto::{
    Assignment, ContainerIdentity, ControlPlane, CredentialError, CredentialRequest, DesiredSet,
    LinkError, Purpose, RefusedAttempts, Registration, RoleCredentials, Secret, TagsRequest,
    TaskReport, TaskTags,
};
use runtime_oci::{
    ContainerExit, ContainerId, ContainerOutput, ContainerStats, ExecOutcome, ExecSpec, Position,
    Recovered, Runtime, RuntimeError, Sandbox, SandboxSpec, Started,
};
use task_engine::{SandboxPhase, TaskState};
use tokio::sync::{mpsc, watch};

pub(crate) const ROLE: &str = "arn:aws:iam::000000000000:role/app";

/// A task of two containers, `web` and `log`, with a task role.
pub(crate) fn assignment(task_id: &str) -> Assignment {
    let container = |name: &str| ContainerSpec {
        name: name.to_owned(),
        image: format!("{name}:1"),
        memory_mib: Some(32),
        ..ContainerSpec::default()
    };
    let identity =
        |name: &str| ContainerIdentity { name: name.to_owned(), id: format!("{task_id}-{name}") };
    Assignment {
        task_id: task_id.to_owned(),
        task_arn: format!("arn:aws:ecs:eu-west-1:000000000000:task/c/{task_id}"),
        cluster: "c".to_owned(),
        task_definition: TaskDefinitionId { family: "f".to_owned(), revision: 3 },
        desired_status: DesiredStatus::Running,
        launch_type: LaunchType::Ec2,
        service: Some("shop".to_owned()),
        spec: TaskSpec {
            containers: vec![container("web"), container("log")],
            volumes: Vec::new(),
            network_mode: NetworkMode::Awsvpc,
            cpu_units: Some(512),
            memory_mib: None,
            task_role_arn: Some(ROLE.to_owned()),
            execution_role_arn: None,
            ephemeral_storage_mib: None,
            compatible_with_ec2: true,
            compatible_with_fargate: false,
            placement_expressions: Vec::new(),
        },
        containers: vec![identity("web"), identity("log")],
        default_log_group: "/ecs/f".to_owned(),
        created_at: Timestamp::default(),
    }
}

/// The task with its network at `address` and containers that wait.
pub(crate) fn ready_state(assignment: &Assignment, address: &str) -> TaskState {
    let containers = assignment.containers.iter();
    let mut state =
        TaskState::new(containers.map(|container| (container.name.clone(), container.id.clone())));
    state.sandbox = SandboxPhase::Ready;
    state.address = Some(address.to_owned());
    state.mac_address = Some("02:50:0a:d5:00:02".to_owned());
    state
}

/// Gives credentials for an hour, or says what it was told to.
#[derive(Debug)]
pub(crate) struct FakeControlPlane {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) asked: Mutex<Vec<Purpose>>,
    pub(crate) answer: Mutex<Option<CredentialError>>,
    pub(crate) refused: mpsc::UnboundedSender<RefusedAttempts>,
}

impl ControlPlane for FakeControlPlane {
    fn register(
        &self,
        _registration: Registration,
    ) -> BoxFuture<'_, Result<watch::Receiver<Arc<DesiredSet>>, LinkError>> {
        unreachable!("nobody joins")
    }

    fn report(&self, _reports: Vec<TaskReport>) -> BoxFuture<'_, Result<(), LinkError>> {
        unreachable!("nothing is reported")
    }

    fn credentials(
        &self,
        request: CredentialRequest,
    ) -> BoxFuture<'_, Result<RoleCredentials, CredentialError>> {
        let mut asked = self.asked.lock().unwrap();
        asked.push(request.purpose);
        let answer = match self.answer.lock().unwrap().clone() {
            Some(error) => Err(error),
            None => Ok(RoleCredentials {
                role_arn: ROLE.to_owned(),
                access_key_id: format!("ASIA{}", asked.len()),
                secret_access_key: Secret::new("secret".to_owned()),
                session_token: Secret::new("session".to_owned()),
                issued_at: self.clock.now(),
                expires_at: self.clock.now().plus_seconds(3600),
            }),
        };
        Box::pin(ready(answer))
    }

    fn refused(&self, attempts: RefusedAttempts) -> BoxFuture<'_, Result<(), LinkError>> {
        self.refused.send(attempts).unwrap();
        Box::pin(ready(Ok(())))
    }

    fn tags(&self, _request: TagsRequest) -> BoxFuture<'_, Result<TaskTags, LinkError>> {
        let tags = TaskTags {
            task: Tags::from([("team".to_owned(), "blue".to_owned())]),
            container_instance: Tags::new(),
        };
        Box::pin(ready(Ok(tags)))
    }
}

/// Knows what containers use, and nothing else.
#[derive(Debug)]
pub(crate) struct FakeRuntime;

impl Runtime for FakeRuntime {
    fn create_sandbox(&self, _: SandboxSpec) -> BoxFuture<'_, Result<Sandbox, RuntimeError>> {
        unreachable!()
    }

    fn remove_sandbox<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<(), RuntimeError>> {
        unreachable!()
    }

    fn create_volume<'a>(
        &'a self,
        _: &'a str,
        _: &'a str,
    ) -> BoxFuture<'a, Result<PathBuf, RuntimeError>> {
        unreachable!()
    }

    fn create_container(
        &self,
        _: runtime_oci::ContainerSpec,
    ) -> BoxFuture<'_, Result<(), RuntimeError>> {
        unreachable!()
    }

    fn start_container<'a>(
        &'a self,
        _: &'a ContainerId,
    ) -> BoxFuture<'a, Result<Started, RuntimeError>> {
        unreachable!()
    }

    fn signal<'a>(&'a self, _: &'a ContainerId, _: i32) -> BoxFuture<'a, Result<(), RuntimeError>> {
        unreachable!()
    }

    fn exec<'a>(
        &'a self,
        _: &'a ContainerId,
        _: ExecSpec,
    ) -> BoxFuture<'a, Result<ExecOutcome, RuntimeError>> {
        unreachable!()
    }

    fn exits(&self) -> Option<mpsc::Receiver<ContainerExit>> {
        unreachable!()
    }

    fn recover(&self) -> BoxFuture<'_, Result<Recovered, RuntimeError>> {
        unreachable!()
    }

    fn output(
        &self,
        _: &ContainerId,
        _: Option<Position>,
    ) -> Result<ContainerOutput, RuntimeError> {
        unreachable!()
    }

    fn stats<'a>(
        &'a self,
        id: &'a ContainerId,
    ) -> BoxFuture<'a, Result<ContainerStats, RuntimeError>> {
        let stats = if id.name.ends_with("-web") {
            Ok(ContainerStats { cpu_usage_ns: 7, memory_bytes: 8, pids: 9 })
        } else {
            Err(RuntimeError::NoSuchContainer(id.clone()))
        };
        Box::pin(ready(stats))
    }

    fn delete_container<'a>(
        &'a self,
        _: &'a ContainerId,
    ) -> BoxFuture<'a, Result<(), RuntimeError>> {
        unreachable!()
    }

    fn remove_task<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<(), RuntimeError>> {
        unreachable!()
    }
}
