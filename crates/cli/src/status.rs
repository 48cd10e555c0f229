//! `portcullis status`.

mod collect;
mod model;
mod render;
#[cfg(test)]
mod tests;

use server::SystemClock;

use crate::arguments::StatusArguments;
use crate::client::{ECS, with_client};
use crate::failure::Failure;
use crate::output::print;

/// Prints what there is and why anything is not running.
pub(crate) fn status(arguments: StatusArguments) -> Result<(), Failure> {
    let StatusArguments { server, cluster } = arguments;
    let clusters = with_client(server, ECS, async |client| {
        collect::clusters(client, cluster.as_deref()).await
    })?;
    print(&render::render(&clusters, base::Clock::now(&SystemClock)))
}
