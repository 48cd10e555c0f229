//! Everything of one server.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ::audit::AuditRecorder;
use base::{Clock, IdSource, Scope};
use controllers::{Janitor, NodeLink, ServiceController};
use gateway::{Config, Dependencies, Gateway, Limits, RelayedCalls, ServerTls, TaskLink};
use images::ImageStore;
use logstore::LogStore;
use node_link::{NodeAuthority, NodeListener};
use node_proto::{ControlPlane, LogSink};
use prometheus_client::registry::Registry;
use state::State;
use store_redb::{Options, RedbStore};
use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::audit::{self, Audit};
use crate::client_environment::ClientEnvironment;
use crate::config::ServerConfig;
use crate::error::{RunError, StartError};
use crate::identities::Identities;
use crate::local_logs::LocalLogs;
use crate::local_node::Machine;
use crate::machine::{OsEntropy, SystemClock};
use crate::node_listener::Behind;
use crate::root_key::RootKey;
use crate::services::{Shared, services};
use crate::state_directory::StateDirectory;
use crate::stop_tasks::stop_tasks;
use crate::supervisor::Supervisor;
use crate::task_sessions::RoleSessions;
use crate::trails::{self, Copier};
use crate::{local_node, node_listener, preflight};

/// How often expired log events are deleted.
const LOG_SWEEP_INTERVAL: Duration = Duration::from_secs(60 * 60);
/// How long the parts that end in an orderly way may take: the gateway's limit and a margin.
const ORDERLY_LIMIT: Duration = Duration::from_secs(15);

/// How far the end has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Serving,
    /// No more requests; tasks may still have to stop.
    Closing,
    /// The node ends too.
    Ending,
}

/// What all parts share.
#[derive(Debug)]
pub(crate) struct Common {
    pub(crate) directory: StateDirectory,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Arc<dyn IdSource>,
    pub(crate) logs: Arc<LogStore>,
    pub(crate) identities: Identities,
    pub(crate) audit: Audit,
}

/// A server that serves. Dropping it ends everything at once; [`Server::run`] does so in order.
#[derive(Debug)]
pub struct Server {
    endpoint: String,
    node_address: Option<SocketAddr>,
    client_environment: ClientEnvironment,
    common: Common,
    state: Arc<State>,
    phase: watch::Sender<Phase>,
    service_controller: AbortHandle,
    stop_tasks: bool,
    /// End when they are told to.
    orderly: Supervisor,
    /// Work until they are dropped.
    background: Supervisor,
}

impl Server {
    /// Opens the state directory and starts everything. Requests are answered when it returns,
    /// and `client.env` is there. Blocks for short times while it opens files.
    ///
    /// # Errors
    /// [`StartError`]; nothing goes on then. Containers of an earlier program do.
    pub async fn start(config: ServerConfig) -> Result<Self, StartError> {
        if let Some(node) = &config.node {
            preflight::look(&node.shim_program).map_err(StartError::Preflight)?;
        }
        let directory =
            StateDirectory::open(&config.state_directory).map_err(StartError::StateDirectory)?;
        let ids: Arc<dyn IdSource> = Arc::new(OsEntropy);
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let root_key = root_key(&config, &directory, ids.as_ref())?;
        let logs = LogStore::open(&directory.path().join("logs"), Arc::clone(&clock));
        let logs = Arc::new(logs.map_err(StartError::Logs)?);
        let store = RedbStore::open(&directory.path().join("store"), Options::default());
        let store = Arc::new(store.map_err(StartError::Store)?);
        let (state, follower) = State::open(store).await.map_err(StartError::State)?;
        let mut background = Supervisor::default();
        background.spawn_fallible("state follower", async { Ok(follower.run().await?) });

        let root = (&root_key, config.scope.account.clone());
        let identities = Identities::open(directory.path(), &state, &clock, &ids, root);
        let identities = identities.map_err(StartError::Identity)?;
        let (audit, findings) =
            Audit::open(&directory.path().join("audit"), config.scope.clone(), &clock, &ids)
                .map_err(StartError::Audit)?;
        background.spawn("findings", audit::keep(Arc::clone(&state), findings));
        background.spawn("audit counts", audit::flush(Arc::clone(&audit.recorder)));
        let common = Common { directory, clock, ids, logs, identities, audit };
        let tls = tls(&config, &common)?;
        let ca_bundle = tls.as_ref().map(|tls| tls.authority_path().to_owned());
        let node_authority = node_listener::authority(&config, &common)?;
        let authority_digest = node_authority.as_ref().map(|known| known.digest().to_owned());
        let gateway = gateway(&config, &common, &state, tls, authority_digest).await?;
        let (address, endpoint) =
            (gateway.address(), endpoint(gateway.address(), ca_bundle.is_some()));
        let scope = config.scope.clone();
        let api_link_port = gateway.task_link_address().map(|address| address.port());
        let sessions = RoleSessions::new(&state, &common, &scope);
        let link =
            NodeLink::new(Arc::clone(&state), Arc::clone(&common.clock), scope, Arc::new(sessions));
        let link = Arc::new(link);
        let service_controller =
            spawn_background(&mut background, &common, &state, &link, &config.scope);

        let phase = watch::Sender::new(Phase::Serving);
        let mut orderly = Supervisor::default();
        let nodes = Nodes {
            link,
            task_calls: gateway.relayed_calls(),
            authority: node_authority,
            api_port: address.port(),
            api_link_port,
        };
        let node_address = nodes.start(&config, &common, &state, &phase, &mut orderly).await?;
        let told = reached(&phase, Phase::Closing);
        orderly.spawn("gateway", gateway.serve(told));
        let client_environment =
            client_environment(&config, &root_key, endpoint.clone(), ca_bundle);
        client_environment.write(common.directory.path()).map_err(StartError::ClientEnvironment)?;
        let stop_tasks = config.node.as_ref().is_some_and(|node| node.stop_tasks);
        Ok(Self {
            endpoint,
            node_address,
            client_environment,
            common,
            state,
            phase,
            service_controller,
            stop_tasks,
            orderly,
            background,
        })
    }

