//! Who may hold connections to the listeners that tasks reach.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::subnet::Subnet;

/// The connections of tasks to one listener: only from addresses that a task may have, and bounded for each.
#[derive(Debug, Clone)]
pub struct TaskConnections {
    subnet: Subnet,
    limit: usize,
    open: Arc<Mutex<BTreeMap<IpAddr, usize>>>,
}

/// A connection that was admitted; dropping it makes room.
#[derive(Debug)]
pub struct TaskConnection {
    address: IpAddr,
    open: Arc<Mutex<BTreeMap<IpAddr, usize>>>,
}

impl TaskConnections {
    /// At most `limit` connections of each task in `subnet`.
    #[must_use]
    pub fn new(subnet: Subnet, limit: usize) -> Self {
        Self { subnet, limit, open: Arc::default() }
    }

    /// Admits a connection, unless it comes from no task or its task has too many.
    #[must_use]
    pub fn admit(&self, peer: SocketAddr) -> Option<TaskConnection> {
        let address = peer.ip();
        if !self.subnet.is_of_task(address) {
            return None;
        }
        let mut open = lock(&self.open);
        let count = open.entry(address).or_default();
        if *count >= self.limit {
            return None;
        }
        *count += 1;
        Some(TaskConnection { address, open: Arc::clone(&self.open) })
    }
}

impl Drop for TaskConnection {
    fn drop(&mut self) {
        let mut open = lock(&self.open);
        if let Some(count) = open.get_mut(&self.address) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                open.remove(&self.address);
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_has_so_many_connections_and_others_have_none() {
        let connections = TaskConnections::new(Subnet::default(), 2);
        let admit = |peer: &str| connections.admit(format!("{peer}:4000").parse().unwrap());
        let (first, _second) = (admit("10.213.0.2"), admit("10.213.0.2"));
        assert!(first.is_some() && admit("10.213.0.2").is_none());
        let _other = admit("10.213.0.3").unwrap();
        drop(first);
        assert!(admit("10.213.0.2").is_some());
        for stranger in ["127.0.0.1", "10.213.0.1", "10.214.0.2", "[::1]", "[::ffff:10.213.0.2]"] {
            assert!(admit(stranger).is_none(), "{stranger}");
        }
    }
}
