//! Deletes interfaces and tracked connections after their task was cut off.
//!
//! Deleting one interface takes the kernel some 20 ms, deleting a hundred in one step hardly longer. So they are
//! collected for a moment; most are gone by then anyway, together with their namespace. The same holds for walking
//! the kernel's table of connections.

use std::{
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
    time::Duration,
};

use crate::{
    conntrack, driver::Interface, error::NetworkError, link, netlink::Channel, pool::AddressPool,
};

/// How long to wait for one more.
const LINGER: Duration = Duration::from_millis(25);
/// How many to collect at most: so none waits longer than 1.6 seconds.
const BATCH: usize = 64;

/// Accepts interfaces that were marked with [`link::retire`].
#[derive(Debug)]
pub(crate) struct Reaper {
    /// At most one entry per address of the subnet: each is in use until its interface left the queue.
    queue: mpsc::Sender<Interface>,
}

impl Reaper {
    /// Starts the worker in the network namespace of the calling thread. It ends with the `Reaper`.
    pub(crate) fn start(
        group: u32,
        addresses: Arc<Mutex<AddressPool>>,
    ) -> Result<Self, NetworkError> {
        let (queue, retired) = mpsc::channel();
        let mut channel =
            Channel::netfilter().map_err(NetworkError::kernel("open a firewall socket"))?;
        thread::Builder::new()
            .name("interface-reaper".to_owned())
            .spawn(move || work(&retired, &mut channel, group, &addresses))
            .map_err(NetworkError::kernel("start a thread"))?;
        Ok(Self { queue })
    }

    /// Has an interface deleted and its address given back after that.
    pub(crate) fn bury(&self, interface: Interface) {
        if self.queue.send(interface).is_err() {
            tracing::error!("the interface reaper has ended: interfaces stay until the next start");
        }
    }
}

fn work(
    retired: &mpsc::Receiver<Interface>,
    channel: &mut Channel,
    group: u32,
    addresses: &Mutex<AddressPool>,
) {
    while let Ok(first) = retired.recv() {
        let mut batch = vec![first];
        while batch.len() < BATCH {
            let Ok(next) = retired.recv_timeout(LINGER) else { break };
            batch.push(next);
        }
        if batch.iter().any(|interface| link::is_present(&interface.host_interface))
            && let Err(error) = link::delete_group(group)
        {
            tracing::error!(%error, "interfaces of stopped tasks stay until the next start");
        }
        let dead = batch.iter().map(|interface| interface.address).collect();
        if let Err(error) = conntrack::forget(channel, &dead) {
            tracing::error!(%error, "addresses of stopped tasks stay unused until the next start");
            continue;
        }
        let mut addresses = addresses.lock().unwrap_or_else(PoisonError::into_inner);
        for interface in batch {
            // An address that still has a route must not be given to another task.
            if !link::is_present(&interface.host_interface) {
                addresses.give_back(interface.address);
            }
        }
    }
}