    /// The URL for clients on this machine.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Where nodes of other machines connect, with the port that was taken.
    pub const fn node_address(&self) -> Option<SocketAddr> {
        self.node_address
    }

    /// What is in `client.env`.
    pub const fn client_environment(&self) -> &ClientEnvironment {
        &self.client_environment
    }

    /// Works until `shutdown` is done, then ends everything in order, in bounded time. Containers
    /// go on running unless they are to be stopped.
    ///
    /// # Errors
    /// [`RunError`] when a part ended by itself; everything else was ended in order.
    pub async fn run(mut self, shutdown: impl Future<Output = ()>) -> Result<(), RunError> {
        let outcome = tokio::select! {
            () = shutdown => Ok(()),
            error = self.orderly.ended() => Err(error),
            error = self.background.ended() => Err(error),
        };
        self.phase.send_replace(Phase::Closing);
        self.service_controller.abort();
        if self.stop_tasks && outcome.is_ok() {
            tracing::info!("stopping all tasks");
            stop_tasks(&self.state, self.common.clock.as_ref()).await;
        }
        self.phase.send_replace(Phase::Ending);
        if tokio::time::timeout(ORDERLY_LIMIT, self.orderly.drained()).await.is_err() {
            tracing::warn!("parts of the program were cut off by the shutdown");
            self.orderly.shutdown().await;
        }
        self.background.shutdown().await;
        // Last of what may still be recorded: everything else has ended.
        self.common.audit.clone().close().await;
        let logs = Arc::clone(&self.common.logs);
        match tokio::task::spawn_blocking(move || logs.checkpoint()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "logs are tidied up at the next start");
            }
            Err(error) => tracing::error!(%error, "tidying up the logs failed"),
        }
        outcome
    }
}

/// What the nodes of this machine and of others are started with.
struct Nodes {
    link: Arc<NodeLink>,
    task_calls: RelayedCalls,
    authority: Option<NodeAuthority>,
    api_port: u16,
    api_link_port: Option<u16>,
}

impl Nodes {
    /// Serves nodes of other machines and runs the one of this machine, as far as the configuration
    /// wants either. Returns where the others connect.
    async fn start(
        self,
        config: &ServerConfig,
        common: &Common,
        state: &Arc<State>,
        phase: &watch::Sender<Phase>,
        orderly: &mut Supervisor,
    ) -> Result<Option<SocketAddr>, StartError> {
        let Self { link, task_calls, authority, api_port, api_link_port } = self;
        let link: Arc<dyn ControlPlane> = link;
        let logs: Arc<dyn LogSink> = Arc::new(LocalLogs::new(Arc::clone(&common.logs)));
        let behind =
            Behind { control_plane: Arc::clone(&link), logs: Arc::clone(&logs), task_calls };
        let listener = node_listener::bind(config, authority, common, state, behind).await?;
        let address = listener.as_ref().map(NodeListener::address);
        if let Some(listener) = listener {
            orderly.spawn("node listener", listener.serve(reached(phase, Phase::Ending)));
        }
        if let Some(settings) = &config.node {
            let images = common.directory.path().join("images");
            let images = ImageStore::open(&images, config.unpack_helper.clone());
            let images = Arc::new(images.map_err(StartError::Images)?);
            let machine = Machine {
                directory: &common.directory,
                clock: &common.clock,
                ids: &common.ids,
                logs,
            };
            let mut own_ports = vec![api_port];
            own_ports.extend(address.map(|address| address.port()));
            let node = local_node::start(settings, machine, link, images, own_ports, api_link_port);
            orderly.spawn("node", node.await?.run(reached(phase, Phase::Ending)));
        }
        Ok(address)
    }
}

