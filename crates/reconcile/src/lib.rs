//! What should happen next, from a snapshot of the state and the time.
//!
//! A reconciler takes a snapshot and `now`, no event, and returns a plan that leaves nothing to
//! choose: whole records to create and replace. It keeps nothing between two calls, so the path
//! after a crash is the path of every day. One file per concern:
//!
//! - [`service`](reconcile_service): a service's tasks, deployments and events.
//! - `replica`, `daemon`: how many tasks to start and stop, and which.
//! - `rollout`: how far the deployments are; circuit breaker and roll-back.
//! - `throttle`: when a service whose tasks do not come up may try again.
//! - `events`: what a service says, in ECS's words.

mod daemon;
mod events;
mod replica;
mod rollout;
mod service;
mod tally;
#[cfg(test)]
mod tests;
mod throttle;

pub use rollout::{BREAKER_ROLLBACK_REASON, deployment_in_progress_reason};
pub use service::{MAX_STEPS, SERVICE_STOP_CODE, ServicePlan, ServiceSnapshot, reconcile_service};
pub use tally::HEALTHY_AFTER_MS;
pub use throttle::{counts_as_failure, start_delay_ms};
