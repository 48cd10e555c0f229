//! Addresses in use.

use std::{collections::BTreeSet, net::Ipv4Addr};

use crate::{error::NetworkError, subnet::Subnet};

/// Hands out each address at most once, and as late as possible after it came back.
#[derive(Debug)]
pub(crate) struct AddressPool {
    subnet: Subnet,
    used: BTreeSet<u32>,
    next: u32,
}

impl AddressPool {
    pub(crate) fn new(subnet: Subnet) -> Self {
        Self { subnet, used: BTreeSet::new(), next: 0 }
    }

    pub(crate) fn take(&mut self) -> Result<Ipv4Addr, NetworkError> {
        let capacity = self.subnet.capacity();
        let index = (self.next..capacity)
            .chain(0..self.next)
            .find(|index| !self.used.contains(index))
            .ok_or(NetworkError::AddressesExhausted { subnet: self.subnet })?;
        self.used.insert(index);
        self.next = (index + 1) % capacity;
        Ok(self.subnet.address(index))
    }

    /// Marks an address that a task has kept from an earlier run. False when it is not of this subnet or is
    /// somebody else's.
    pub(crate) fn keep(&mut self, address: Ipv4Addr) -> bool {
        let Some(index) = self.subnet.index_of(address) else { return false };
        self.next = self.next.max((index + 1) % self.subnet.capacity());
        self.used.insert(index)
    }

    pub(crate) fn give_back(&mut self, address: Ipv4Addr) {
        if let Some(index) = self.subnet.index_of(address) {
            self.used.remove(&index);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_comes_back_only_after_all_others_and_never_twice() {
        let mut pool = AddressPool::new("10.9.0.0/28".parse().unwrap());
        assert!(pool.keep([10, 9, 0, 3].into()));
        assert!(!pool.keep([10, 9, 0, 3].into()), "kept twice");
        assert!(!pool.keep([10, 8, 0, 3].into()), "another subnet");
        let all: Vec<_> = (0..12).map(|_| pool.take().unwrap().octets()[3]).collect();
        assert_eq!(all, [4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 2]);
        let error = pool.take().unwrap_err().to_string();
        assert!(error.contains("no free address in 10.9.0.0/28"), "{error}");
        pool.give_back([10, 9, 0, 7].into());
        assert_eq!(pool.take().unwrap(), Ipv4Addr::new(10, 9, 0, 7));
    }
}
