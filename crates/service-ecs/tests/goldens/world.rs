//! A control plane in this process: everything but sockets, disks and chance.

use std::sync::Arc;

use base::{Clock, ManualClock, SeededIds};
use domain::{ContainerInstance, ContainerInstanceStatus, Resources, Task};
use operation::Service;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use service_ecs::{EcsContext, EcsService, Placements, Registrations};
use state::{Change, State};
use store::{HistoryLimits, MemoryStore, NoFaults};
use wire::Response;

/// A service over an empty state.
pub(crate) struct World {
    /// The service.
    pub(crate) service: EcsService,
    /// Its time; [`goldens::START`] at first.
    pub(crate) clock: Arc<ManualClock>,
}

impl goldens::World for World {
    fn service(&self) -> &dyn Service {
        &self.service
    }

    fn clock(&self) -> &ManualClock {
        &self.clock
    }

    async fn set_up(&self, name: &str, members: &Value) {
        match name {
            "container_instance" => self.register(members).await,
            "task" => self.change_tasks(members).await,
            other => panic!("no step has a member `{other}`"),
        }
    }
}

impl World {
    /// An empty one.
    pub(crate) async fn new() -> Self {
        let store = MemoryStore::new(HistoryLimits::default(), Arc::new(NoFaults));
        let (state, follower) = State::open(Arc::new(store)).await.unwrap();
        tokio::spawn(follower.run());
        let clock = Arc::new(ManualClock::new(goldens::START));
        let service = EcsService::new(EcsContext {
            state,
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            ids: Arc::new(SeededIds::new(1)),
            scope: goldens::scope(),
            guard_mode: guard::Mode::Enforce,
            registrations: Registrations::default(),
            placements: Placements::default(),
        });
        Self { service, clock }
    }

    /// The same control plane, started with another guard mode.
    pub(crate) fn with_guard_mode(&self, guard_mode: guard::Mode) -> Self {
        let context = EcsContext { guard_mode, ..self.service.context().clone() };
        Self { service: EcsService::new(context), clock: Arc::clone(&self.clock) }
    }

    /// Calls `operation` with `body`.
    pub(crate) async fn call(&self, operation: &str, body: String) -> Response {
        goldens::call(&self.service, operation, body).await
    }

    /// Registers an instance of 2 vCPU and 4 GiB with `members` over the usual ones.
    pub(crate) async fn register(&self, members: &Value) {
        let instance = ContainerInstance {
            id: "0123456789abcdef0123456789abcdef".to_owned(),
            cluster: "default".to_owned(),
            status: ContainerInstanceStatus::Active,
            status_reason: None,
            agent_connected: true,
            agent_version: "1.0.0".to_owned(),
            registered: Resources {
                cpu_units: 2048,
                memory_mib: 4096,
                ports: [(22, domain::Protocol::Tcp)].into(),
            },
            attributes: [
                ("ecs.os-type".to_owned(), Some("linux".to_owned())),
                ("ecs.cpu-architecture".to_owned(), Some("x86_64".to_owned())),
            ]
            .into(),
            registered_at: self.clock.now(),
            ec2_instance_id: "i-0123456789abcdef0".to_owned(),
            fargate_isolation: None,
            system: Default::default(),
            tags: Default::default(),
            version: 1,
        };
        let mut change = Change::new();
        change.create(&with(&instance, members));
        self.state().commit(change).await.unwrap();
    }

    /// Changes every task.
    pub(crate) async fn change_tasks(&self, members: &Value) {
        let mut change = Change::new();
        for row in self.state().view().tasks() {
            let task: Task = with(row.value.as_ref(), members);
            change.update(row, &task);
        }
        self.state().commit(change).await.unwrap();
    }

    fn state(&self) -> &State {
        &self.service.context().state
    }
}

/// `record` with `members` instead of its own.
fn with<T: Serialize + DeserializeOwned>(record: &T, members: &Value) -> T {
    let mut value = serde_json::to_value(record).unwrap();
    let (Value::Object(all), Value::Object(members)) = (&mut value, members) else {
        panic!("an object of members is needed, not {members}");
    };
    for (name, member) in members {
        assert!(all.insert(name.clone(), member.clone()).is_some(), "no member `{name}`");
    }
    serde_json::from_value(value).unwrap()
}
