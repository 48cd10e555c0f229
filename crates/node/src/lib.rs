//! The agent on a machine that runs tasks.
//!
//! [`Node`] joins a control plane, takes its desired set, and gives every task an actor of its
//! own. An actor owns its task: it feeds events into the pure `task-engine`, keeps the state on
//! disk, carries out the effects with the drivers, and reports what it observes. Nothing is shared
//! between tasks but the drivers.
//!
//! Containers do not need the agent: when it ends, they go on, and the next agent finds them.

mod actor;
mod agent;
mod container_spec;
mod effects;
mod identity;
mod image_reference;
mod live_tasks;
mod log_shipper;
mod machine;
mod record;
mod refusals;
mod reporter;
mod role_credentials;
mod task_endpoint;
mod task_tokens;
#[cfg(test)]
mod test_support;

pub use agent::{Node, NodeConfig, NodeDependencies, NodeError};
pub use identity::{IdentityError, instance_id};
pub use task_endpoint::TaskListener;