/// The root's access key: the one that was given, or the state directory's own.
fn root_key(
    config: &ServerConfig,
    directory: &StateDirectory,
    ids: &dyn IdSource,
) -> Result<RootKey, StartError> {
    match &config.root_key {
        Some(key) => Ok(key.clone()),
        None => {
            RootKey::keep(directory.path(), &config.scope.account, ids).map_err(StartError::RootKey)
        }
    }
}

/// Done when the end has come as far as `phase`, or the server is gone.
fn reached(sender: &watch::Sender<Phase>, phase: Phase) -> impl Future<Output = ()> + use<> {
    let mut receiver = sender.subscribe();
    async move {
        let _reached_or_gone = receiver.wait_for(|now| *now >= phase).await.is_ok();
    }
}

fn spawn_background(
    background: &mut Supervisor,
    common: &Common,
    state: &Arc<State>,
    link: &Arc<NodeLink>,
    scope: &Scope,
) -> AbortHandle {
    let clock = &common.clock;
    let link = Arc::clone(link);
    background.spawn("node link", link.run());
    let janitor = Janitor::new(Arc::clone(state), Arc::clone(clock));
    background.spawn("janitor", janitor.run());
    let logs = Arc::clone(&common.logs);
    background.spawn_fallible("log sweeper", async move {
        loop {
            tokio::time::sleep(LOG_SWEEP_INTERVAL).await;
            let logs = Arc::clone(&logs);
            let swept = tokio::task::spawn_blocking(move || logs.sweep()).await?;
            tracing::debug!(?swept, "expired log events deleted");
        }
    });
    let copier = Copier {
        directory: common.directory.path().join("trails"),
        log: common.audit.log.clone(),
        logs: Arc::clone(&common.logs),
        state: Arc::clone(state),
        deliveries: Arc::clone(&common.audit.deliveries),
        clock: Arc::clone(clock),
        scope: scope.clone(),
    };
    background.spawn("trails", trails::run(copier));
    let services =
        ServiceController::new(Arc::clone(state), Arc::clone(clock), Arc::clone(&common.ids));
    background.spawn("service controller", services.run())
}

async fn gateway(
    config: &ServerConfig,
    common: &Common,
    state: &Arc<State>,
    tls: Option<ServerTls>,
    node_authority_digest: Option<String>,
) -> Result<Gateway, StartError> {
    let shared = Shared {
        node_authority_digest,
        state: Arc::clone(state),
        logs: Arc::clone(&common.logs),
        audit: common.audit.log.clone(),
        deliveries: Arc::clone(&common.audit.deliveries),
        clock: Arc::clone(&common.clock),
        ids: Arc::clone(&common.ids),
        identities: common.identities.clone(),
        usage: Arc::new(common.audit.log.clone()),
        scope: config.scope.clone(),
        guard_mode: config.guard_mode,
    };
    let dependencies = Dependencies {
        services: services(shared),
        credentials: Arc::<identity::Directory>::clone(&common.identities.directory),
        clock: Arc::clone(&common.clock),
        recorder: Arc::<AuditRecorder>::clone(&common.audit.recorder),
        ids: Arc::clone(&common.ids),
        registry: Arc::new(Registry::default().into()),
    };
    let task_link = match &config.node {
        Some(node) => Some(TaskLink {
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            subnet: node.task_subnet,
            container_instance: local_node::instance_id(&common.directory, common.ids.as_ref())?,
        }),
        None => None,
    };
    let config = Config {
        listen: config.listen,
        region: config.scope.region.clone(),
        limits: Limits::default(),
        tls,
        task_link,
    };
    Gateway::bind(config, dependencies).await.map_err(StartError::Gateway)
}

/// The certificate, for any address but loopback.
fn tls(config: &ServerConfig, common: &Common) -> Result<Option<ServerTls>, StartError> {
    let ip = config.listen.ip();
    if ip.is_loopback() {
        return Ok(None);
    }
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    if !ip.is_unspecified() {
        names.push(ip.to_string());
    }
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    names.push(host);
    names.extend(config.tls_names.iter().cloned());
    names.sort();
    names.dedup();
    names.retain(|name| !name.is_empty());
    let directory = common.directory.path().join("tls");
    let tls = ServerTls::create(&directory, &names, common.clock.now());
    tls.map(Some).map_err(StartError::Tls)
}

/// The URL for clients on this machine: one that listens everywhere is reached on loopback.
fn endpoint(address: SocketAddr, tls: bool) -> String {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip @ (IpAddr::V4(_) | IpAddr::V6(_)) => ip,
    };
    let scheme = if tls { "https" } else { "http" };
    format!("{scheme}://{}", SocketAddr::new(ip, address.port()))
}

fn client_environment(
    config: &ServerConfig,
    root_key: &RootKey,
    endpoint: String,
    ca_bundle: Option<PathBuf>,
) -> ClientEnvironment {
    ClientEnvironment {
        endpoint,
        access_key_id: root_key.access_key_id().to_owned(),
        secret: root_key.secret().clone(),
        region: config.scope.region.to_string(),
        ca_bundle,
    }
}
