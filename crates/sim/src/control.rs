//! A control plane: one process of the product's own code, and what nodes ask of it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use base::{IdSource as _, Scope, Timestamp};
use controllers::{Janitor, NodeLink, RoleUse, ServiceController, TaskSessions};
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Either, select};
use invariants::Actor;
use node_proto::{
    ControlPlane as _, CredentialError, DesiredSet, LinkError, RefusedAttempt, RoleCredentials,
};
use operation::{Call, Outcome, Service as _};
use service_ecs::{EcsContext, EcsService, Placements, Registrations};
use state::{Change, State, StateError};
use store::{MemoryStore, Store};
use tokio::sync::watch;

use crate::env::Env;
use crate::executor::{Executor, lock};
use crate::link::{Down, Envelope, Up};
use crate::store::SimStore;

/// How long a poll for the desired set waits for news, as in the node link.
const POLL_MS: i64 = 20_000;
/// A node that has not been heard of for this long is not connected, as in the node link.
const SILENCE_MS: i64 = 75_000;
const SWEEP_MS: i64 = 5_000;
/// How often the janitor looks, as it does itself.
const JANITOR_MS: i64 = 30_000;

/// Messages on their way to nodes.
pub(crate) type Outbox = Arc<Mutex<Vec<Envelope>>>;

/// Account and region of every world.
pub(crate) fn scope() -> Scope {
    let region = "eu-west-1".parse();
    let account = "000000000000".parse();
    match (region, account) {
        (Ok(region), Ok(account)) => Scope { region, account },
        (Err(_), _) | (_, Err(_)) => std::process::abort(),
    }
}

/// Nobody in a world acts with a role.
#[derive(Debug)]
struct NoSessions;

impl TaskSessions for NoSessions {
    fn assume<'a>(
        &'a self,
        _: &'a RoleUse,
    ) -> BoxFuture<'a, Result<RoleCredentials, CredentialError>> {
        let reason = "there are no roles in this world".to_owned();
        std::future::ready(Err(CredentialError::Unavailable { reason })).boxed()
    }

    fn refused<'a>(
        &'a self,
        _: &'a str,
        _: Option<String>,
        _: &'a RefusedAttempt,
    ) -> BoxFuture<'a, Result<(), LinkError>> {
        std::future::ready(Ok(())).boxed()
    }
}

#[derive(Debug)]
struct Session {
    number: u64,
    heard: Timestamp,
    receiver: Option<watch::Receiver<Arc<DesiredSet>>>,
}

/// One life of the control plane.
#[derive(Debug)]
pub(crate) struct Control {
    env: Arc<Env>,
    store: Arc<SimStore>,
    pub(crate) state: Arc<State>,
    link: Arc<NodeLink>,
    ecs: Arc<EcsService>,
    sessions: Arc<Mutex<BTreeMap<String, Session>>>,
    outbox: Outbox,
    /// Set when the process cannot go on.
    pub(crate) broken: Arc<Mutex<Option<String>>>,
}

impl Control {
    /// Starts the process; `None` when it cannot read the store now.
    pub(crate) fn start(
        env: &Arc<Env>,
        memory: &Arc<MemoryStore>,
        executor: &mut Executor,
        outbox: &Outbox,
    ) -> Option<Self> {
        let store = SimStore::new(Arc::clone(env), Arc::clone(memory));
        let opened = State::open(Arc::clone(&store) as Arc<dyn Store>).now_or_never()?;
        let (state, follower) = opened.ok()?;
        store.seen_by(&state);
        let broken = Arc::new(Mutex::new(None));
        let reason = Arc::clone(&broken);
        executor.spawn(Actor::Other, async move {
            let ended = follower.run().await;
            *lock(&reason) = Some(format!("the state is not followed any more: {ended:?}"));
        });
        let clock: Arc<dyn base::Clock> = env.clock.clone();
        let ids: Arc<dyn base::IdSource> = env.ids.clone();
        let link =
            NodeLink::new(Arc::clone(&state), Arc::clone(&clock), scope(), Arc::new(NoSessions));
        let link = Arc::new(link);
        executor.spawn(Actor::NodeLink, Arc::clone(&link).run());
        let controller =
            ServiceController::new(Arc::clone(&state), Arc::clone(&clock), Arc::clone(&ids));
        executor.spawn(Actor::Services, run_controller(Arc::clone(env), controller));
        let janitor = Janitor::new(Arc::clone(&state), Arc::clone(&clock));
        let timers = Arc::clone(&env.timers);
        executor.spawn(Actor::Other, async move {
            loop {
                timers.sleep_ms(JANITOR_MS).await;
                janitor.sweep().await;
            }
        });
        let ecs = EcsService::new(EcsContext {
            state: Arc::clone(&state),
            clock,
            ids,
            scope: scope(),
            guard_mode: guard::Mode::Audit,
            registrations: Registrations::default(),
            placements: Placements::default(),
        });
        let now = env.now();
        let expected = {
            let view = state.view();
            let connected = view.instances().filter(|instance| instance.agent_connected);
            let session = || Session { number: 0, heard: now, receiver: None };
            connected.map(|instance| (instance.id.clone(), session())).collect()
        };
        let control = Self {
            env: Arc::clone(env),
            store,
            state,
            link,
            ecs: Arc::new(ecs),
            sessions: Arc::new(Mutex::new(expected)),
            outbox: Arc::clone(outbox),
            broken,
        };
        executor.spawn(Actor::NodeLink, control.sweep());
        Some(control)
    }

