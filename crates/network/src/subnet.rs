//! The subnet that tasks get their addresses from.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr},
    str::FromStr,
};

/// An IPv4 network, `/8` to `/28`. Its first address is the host's, the last is never given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subnet {
    network: u32,
    prefix_len: u8,
}

/// Why a text is no [`Subnet`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is not an IPv4 network from /8 to /28 with no bits set after the prefix, like `10.213.0.0/16`"
)]
pub struct ParseSubnetError {
    text: String,
}

impl Default for Subnet {
    fn default() -> Self {
        Self { network: u32::from(Ipv4Addr::new(10, 213, 0, 0)), prefix_len: 16 }
    }
}

impl FromStr for Subnet {
    type Err = ParseSubnetError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let (network, prefix_len) = text.split_once('/')?;
            let network = u32::from(network.parse::<Ipv4Addr>().ok()?);
            let prefix_len = prefix_len.parse().ok().filter(|len| (8..=28).contains(len))?;
            let subnet = Self { network, prefix_len };
            (network & (subnet.size() - 1) == 0).then_some(subnet)
        };
        parse().ok_or_else(|| ParseSubnetError { text: text.to_owned() })
    }
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", Ipv4Addr::from(self.network), self.prefix_len)
    }
}

impl Subnet {
    const fn size(self) -> u32 {
        1 << (32 - self.prefix_len)
    }

    /// The host's address towards its tasks.
    pub(crate) fn gateway(self) -> Ipv4Addr {
        Ipv4Addr::from(self.network + 1)
    }

    /// How many addresses tasks may have.
    pub(crate) const fn capacity(self) -> u32 {
        self.size() - 3
    }

    /// The address at `index`, counted from 0 below [`Subnet::capacity`].
    pub(crate) fn address(self, index: u32) -> Ipv4Addr {
        Ipv4Addr::from(self.network + 2 + index)
    }

    /// Whether a task may have this address.
    pub fn is_of_task(self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(address) => self.index_of(address).is_some(),
            IpAddr::V6(_) => false,
        }
    }

    /// The number of an address within the subnet, if it is one of a task.
    pub(crate) fn index_of(self, address: Ipv4Addr) -> Option<u32> {
        u32::from(address).checked_sub(self.network + 2).filter(|index| *index < self.capacity())
    }
}

#[cfg(test)]
mod tests {
    use super::Subnet;

    fn check(text: &str, expected: Option<(&str, &str, &str)>) {
        let got = text.parse::<Subnet>().ok().map(|subnet| {
            let last = subnet.address(subnet.capacity() - 1);
            (subnet.gateway().to_string(), subnet.address(0).to_string(), last.to_string())
        });
        let expected = expected.map(|(a, b, c)| (a.to_owned(), b.to_owned(), c.to_owned()));
        assert_eq!(got, expected, "{text}");
    }

    #[test]
    fn a_subnet_keeps_the_gateway_and_both_ends_for_itself() {
        check("10.213.0.0/16", Some(("10.213.0.1", "10.213.0.2", "10.213.255.254")));
        check("192.168.7.16/28", Some(("192.168.7.17", "192.168.7.18", "192.168.7.30")));
        for wrong in
            ["10.213.0.0", "10.213.0.1/16", "10.0.0.0/29", "10.0.0.0/7", "::/16", "x/16", ""]
        {
            check(wrong, None);
        }
    }

    #[test]
    fn only_addresses_of_tasks_have_an_index() {
        let subnet = Subnet::default();
        assert_eq!(subnet.index_of(subnet.address(77)), Some(77));
        assert_eq!(subnet.index_of(subnet.gateway()), None);
        assert_eq!(subnet.index_of([10, 213, 255, 255].into()), None);
        assert_eq!(subnet.index_of([10, 212, 0, 5].into()), None);
    }
}
