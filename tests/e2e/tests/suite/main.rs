//! Portcullis as its users meet it. Each test has a Portcullis of its own and leaves nothing behind.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "clippy knows a test by its attribute, and these are their helpers"
)]

mod api;
mod audit;
mod command_line;
mod identity;
mod isolation;
mod nodes;
mod placement;
mod recovery;
mod refusals;
mod services;
mod tasks;
