//! `portcullis status`.

mod collect;
mod model;
mod render;
#[cfg(test)]
mod tests;

use server::{ClientEnvironment, SystemClock};

use crate::arguments::StatusArguments;
use crate::client::Client;
use crate::environment::variable;
use crate::failure::Failure;
use crate::output::print;

/// Prints what there is and why anything is not running.
pub(crate) fn status(arguments: StatusArguments) -> Result<(), Failure> {
    let StatusArguments { state, endpoint, cluster } = arguments;
    let environment = match endpoint {
        None => ClientEnvironment::read(&state.state_dir),
        Some(endpoint) => ClientEnvironment::from_variables("the environment", |name| {
            if name == "AWS_ENDPOINT_URL" { Some(endpoint.clone()) } else { variable(name) }
        }),
    };
    let environment = environment.map_err(|error| {
        Failure::of(&error).advice(
            "give --state-dir of a `portcullis up` of this machine, or --endpoint with \
             AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION set",
        )
    })?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::caused("cannot start", &error))?;
    let clusters = runtime.block_on(async {
        let mut client = Client::connect(environment).await?;
        collect::clusters(&mut client, cluster.as_deref()).await
    });
    let clusters = clusters.map_err(|error| Failure::of(&error))?;
    print(&render::render(&clusters, base::Clock::now(&SystemClock)))
}
