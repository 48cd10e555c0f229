//! The life of one task on its node, as a pure function of what has happened so far.
//!
//! The node feeds [`Event`]s into a [`TaskState`] with [`apply`] and asks [`plan`] which
//! [`Effect`]s should be under way now. Nothing here touches a container.
//!
//! `plan` is level-triggered: it returns every effect that should be under way, each time. The
//! node starts those that are not under way yet and keeps the rest. After a crash nothing is under
//! way, so everything needed is started again: the path after a crash is the path of every day.
//! Every effect is therefore idempotent.
//!
//! ```text
//!   resolve images ┐                      ┌ stop signals, kills ┐
//!   create sandbox ┴ start containers ─ … ┴ in reverse order    ┴ remove sandbox ─ STOPPED
//! ```

mod apply;
mod dependency;
mod observe;
mod plan;
mod state;
#[cfg(test)]
mod tests;

pub use apply::{apply, recover};
pub use observe::observe;
pub use plan::{DEFAULT_STOP_TIMEOUT_SECONDS, Effect, Plan, plan};
pub use state::{
    ContainerPhase, ContainerState, Event, FoundContainer, Health, SandboxPhase, TaskState,
};
