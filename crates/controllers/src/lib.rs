//! Runs the reconcilers: a watch wakes, a snapshot is taken, a plan is made and committed.
//!
//! - [`ServiceController`] keeps services at what is wanted of them.
//! - [`NodeLink`] tells nodes their desired sets and takes in what they report.
//! - [`Janitor`] forgets what is over for long enough.
//!
//! All of them work on the state as it is, never on an event: a wake-up says only where to look.
//! A timer wakes them too.

mod janitor;
mod node_link;
mod services;
#[cfg(test)]
mod tests;

pub use janitor::{Janitor, RETENTION_MS};
pub use node_link::{NodeLink, RoleUse, TaskSessions};
pub use services::ServiceController;