    /// The process dies here and now.
    pub(crate) fn die(&self) {
        self.store.die();
    }

    /// The operation of this name.
    pub(crate) fn operation(&self, name: &str) -> Result<&'static str, String> {
        let info = self.ecs.api().operation(name);
        info.map(|info| info.name).map_err(|error| error.to_string())
    }

    /// Performs a call of an operation.
    pub(crate) fn call(
        &self,
        operation: &'static str,
        body: String,
    ) -> impl Future<Output = Outcome> + use<> {
        let scope = scope();
        let mut caller = policy::Caller::root(scope.account, scope.region, self.env.now());
        caller.request_id = self.env.ids.uuid().into();
        let ecs = Arc::clone(&self.ecs);
        async move { ecs.call(Call { operation, caller, body: body.into() }).await }
    }

    /// How many tasks the nodes that are registered have been told of.
    pub(crate) fn assigned(&self) -> usize {
        let sessions = lock(&self.sessions);
        let sets = sessions.values().filter_map(|session| session.receiver.as_ref());
        sets.map(|receiver| receiver.borrow().tasks.len()).sum()
    }

    /// Takes in a node's message; what it leads to is spawned.
    pub(crate) fn take(&self, executor: &mut Executor, node: String, message: Up) {
        let (link, outbox) = (Arc::clone(&self.link), Arc::clone(&self.outbox));
        let (sessions, env) = (Arc::clone(&self.sessions), Arc::clone(&self.env));
        if let Some(session) = lock(&sessions).get_mut(&node) {
            session.heard = self.env.now();
        }
        executor.spawn(Actor::NodeLink, async move {
            let answer = match message {
                Up::Register { request, registration } => {
                    let registered = link.register(*registration).await;
                    registered_answer(&env, &sessions, &node, request, registered)
                }
                Up::Poll { request, session, after } => {
                    poll(&env, &sessions, &node, (request, session, after)).await
                }
                Up::Report { request, reports } => {
                    let taken = link.report(reports).await.is_ok();
                    Down::Reported { request, taken }
                }
            };
            lock(&outbox).push(Envelope { node, message: answer });
        });
    }

    /// Notes in the state which nodes have fallen silent.
    fn sweep(&self) -> impl Future<Output = ()> + use<> {
        let (env, sessions) = (Arc::clone(&self.env), Arc::clone(&self.sessions));
        let state = Arc::clone(&self.state);
        async move {
            loop {
                env.timers.sleep_ms(SWEEP_MS).await;
                let now = env.now();
                let silent: Vec<String> = lock(&sessions)
                    .extract_if(.., |_, one| now.ms_since(one.heard) > SILENCE_MS)
                    .map(|(id, _)| id)
                    .collect();
                for id in silent {
                    env.tell(&format!("node {id} is not heard of any more"));
                    disconnected(&state, &id).await;
                }
            }
        }
    }
}

async fn disconnected(state: &State, id: &str) {
    loop {
        let mut change = Change::new();
        {
            let view = state.view();
            let Some(row) = view.instance(id).filter(|row| row.agent_connected) else { return };
            let mut instance = row.value.as_ref().clone();
            instance.agent_connected = false;
            instance.version = instance.version.saturating_add(1);
            change.update(row, &instance);
        }
        match state.commit(change).await {
            Err(StateError::Conflict { .. }) => {}
            Ok(_) | Err(_) => return,
        }
    }
}

async fn run_controller(env: Arc<Env>, mut controller: ServiceController) {
    loop {
        let next = controller.work().await;
        let sleep = env.timers.sleep_until(next);
        match select(Box::pin(controller.touched()), sleep).await {
            Either::Left(_) | Either::Right(_) => {}
        }
    }
}

fn registered_answer(
    env: &Env,
    sessions: &Mutex<BTreeMap<String, Session>>,
    node: &str,
    request: u64,
    registered: Result<watch::Receiver<Arc<DesiredSet>>, LinkError>,
) -> Down {
    match registered {
        Ok(mut receiver) => {
            let desired = Arc::clone(&receiver.borrow_and_update());
            let number = env.ids.next_u64();
            let session = Session { number, heard: env.now(), receiver: Some(receiver) };
            lock(sessions).insert(node.to_owned(), session);
            Down::Registered { request, session: number, desired }
        }
        Err(LinkError::Refused { reason }) => Down::Refused { request, reason },
        Err(LinkError::Unavailable { .. }) => Down::Unavailable { request },
    }
}

async fn poll(
    env: &Arc<Env>,
    sessions: &Mutex<BTreeMap<String, Session>>,
    node: &str,
    (request, session, after): (u64, u64, u64),
) -> Down {
    let receiver = lock(sessions)
        .get(node)
        .filter(|known| known.number == session)
        .and_then(|known| known.receiver.clone());
    let Some(mut receiver) = receiver else { return Down::Stranger { request } };
    let end = env.now().plus_ms(POLL_MS);
    loop {
        let newest = Arc::clone(&receiver.borrow_and_update());
        if newest.generation != after {
            return Down::Desired { request, desired: Some(newest) };
        }
        match select(Box::pin(receiver.changed()), env.timers.sleep_until(end)).await {
            Either::Left((Ok(()), _)) => {}
            Either::Left((Err(_), _)) => return Down::Unavailable { request },
            Either::Right(_) => return Down::Desired { request, desired: None },
        }
    }
}
