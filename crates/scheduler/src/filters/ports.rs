//! Every host port the task needs is free on the instance.

use super::{Filter, listed};
use crate::{Instance, Request};

#[derive(Debug)]
pub(super) struct HostPorts;

impl Filter for HostPorts {
    fn name(&self) -> &'static str {
        "host ports"
    }

    fn passes(&self, instance: &Instance, request: &Request) -> bool {
        request.host_ports.iter().all(|port| !instance.used_host_ports.contains(port))
    }

    fn reason(&self, _request: &Request) -> String {
        "RESOURCE:PORTS".to_owned()
    }

    fn detail(&self, instance: &Instance, request: &Request) -> String {
        let taken = request
            .host_ports
            .intersection(&instance.used_host_ports)
            .map(|(port, protocol)| format!("{port}/{}", protocol.as_str()));
        format!("host ports already in use: {}", listed(taken))
    }

    fn event_clause(&self, _request: &Request) -> String {
        "is already using a port required by your task".to_owned()
    }
}
