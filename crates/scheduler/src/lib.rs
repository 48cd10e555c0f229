//! Chooses container instances for tasks and explains refusals.
//!
//! [`place()`] works on a [`Fleet`]: plain data about container instances, numbered by ordinals.
//! Filters drop the instances that cannot run the task, strategies order the rest, and what is
//! chosen is assumed to be taken at once, so that later placements see earlier ones. When nothing
//! fits, [`Placement`] says which filter refused how many instances and which came closest.
//!
//! The crate also holds the whole [cluster query language](Query), which the `memberOf` constraint
//! and the `filter` of `ListContainerInstances` share.
//!
//! Nothing here does I/O, reads a clock or draws randomness of its own: a result follows from the
//! fleet, the request, the count and the seed.

mod explain;
mod filters;
mod fleet;
mod instance;
mod place;
mod plan;
mod query;
mod random;
mod request;
mod scale_in;

pub use explain::{Closest, Failure, Refusals, refusal};
pub use fleet::Fleet;
pub use instance::{Instance, InstanceStatus, LaunchType, Protocol, Resources};
pub use place::{MAX_FAILURES, Placement, place};
pub use query::{MAX_NESTING, MAX_QUERY_CHARACTERS, Query, QueryError};
pub use request::{
    Constraint, MAX_STRATEGIES, Request, SpreadField, Strategies, Strategy, StrategyError,
};
pub use scale_in::{StopCandidate, choose_to_stop};

#[cfg(test)]
mod tests;
