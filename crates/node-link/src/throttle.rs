//! How often an address may fail to join.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};

use base::Timestamp;

/// Failures of one address within a window, at most.
const MAX_FAILURES: u32 = 10;
/// A window, in milliseconds.
const WINDOW_MS: i64 = 60_000;
/// Addresses that are remembered. The rest share one entry.
const MAX_ADDRESSES: usize = 1024;
/// The entry of the rest.
const OTHERS: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);

/// Counts failures by address.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    windows: Mutex<BTreeMap<IpAddr, Window>>,
}

#[derive(Debug)]
struct Window {
    begin: Timestamp,
    failures: u32,
}

impl Window {
    const fn is_over(&self, now: Timestamp) -> bool {
        let age = now.as_epoch_ms().saturating_sub(self.begin.as_epoch_ms());
        age >= WINDOW_MS || age < 0
    }
}

impl Throttle {
    /// Whether this address may try.
    pub(crate) fn allows(&self, address: IpAddr, now: Timestamp) -> bool {
        let windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        let full = windows.len() >= MAX_ADDRESSES && !windows.contains_key(&address);
        let entry = windows.get(if full { &OTHERS } else { &address });
        entry.is_none_or(|window| window.is_over(now) || window.failures < MAX_FAILURES)
    }

    /// Counts a failure.
    pub(crate) fn failed(&self, address: IpAddr, now: Timestamp) {
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        if windows.len() >= MAX_ADDRESSES {
            windows.retain(|_, window| !window.is_over(now));
        }
        let full = windows.len() >= MAX_ADDRESSES && !windows.contains_key(&address);
        let window = windows
            .entry(if full { OTHERS } else { address })
            .or_insert(Window { begin: now, failures: 0 });
        if window.is_over(now) {
            *window = Window { begin: now, failures: 0 };
        }
        window.failures = window.failures.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_failures_lock_an_address_out_for_the_rest_of_the_minute() {
        let (throttle, begin) = (Throttle::default(), Timestamp::from_epoch_ms(1_000_000));
        let (bad, good) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
        for _ in 0..MAX_FAILURES {
            assert!(throttle.allows(bad, begin));
            throttle.failed(bad, begin);
        }
        assert!(!throttle.allows(bad, begin.plus_seconds(59)));
        assert!(throttle.allows(good, begin));
        assert!(throttle.allows(bad, begin.plus_seconds(60)));
    }

    #[test]
    fn a_clock_that_is_put_back_or_forward_locks_nobody_out_for_longer() {
        let (throttle, begin) = (Throttle::default(), Timestamp::from_epoch_ms(1_000_000_000));
        let address = "192.0.2.1".parse().unwrap();
        (0..MAX_FAILURES).for_each(|_| throttle.failed(address, begin));
        assert!(!throttle.allows(address, begin));
        assert!(throttle.allows(address, begin.plus_seconds(-3600)));
        assert!(throttle.allows(address, begin.plus_seconds(3600)));
    }

    #[test]
    fn many_addresses_take_no_more_room_than_is_stated() {
        let (throttle, now) = (Throttle::default(), Timestamp::from_epoch_ms(0));
        for address in 0..5000_u32 {
            throttle.failed(IpAddr::V4(address.into()), now);
        }
        assert!(throttle.windows.lock().unwrap().len() <= MAX_ADDRESSES + 1);
        assert!(!throttle.allows("203.0.113.7".parse().unwrap(), now));
    }
}
