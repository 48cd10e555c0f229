//! Host ports in use.
//!
//! A published port is rewritten by the firewall and never reaches a socket of the host, so the kernel would
//! let any process bind it as well. A socket that is bound but never listens reserves it: the kernel refuses
//! the port to others, and the agent learns when others have it.

use std::{
    collections::BTreeMap,
    io,
    ops::RangeInclusive,
    os::fd::{AsRawFd, OwnedFd},
};

use nix::{
    errno::Errno,
    sys::socket::{AddressFamily, SockFlag, SockType, SockaddrIn, bind, socket},
};

use crate::{
    driver::{PortRequest, Protocol},
    error::NetworkError,
};

type Key = (Protocol, u16);

#[derive(Debug)]
struct Reservation {
    task_id: String,
    /// `None` when the port was taken by somebody else while no agent ran; the firewall still prefers us.
    _socket: Option<OwnedFd>,
}

/// All reserved ports of this host.
#[derive(Debug)]
pub(crate) struct PortTable {
    dynamic: RangeInclusive<u16>,
    next: u16,
    reserved: BTreeMap<Key, Reservation>,
}

impl PortTable {
    pub(crate) fn new(dynamic: RangeInclusive<u16>) -> Self {
        Self { next: *dynamic.start(), dynamic, reserved: BTreeMap::new() }
    }

    /// Reserves a host port for each request, in order; all or none.
    pub(crate) fn reserve(
        &mut self,
        task_id: &str,
        requests: &[PortRequest],
    ) -> Result<Vec<u16>, NetworkError> {
        // Fixed ports first, so that a dynamic one never takes a port that this task names itself.
        let fixed = requests.iter().filter_map(|request| Some((request, request.host_port?)));
        for (request, host_port) in fixed {
            if let Err(error) = self.reserve_fixed(task_id, request.protocol, host_port) {
                self.release(task_id);
                return Err(error);
            }
        }
        let mut ports = Vec::with_capacity(requests.len());
        for request in requests {
            let port = match request.host_port {
                Some(port) => Ok(port),
                None => self.reserve_dynamic(task_id, request.protocol),
            };
            match port {
                Ok(port) => ports.push(port),
                Err(error) => {
                    self.release(task_id);
                    return Err(error);
                }
            }
        }
        Ok(ports)
    }

    /// Takes up the port of a task that ran before this agent did. False when another process has it now.
    pub(crate) fn keep(&mut self, task_id: &str, protocol: Protocol, host_port: u16) -> bool {
        let socket = bound(protocol, host_port).ok();
        let held = socket.is_some();
        let reservation = Reservation { task_id: task_id.to_owned(), _socket: socket };
        self.reserved.insert((protocol, host_port), reservation);
        held
    }

    pub(crate) fn release(&mut self, task_id: &str) {
        self.reserved.retain(|_, reservation| reservation.task_id != task_id);
    }

    fn reserve_fixed(
        &mut self,
        task_id: &str,
        protocol: Protocol,
        host_port: u16,
    ) -> Result<(), NetworkError> {
        if let Some(holder) = self.reserved.get(&(protocol, host_port)) {
            let task_id = holder.task_id.clone();
            return Err(NetworkError::PortInUseByTask { host_port, protocol, task_id });
        }
        let socket = bound(protocol, host_port).map_err(|errno| {
            if errno == Errno::EADDRINUSE {
                NetworkError::PortInUseByProcess { host_port, protocol }
            } else {
                let reason = io::Error::from(errno);
                NetworkError::PortUnavailable { host_port, protocol, reason }
            }
        })?;
        let reservation = Reservation { task_id: task_id.to_owned(), _socket: Some(socket) };
        self.reserved.insert((protocol, host_port), reservation);
        Ok(())
    }

    fn reserve_dynamic(&mut self, task_id: &str, protocol: Protocol) -> Result<u16, NetworkError> {
        let (first, last) = (*self.dynamic.start(), *self.dynamic.end());
        for port in (self.next..=last).chain(first..self.next) {
            match self.reserve_fixed(task_id, protocol, port) {
                Ok(()) => {
                    self.next = if port == last { first } else { port + 1 };
                    return Ok(port);
                }
                Err(
                    NetworkError::PortInUseByTask { .. } | NetworkError::PortInUseByProcess { .. },
                ) => {}
                Err(error) => return Err(error),
            }
        }
        Err(NetworkError::DynamicPortsExhausted { protocol, first, last })
    }
}

/// A socket bound to the port on all addresses. Without SO_REUSEADDR: with it, two reservations would both
/// succeed, because neither of them listens.
fn bound(protocol: Protocol, port: u16) -> Result<OwnedFd, Errno> {
    let kind = match protocol {
        Protocol::Tcp => SockType::Stream,
        Protocol::Udp => SockType::Datagram,
    };
    let socket = socket(AddressFamily::Inet, kind, SockFlag::SOCK_CLOEXEC, None)?;
    bind(socket.as_raw_fd(), &SockaddrIn::new(0, 0, 0, 0, port))?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn request(host_port: Option<u16>) -> PortRequest {
        let (container_name, protocol) = ("web".to_owned(), Protocol::Tcp);
        PortRequest { container_name, container_port: 80, host_port, protocol }
    }

    #[test]
    fn ports_of_tasks_and_of_other_processes_are_never_given_twice() {
        let other = TcpListener::bind("127.0.0.1:0").unwrap();
        let taken = other.local_addr().unwrap().port();
        let mut table = PortTable::new(taken..=taken);
        let error = table.reserve("a", &[request(Some(taken))]).unwrap_err().to_string();
        assert!(error.contains("in use by another process"), "{error}");
        let error = table.reserve("a", &[request(None)]).unwrap_err().to_string();
        assert!(error.contains("no free tcp port in the dynamic range"), "{error}");
        drop(other);
        assert_eq!(table.reserve("a", &[request(None)]).unwrap(), [taken]);
        let error = table.reserve("b", &[request(Some(taken))]).unwrap_err().to_string();
        assert!(error.contains("in use by task `a`"), "{error}");
        let error = TcpListener::bind(("0.0.0.0", taken)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        table.release("a");
        assert_eq!(table.reserve("b", &[request(Some(taken))]).unwrap(), [taken]);
    }

    #[test]
    fn a_request_that_fails_reserves_nothing() {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut table = PortTable::new(1..=1);
        assert!(table.reserve("a", &[request(Some(free)), request(Some(free))]).is_err());
        assert_eq!(table.reserve("b", &[request(Some(free))]).unwrap(), [free]);
    }
}
