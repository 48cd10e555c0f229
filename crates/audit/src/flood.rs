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
/// All the others together.
const OTHERS: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

/// Counts refused calls.
#[derive(Debug, Default)]
pub(crate) struct Flood(Mutex<Minute>);

#[derive(Debug, Default)]
struct Minute {
    began_ms: i64,
    recorded: u64,
    seen: BTreeMap<IpAddr, u64>,
    /// Those of this minute that got no record of their own.
    counted: BTreeMap<IpAddr, u64>,
    /// Those of minutes that have passed.
    passed: BTreeMap<IpAddr, u64>,
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
            network = OTHERS;
        }
        let seen = minute.seen.entry(network).or_default();
        *seen = seen.saturating_add(1);
        if *seen <= MAX_PER_ADDRESS && minute.recorded < MAX_PER_MINUTE {
            minute.recorded = minute.recorded.saturating_add(1);
            return true;
        }
        count(&mut minute.counted, network, 1);
        false
    }

    /// Takes what was counted in minutes that have passed; with `all`, also in this one.
    pub(crate) fn take(&self, now: Timestamp, all: bool) -> BTreeMap<IpAddr, u64> {
        let mut minute = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        minute.turn(now);
        if all {
            minute.pass();
        }
        std::mem::take(&mut minute.passed)
    }

    /// Gives back what could not be recorded.
    pub(crate) fn give_back(&self, address: IpAddr, calls: u64) {
        let mut minute = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        count(&mut minute.passed, address, calls);
    }
}

impl Minute {
    /// Begins a new minute if this one has passed.
    fn turn(&mut self, now: Timestamp) {
        let since = now.as_epoch_ms().saturating_sub(self.began_ms);
        if (0..MINUTE_MS).contains(&since) {
            return;
        }
        self.began_ms = now.as_epoch_ms();
        self.recorded = 0;
        self.seen.clear();
        self.pass();
    }

    fn pass(&mut self) {
        for (address, calls) in std::mem::take(&mut self.counted) {
            count(&mut self.passed, address, calls);
        }
    }
}

/// Counts calls of an address, as long as there is room to tell it apart.
fn count(calls_of: &mut BTreeMap<IpAddr, u64>, address: IpAddr, calls: u64) {
    let is_told_apart = calls_of.len() < MAX_ADDRESSES || calls_of.contains_key(&address);
    let counted = calls_of.entry(if is_told_apart { address } else { OTHERS }).or_default();
    *counted = counted.saturating_add(calls);
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: i64) -> Timestamp {
        Timestamp::from_epoch_ms(seconds * 1000)
    }

    #[test]
    fn what_is_counted_is_told_each_minute_also_while_the_flood_goes_on() {
        let flood = Flood::default();
        let address: IpAddr = "192.0.2.1".parse().unwrap();
        let mut told = Vec::new();
        for second in 60..240 {
            // It is a call that finds that the minute has passed, not who asks for the counts.
            let admitted = (0..10).filter(|_| flood.admits(address, at(second))).count();
            assert_eq!(admitted, if second % 60 < 10 { 10 } else { 0 }, "second {second}");
            told.extend(flood.take(at(second), false).into_iter().map(|told| (second, told)));
        }
        assert_eq!(told, [(120, (address, 500)), (180, (address, 500))]);
        assert_eq!(flood.take(at(239), true), BTreeMap::from([(address, 500)]));
        flood.give_back(address, 7);
        assert_eq!(flood.take(at(239), false), BTreeMap::from([(address, 7)]));
    }

    #[test]
    fn many_addresses_take_no_more_room_than_is_stated() {
        let flood = Flood::default();
        for minute in 1..4_u32 {
            for number in 0..12_000 {
                let address = Ipv4Addr::from(0x0a00_0000 + minute * 20_000 + number);
                flood.admits(address.into(), at(i64::from(minute) * 60));
            }
        }
        let told = flood.take(at(300), false);
        assert!(told.len() <= MAX_ADDRESSES + 1, "{}", told.len());
        assert_eq!(told.values().sum::<u64>(), 3 * (12_000 - MAX_PER_MINUTE));
    }
}
