//! What a gateway is made from, and its limits.

use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base::{Clock, IdSource, Region};
use identity::Credentials;
use network::Subnet;
use operation::{Recorder, Service};
use prometheus_client::registry::Registry;

use crate::tls::ServerTls;

/// A metrics registry that several crates register in; `/metrics` prints all of it.
pub type SharedRegistry = Arc<Mutex<Registry>>;

/// What one gateway may use. A request or connection beyond a limit is refused or dropped, never
/// queued without bound.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Open connections, at each door; further ones wait in the kernel's backlog. Default 4,096.
    pub max_connections: usize,
    /// Open connections of one task; further ones are closed. Default 64.
    pub max_connections_per_task: usize,
    /// Requests between their headers and their answer; further ones get `ThrottlingException`.
    /// Default 1,024.
    pub max_in_flight: usize,
    /// Request line and headers together, in bytes, at least 8,192; one read more may be taken
    /// in before the check. Default 64 KiB.
    pub max_header_bytes: usize,
    /// Headers of a request. Default 100.
    pub max_headers: usize,
    /// The body, in bytes. Default 10 MiB.
    pub max_body_bytes: usize,
    /// Bodies longer than 64 KiB being read or held at the same time. Default 16.
    pub max_large_bodies: usize,
    /// How long a TLS handshake, or the headers of a request, may take; also how long a kept
    /// connection may be idle. Default 30 s.
    pub header_timeout: Duration,
    /// How long the body may take. Default 60 s.
    pub body_timeout: Duration,
    /// How long the client may take to accept the next part of an answer. Default 30 s.
    pub write_timeout: Duration,
    /// How long requests under way may take after the gateway was told to stop. Default 10 s.
    pub shutdown_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_connections: 4096,
            max_connections_per_task: 64,
            max_in_flight: 1024,
            max_header_bytes: 64 * 1024,
            max_headers: 100,
            max_body_bytes: 10 * 1024 * 1024,
            max_large_bodies: 16,
            header_timeout: Duration::from_secs(30),
            body_timeout: Duration::from_secs(60),
            write_timeout: Duration::from_secs(30),
            shutdown_timeout: Duration::from_secs(10),
        }
    }
}

/// Where a gateway listens and what for.
#[derive(Debug, Clone)]
pub struct Config {
    /// The address; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The region that signatures must be scoped to.
    pub region: Region,
    /// What it may use.
    pub limits: Limits,
    /// The certificate to serve TLS with. Needed for any address but loopback.
    pub tls: Option<ServerTls>,
    /// The door for tasks of this machine, if it has tasks.
    pub task_link: Option<TaskLink>,
}

/// Where the network driver leads tasks of this machine that call an API. Plain HTTP: no wire is between them.
#[derive(Debug, Clone)]
pub struct TaskLink {
    /// A loopback address; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where tasks have their addresses from. Connections from elsewhere are closed.
    pub subnet: Subnet,
    /// The id of the container instance that this machine is.
    pub container_instance: Arc<str>,
}

/// What a gateway works with.
#[derive(Clone)]
pub struct Dependencies {
    /// The services, one per API.
    pub services: Vec<Arc<dyn Service>>,
    /// Who has which access key.
    pub credentials: Arc<dyn Credentials>,
    /// The time that signatures are held against.
    pub clock: Arc<dyn Clock>,
    /// Takes the record of every call.
    pub recorder: Arc<dyn Recorder>,
    /// Where request ids come from.
    pub ids: Arc<dyn IdSource>,
    /// Where the gateway's metrics go, and what `/metrics` prints.
    pub registry: SharedRegistry,
}

impl fmt::Debug for Dependencies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let services: Vec<_> =
            self.services.iter().map(|service| service.api().service_id).collect();
        f.debug_struct("Dependencies").field("services", &services).finish_non_exhaustive()
    }
}

/// Why a gateway cannot start.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// Plain HTTP on an address that other machines reach.
    #[error(
        "`{0}` is not a loopback address and needs TLS: give a certificate or listen on 127.0.0.1"
    )]
    TlsRequired(SocketAddr),
    /// The tasks' door on an address that others than this machine reach.
    #[error("the tasks' link cannot listen on `{0}`, which is not a loopback address")]
    TaskLinkNotLoopback(SocketAddr),
    /// The address cannot be listened on.
    #[error("cannot listen on `{address}`: stop what uses it or choose another address")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}
