//! HTTP in front of every API: limits, routing, authentication, dispatch.
//!
//! One port serves all services. A request passes through the modules in this order: [`serve`]
//! accepts it, `route` finds its service and protocol, `authenticate` finds out who signed it,
//! `body` reads it within its limits, and the [`operation::Service`] answers. `respond` writes
//! answers, `metrics` counts them.
//!
//! [`serve`]: Gateway::serve

mod authenticate;
mod body;
mod config;
mod handle;
mod metrics;
mod relayed;
mod respond;
mod route;
mod serve;
mod tls;

pub use config::{Config, Dependencies, GatewayError, Limits, SharedRegistry, TaskLink};
pub use relayed::RelayedCalls;
pub use serve::Gateway;
pub use tls::{ServerTls, TlsError};
