//! `portcullis node`.

use std::fs;
use std::path::Path;

use node_link::Endpoint;
use node_proto::JoinTokenText;
use server::{RemoteNode, RemoteNodeConfig, RunError};

use crate::arguments::NodeArguments;
use crate::failure::Failure;
use crate::image::unpack_helper;
use crate::output::print;
use crate::up::{runtime, settings, start_failure, start_logging, told};

/// Runs tasks for a control plane elsewhere until it is told to stop.
pub(crate) fn node(arguments: NodeArguments) -> Result<(), Failure> {
    let NodeArguments { state, server, token_file, zone, machine, log } = arguments;
    start_logging(log)?;
    let endpoint = Endpoint::parse(&server).ok_or_else(|| {
        Failure::new(format!("`{server}` is not where a control plane listens for nodes"))
            .advice("give --server https://HOST:PORT, with the port of its --node-listen")
    })?;
    let token = match token_file {
        Some(path) => read_token(&path)?,
        None => None,
    };
    let config = RemoteNodeConfig {
        state_directory: state.state_dir,
        endpoint,
        token,
        unpack_helper: unpack_helper(),
        // The token names the cluster.
        settings: settings(machine, String::new(), zone)?,
    };
    runtime()?.block_on(serve(config))
}

async fn serve(config: RemoteNodeConfig) -> Result<(), Failure> {
    let told = told()?;
    let mut told = std::pin::pin!(told);
    let node = tokio::select! {
        node = RemoteNode::start(config) => node.map_err(|error| start_failure(&error))?,
        // It may wait for its control plane.
        () = &mut told => return Ok(()),
    };
    print(&format!("ready node={}\n", node.instance_id()))?;
    tracing::info!(instance_id = node.instance_id(), "ready");
    node.run(told).await.map_err(|error| match error {
        RunError::NodeRefused { .. } => Failure::of(&error).advice(
            "containers go on running; to use the machine again, stop them, remove the state \
             directory and join with a new token",
        ),
        RunError::Ended { .. } | RunError::Failed { .. } | RunError::Panicked { .. } => {
            Failure::of(&error)
                .advice("containers go on running: start `portcullis node` again, and report this")
        }
    })?;
    tracing::info!("ended");
    Ok(())
}

/// The token in a file; `None` when the file is not there any more: it is needed once.
fn read_token(path: &Path) -> Result<Option<JoinTokenText>, Failure> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            let what = format!("cannot read the join token in `{}`", path.display());
            return Err(Failure::caused(what, &error));
        }
    };
    let token = JoinTokenText::parse(&text);
    token.map(Some).map_err(|error| {
        Failure::caused(format!("cannot use the join token in `{}`", path.display()), &error)
    })
}
