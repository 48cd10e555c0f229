//! What must always hold of the product, whatever happens: numbered predicates over what was
//! observed.
//!
//! - [`Invariant`] is the list: number, title, meaning.
//! - The predicates are pure functions of records and of what nodes were seen to do ([`tasks`],
//!   [`resources`], [`containers`], [`decisions`], [`liveness`]). Each answers with a [`Finding`]: was
//!   there anything to check, and does it hold.
//! - [`Monitor`] keeps the history they need, asks them about each [`Observation`], and counts how
//!   often each was really exercised.
//!
//! Safety holds at every moment; liveness when nothing has gone wrong for long enough.

mod catalogue;
pub mod containers;
pub mod decisions;
mod finding;
pub mod liveness;
mod monitor;
mod observation;
pub mod resources;
pub mod tasks;

#[cfg(test)]
mod tests;

pub use catalogue::Invariant;
pub use finding::Finding;
pub use monitor::{Exercised, Monitor, Violation};
pub use observation::{Actor, ContainerEvent, NetworkEvent, Observation, Record, What};
