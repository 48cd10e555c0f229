//! The firewall's state in the kernel, and what it should be.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
};

use crate::{conntrack, error::NetworkError, netlink::Channel, record::Record, ruleset::Ruleset};

/// The table of this instance and the socket to change it with. The socket stays open: closing one waits until
/// the kernel has freed what earlier changes deleted, some 15 ms.
#[derive(Debug)]
pub(crate) struct Firewall {
    rules: Ruleset,
    channel: Channel,
    /// The tasks whose elements the table has.
    tasks: BTreeMap<String, Record>,
}

impl Firewall {
    /// Belongs to the network namespace of the calling thread.
    pub(crate) fn new(rules: Ruleset) -> Result<Self, NetworkError> {
        let channel =
            Channel::netfilter().map_err(NetworkError::kernel("open a firewall socket"))?;
        Ok(Self { rules, channel, tasks: BTreeMap::new() })
    }

    /// Has the kernel judge all rules; changes nothing.
    pub(crate) fn probe(&mut self) -> Result<(), NetworkError> {
        self.rules.probe(&mut self.channel)
    }

    /// Replaces the whole table, in one step.
    pub(crate) fn install(&mut self, tasks: BTreeMap<String, Record>) -> Result<(), NetworkError> {
        self.rules.install(&mut self.channel, tasks.values())?;
        self.tasks = tasks;
        Ok(())
    }

    /// Opens what a task may have opened.
    pub(crate) fn open(&mut self, record: &Record) -> Result<(), NetworkError> {
        self.rules.add(&mut self.channel, record)?;
        self.tasks.insert(record.task_id.clone(), record.clone());
        Ok(())
    }

    /// Closes all of it, for established connections too. May be repeated.
    pub(crate) fn close(&mut self, record: &Record) -> Result<(), NetworkError> {
        if !self.tasks.contains_key(&record.task_id) {
            return Ok(());
        }
        if self.rules.remove(&mut self.channel, record).is_err() {
            // Somebody changed our table, and a change takes effect as a whole or not at all: write it anew.
            let others = self.tasks.values().filter(|other| other.task_id != record.task_id);
            self.rules.install(&mut self.channel, others)?;
        }
        self.tasks.remove(&record.task_id);
        Ok(())
    }

    /// Has the kernel forget the connections of tasks that were closed.
    pub(crate) fn forget(&mut self, addresses: &BTreeSet<Ipv4Addr>) -> Result<(), NetworkError> {
        conntrack::forget(&mut self.channel, addresses)
    }

    /// Deletes the table.
    pub(crate) fn uninstall(&mut self) -> Result<(), NetworkError> {
        self.tasks.clear();
        self.rules.uninstall(&mut self.channel)
    }
}
