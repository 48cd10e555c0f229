//! Limits what strangers can make the log write.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};

use base::Timestamp;

/// Refused calls of one address that are recorded one by one, each minute.
const MAX_PER_ADDRESS: u64 = 100;
/// Refused calls of all addresses that are recorded one by one, each minute.
const MAX_PER_MINUTE: u64 = 1000;
/// Addresses that are told apart, each minute.
const MAX_ADDRESSES: usize = 10_000;
const MINUTE_MS: i64 = 60_000;

/// Counts refused calls.
#[derive(Debug, Default)]
pub(crate) struct Flood(Mutex<Minute>);

#[derive(Debug, Default)]
struct Minute {
    began_ms: i64,
    recorded: u64,
    seen: BTreeMap<IpAddr, u64>,
    /// Those that got no record of their own.
    counted: BTreeMap<IpAddr, u64>,
}

/// The network that one client has to itself.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let prefix = u128::from(address) & !u128::from(u64::MAX);
            IpAddr::V6(Ipv6Addr::from(prefix))
        }
    }
}

impl Flood {
    /// Whether a refused call of `address` gets a record of its own. Otherwise it is counted.
    pub(crate) fn admits(&self, address: IpAddr, now: Timestamp) -> bool {
        let mut minute = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        minute.turn(now);
        let mut network = network(address);
        if minute.seen.len() >= MAX_ADDRESSES && !minute.seen.contains_key(&network) {
            // All the others together.
            network = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        }
        let seen = minute.seen.entry(network).or_default();
        *seen = seen.saturating_add(1);
        if *seen <= MAX_PER_ADDRESS && minute.recorded < MAX_PER_MINUTE {
            minute.recorded = minute.recorded.saturating_add(1);
            return true;
        }
        minute.count(network, 1);
        false
    }

    /// Takes what was counted in minutes that have passed; with `all`, also in this one.
    pub(crate) fn take(&self, now: Timestamp, all: bool) -> BTreeMap<IpAddr, u64> {
        let mut minute = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if minute.turn(now) || all { std::mem::take(&mut minute.counted) } else { BTreeMap::new() }
    }

    /// Gives back what could not be recorded.
    pub(crate) fn give_back(&self, address: IpAddr, count: u64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).count(address, count);
    }
}

impl Minute {
    /// Begins a new minute if this one has passed.
    fn turn(&mut self, now: Timestamp) -> bool {
        let since = now.as_epoch_ms().saturating_sub(self.began_ms);
        if (0..MINUTE_MS).contains(&since) {
            return false;
        }
        self.began_ms = now.as_epoch_ms();
        self.recorded = 0;
        self.seen.clear();
        true
    }

    fn count(&mut self, address: IpAddr, count: u64) {
        let counted = self.counted.entry(address).or_default();
        *counted = counted.saturating_add(count);
    }
}
