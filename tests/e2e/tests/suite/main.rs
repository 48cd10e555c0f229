//! Portcullis as its users meet it. Each test has a Portcullis of its own and leaves nothing behind.

mod api;
mod command_line;
mod isolation;
mod placement;
mod recovery;
mod refusals;
mod services;
mod tasks;
