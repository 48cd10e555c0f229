//! The product's own code in a world of which every event is drawn from a seed.
//!
//! Operations, typed tables, reconcilers, scheduler and task engine are the product's; clock,
//! identifiers, messages, machines, containers and the store's faults are simulated. The world is one
//! thread: the next event is drawn from those that are due, and when none is, time jumps.
//!
//! - [`Schedule`]: what operators do and what goes wrong, drawn from a seed; run, checked, shrunk.
//! - [`script`]: scenarios in a small language, with goldens.
//! - [`measure`]: big worlds.
//! - [`Mutation`]: planted bugs, which the predicates of `invariants` must see.

mod behaviour;
mod command;
mod control;
mod definition;
mod env;
mod executor;
mod faults;
mod line;
mod link;
pub mod measure;
mod mutation;
mod node;
mod plant;
mod random;
mod runtime;
mod schedule;
pub mod script;
mod show;
mod store;
mod world;

pub use mutation::Mutation;
pub use schedule::{Failure, Report, Schedule};
