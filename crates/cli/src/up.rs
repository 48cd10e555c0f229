//! `portcullis up` and `portcullis server`.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use base::Scope;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use server::{NodeSettings, RootKey, Server, ServerConfig, StartError};
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::arguments::{
    ControlPlaneArguments, FargateIsolation, GuardMode, LogArguments, LogFormat, MachineArguments,
    ServerArguments, UpArguments,
};
use crate::environment::variable;
use crate::failure::Failure;
use crate::image::unpack_helper;
use crate::output::print;

/// Threads that run async code: few, for the sake of small machines.
const WORKER_THREADS: std::ops::RangeInclusive<usize> = 2..=8;
/// Threads for calls that block, at most; they end when idle.
const BLOCKING_THREADS: usize = 64;
const STACK_BYTES: usize = 2 << 20;

/// Runs everything until it is told to stop.
pub(crate) fn up(arguments: UpArguments) -> Result<(), Failure> {
    let UpArguments { control_plane, node_listen, zone, cluster, machine, stop_tasks, log } =
        arguments;
    start_logging(log)?;
    let zone = zone.unwrap_or_else(|| format!("{}a", control_plane.region));
    let settings = NodeSettings { stop_tasks, ..settings(machine, cluster, zone)? };
    let config = config(control_plane, node_listen, Some(settings))?;
    runtime()?.block_on(serve(config))
}

/// Runs the control plane until it is told to stop.
pub(crate) fn server(arguments: ServerArguments) -> Result<(), Failure> {
    let ServerArguments { control_plane, node_listen, log } = arguments;
    start_logging(log)?;
    let config = config(control_plane, Some(node_listen), None)?;
    runtime()?.block_on(serve(config))
}

/// Threads for a program that stays.
pub(crate) fn runtime() -> Result<Runtime, Failure> {
    raise_file_limit();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads.clamp(*WORKER_THREADS.start(), *WORKER_THREADS.end()))
        .max_blocking_threads(BLOCKING_THREADS)
        .thread_stack_size(STACK_BYTES)
        .enable_all()
        .build()
        .map_err(|error| Failure::caused("cannot start threads", &error))
}

async fn serve(config: ServerConfig) -> Result<(), Failure> {
    let told = told()?;
    let server = Server::start(config).await.map_err(|error| start_failure(&error))?;
    print(&format!("ready endpoint={}\n", server.endpoint()))?;
    tracing::info!(endpoint = server.endpoint(), "ready");
    if let Some(address) = server.node_address() {
        print(&format!("nodes endpoint=https://{address}\n"))?;
        tracing::info!(%address, "ready for nodes");
    }
    server.run(told).await.map_err(|error| {
        Failure::of(&error)
            .advice("containers go on running: start `portcullis up` again, and report this")
    })?;
    tracing::info!("ended");
    Ok(())
}

/// Done when the program is told to end.
pub(crate) fn told() -> Result<impl Future<Output = ()>, Failure> {
    let listen =
        |kind| signal(kind).map_err(|error| Failure::caused("cannot listen for signals", &error));
    let (mut terminate, mut interrupt) =
        (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?);
    Ok(async move {
        let name = tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        };
        tracing::info!(signal = name, "ending");
    })
}

/// Why something did not start, with what to do about each problem of the machine.
pub(crate) fn start_failure(error: &StartError) -> Failure {
    if let StartError::Preflight(preflight) = error {
        let problems = preflight.problems.iter();
        let problems = problems.map(|problem| (problem.what.clone(), problem.fix.clone()));
        return Failure::listed(error.to_string(), problems.collect());
    }
    Failure::of(error)
}

fn config(
    arguments: ControlPlaneArguments,
    node_listen: Option<SocketAddr>,
    node: Option<NodeSettings>,
) -> Result<ServerConfig, Failure> {
    let root_key =
        RootKey::from_variables(variable(RootKey::ID_VARIABLE), variable(RootKey::SECRET_VARIABLE));
    Ok(ServerConfig {
        state_directory: arguments.state.state_dir,
        listen: arguments.listen,
        node_listen,
        tls_names: arguments.tls_names,
        scope: Scope { account: arguments.account_id, region: arguments.region },
        guard_mode: match arguments.guard {
            GuardMode::Enforce => guard::Mode::Enforce,
            GuardMode::Audit => guard::Mode::Audit,
        },
        root_key: root_key.map_err(|error| Failure::of(&error))?,
        unpack_helper: unpack_helper(),
        node,
    })
}

/// How this machine runs tasks, which go on when the program ends.
pub(crate) fn settings(
    machine: MachineArguments,
    cluster: String,
    zone: String,
) -> Result<NodeSettings, Failure> {
    let shim_program = match machine.shim {
        Some(path) => path,
        None => shim_beside_this()?,
    };
    Ok(NodeSettings {
        cluster,
        zone,
        fargate_isolation: machine.fargate_isolation.map(|isolation| match isolation {
            FargateIsolation::Container => "container".to_owned(),
        }),
        task_subnet: machine.task_subnet,
        run_directory: machine.run_dir,
        shim_program,
        agent_version: env!("CARGO_PKG_VERSION").to_owned(),
        stop_tasks: false,
    })
}

fn shim_beside_this() -> Result<PathBuf, Failure> {
    let own = std::env::current_exe().map_err(|error| {
        Failure::caused("cannot find this program's own file", &error)
            .advice("say where portcullis-shim is with --shim")
    })?;
    Ok(own.with_file_name("portcullis-shim"))
}

/// Every container and connection takes files; the usual soft limit of 1,024 is for programs that
/// use `select`.
fn raise_file_limit() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current == maximum {
        return;
    }
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        tracing::warn!(%error, "the limit on open files cannot be raised");
    }
}

/// Sends logs to standard error.
pub(crate) fn start_logging(arguments: LogArguments) -> Result<(), Failure> {
    let LogArguments { log_format: format, log_level: levels } = arguments;
    let levels: Targets = levels.parse().map_err(|error| {
        Failure::caused(format!("`{levels}` does not say what to log"), &error)
            .advice("use error, warn, info, debug or trace, or levels by module: `info,node=debug`")
    })?;
    let registry = tracing_subscriber::registry().with(levels);
    let layer = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    match format {
        LogFormat::Text => {
            let colours = io::IsTerminal::is_terminal(&io::stderr())
                && variable("NO_COLOR").is_none_or(|value| value.is_empty());
            registry.with(layer.with_ansi(colours)).init();
        }
        LogFormat::Json => registry.with(layer.json().flatten_event(true)).init(),
    }
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let message = panic.payload_as_str().unwrap_or("no message");
        tracing::error!(place, message, "a part of the program panicked: please report this");
    }));
    Ok(())
}
