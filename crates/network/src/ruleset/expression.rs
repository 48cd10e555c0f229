//! The conditions and actions that rules are made of, each as the expressions of the kernel's small machine.
//!
//! Registers are counted in slots of four bytes; a condition starts over at the first slot.

use std::net::Ipv4Addr;

use netlink_packet_core::DefaultNla;
use netlink_packet_netfilter::nftables::{
    Bitwise, Cmp, DataAttribute, Expressions, Immediate, Lookup, Meta, MetaKey, Operator, Payload,
    Register, Verdict, VerdictAttribute,
};

use crate::driver::Protocol;

pub(super) const SLOT_BYTES: u32 = 4;
pub(super) const INTERFACE_NAME_BYTES: usize = 16;

// linux/netfilter.h
const DROP: u32 = 0;
pub(super) const ACCEPT: u32 = 1;
const NFPROTO_IPV4: u8 = 2;
// linux/netfilter/nf_tables.h
const PAYLOAD_NETWORK: u32 = 1;
const PAYLOAD_TRANSPORT: u32 = 2;
const LOOKUP_INVERTED: u32 = 1;
const CT_STATE: u32 = 0;
const CT_STATUS: u32 = 2;
const FIB_ADDRESS_TYPE: u32 = 3;
const FIB_BY_DESTINATION: u32 = 1 << 1;
const NAT_SOURCE: u32 = 0;
const NAT_DESTINATION: u32 = 1;
// linux/netfilter/nf_conntrack_common.h
const ESTABLISHED_OR_RELATED: u32 = 1 << 1 | 1 << 2;
const STATUS_DNAT: u32 = 1 << 5;
// linux/rtnetlink.h
const RTN_LOCAL: u32 = 2;
// Offsets within the IPv4 header and the headers of TCP and UDP.
const SOURCE_ADDRESS: u32 = 12;
const DESTINATION_ADDRESS: u32 = 16;
const DESTINATION_PORT: u32 = 2;

const FIRST: Register = Register::Reg32_00;

type Condition = Vec<Expressions>;

/// A key of several fields, each padded to whole slots.
pub(super) fn concatenate(fields: &[&[u8]]) -> Vec<u8> {
    let mut key = Vec::new();
    for field in fields {
        key.extend_from_slice(field);
        key.resize(key.len().next_multiple_of(4), 0);
    }
    key
}

pub(super) fn in_interface_starts(prefix: &str) -> Condition {
    vec![meta(MetaKey::Iifname, FIRST), compare(Operator::Equal, prefix.as_bytes())]
}

pub(super) fn out_interface_starts(prefix: &str) -> Condition {
    vec![meta(MetaKey::Oifname, FIRST), compare(Operator::Equal, prefix.as_bytes())]
}

pub(super) fn is_ipv4() -> Condition {
    vec![meta(MetaKey::Nfproto, FIRST), compare(Operator::Equal, &[NFPROTO_IPV4])]
}

pub(super) fn is_not_ipv4() -> Condition {
    vec![meta(MetaKey::Nfproto, FIRST), compare(Operator::NotEqual, &[NFPROTO_IPV4])]
}

/// The interface it came from and its source address together are not in `set`. For IPv4 only.
pub(super) fn source_is_not_in(set: &str) -> Condition {
    is_not_in(set, MetaKey::Iifname, SOURCE_ADDRESS)
}

/// The interface it leaves by and its destination address together are not in `set`. For IPv4 only.
pub(super) fn destination_is_not_in(set: &str) -> Condition {
    is_not_in(set, MetaKey::Oifname, DESTINATION_ADDRESS)
}

fn is_not_in(set: &str, interface: MetaKey, address: u32) -> Condition {
    vec![
        meta(interface, FIRST),
        payload(PAYLOAD_NETWORK, address, 4, Register::Reg32_04),
        Expressions::Lookup(vec![
            Lookup::Set(set.to_owned()),
            Lookup::SourceRegister(FIRST),
            Lookup::Flags(LOOKUP_INVERTED),
        ]),
    ]
}

/// For IPv4 only.
pub(super) fn destination_is(address: Ipv4Addr) -> Condition {
    vec![
        payload(PAYLOAD_NETWORK, DESTINATION_ADDRESS, 4, FIRST),
        compare(Operator::Equal, &address.octets()),
    ]
}

/// For IPv4 only.
pub(super) fn destination_within(network: (Ipv4Addr, Ipv4Addr)) -> Condition {
    address_within(DESTINATION_ADDRESS, network)
}

/// For IPv4 only.
pub(super) fn source_within(network: (Ipv4Addr, Ipv4Addr)) -> Condition {
    address_within(SOURCE_ADDRESS, network)
}

fn address_within(offset: u32, (network, mask): (Ipv4Addr, Ipv4Addr)) -> Condition {
    vec![
        payload(PAYLOAD_NETWORK, offset, 4, FIRST),
        mask_bits(mask.octets()),
        compare(Operator::Equal, &network.octets()),
    ]
}

/// The packet belongs to a connection that was allowed, or reports an error of one.
pub(super) fn is_established() -> Condition {
    tracked_bits(CT_STATE, ESTABLISHED_OR_RELATED)
}

/// The packet belongs to a connection whose destination was rewritten.
pub(super) fn is_redirected() -> Condition {
    tracked_bits(CT_STATUS, STATUS_DNAT)
}

fn tracked_bits(key: u32, bits: u32) -> Condition {
    vec![
        other("ct", &[(1, slot(FIRST)), (2, key)]),
        mask_bits(bits.to_ne_bytes()),
        compare(Operator::NotEqual, &[0; 4]),
    ]
}

/// IPv4, and address, protocol and port of the destination are in `set`.
pub(super) fn target_is_in(set: &str) -> Condition {
    let mut condition = is_ipv4();
    condition.extend([
        payload(PAYLOAD_NETWORK, DESTINATION_ADDRESS, 4, FIRST),
        meta(MetaKey::L4Proto, Register::Reg32_01),
        payload(PAYLOAD_TRANSPORT, DESTINATION_PORT, 2, Register::Reg32_02),
        Expressions::Lookup(vec![Lookup::Set(set.to_owned()), Lookup::SourceRegister(FIRST)]),
    ]);
    condition
}

/// The destination is one of this host's addresses.
pub(super) fn destination_is_this_host() -> Condition {
    vec![
        other("fib", &[(1, slot(FIRST)), (2, FIB_ADDRESS_TYPE), (3, FIB_BY_DESTINATION)]),
        compare(Operator::Equal, &RTN_LOCAL.to_ne_bytes()),
    ]
}

/// Sends the packet to where `map` leads by protocol and port; does nothing when it is not there. For IPv4 only.
pub(super) fn redirect_by(map: &str) -> Condition {
    vec![
        meta(MetaKey::L4Proto, FIRST),
        payload(PAYLOAD_TRANSPORT, DESTINATION_PORT, 2, Register::Reg32_01),
        Expressions::Lookup(vec![
            Lookup::Set(map.to_owned()),
            Lookup::SourceRegister(FIRST),
            Lookup::DestinationRegister(FIRST),
        ]),
        redirect_to_registers(),
    ]
}

/// IPv4, TCP, to this address and port.
pub(super) fn is_tcp_to(address: Ipv4Addr, port: u16) -> Condition {
    let mut condition = is_ipv4();
    condition.extend(destination_is(address));
    condition.extend([
        meta(MetaKey::L4Proto, FIRST),
        compare(Operator::Equal, &[Protocol::Tcp.number()]),
        payload(PAYLOAD_TRANSPORT, DESTINATION_PORT, 2, FIRST),
        compare(Operator::Equal, &port.to_be_bytes()),
    ]);
    condition
}

/// Sends the packet to `address` and `port`. For IPv4 only.
pub(super) fn redirect_to(address: Ipv4Addr, port: u16) -> Condition {
    let load = |register, value: &[u8]| {
        Expressions::Immediate(vec![
            Immediate::DestinationRegister(register),
            Immediate::Data(DataAttribute::Value(value.to_vec())),
        ])
    };
    vec![
        load(FIRST, &address.octets()),
        load(Register::Reg32_01, &port.to_be_bytes()),
        redirect_to_registers(),
    ]
}

/// Sends the packet to the address in the first slot and the port in the second.
fn redirect_to_registers() -> Expressions {
    other(
        "nat",
        &[
            (1, NAT_DESTINATION),
            (2, u32::from(NFPROTO_IPV4)),
            (3, slot(FIRST)),
            (5, slot(Register::Reg32_01)),
        ],
    )
}

/// Lets the packet appear to come from `address`. For IPv4 only.
pub(super) fn rewrite_source(address: Ipv4Addr) -> Condition {
    vec![
        Expressions::Immediate(vec![
            Immediate::DestinationRegister(FIRST),
            Immediate::Data(DataAttribute::Value(address.octets().to_vec())),
        ]),
        other("nat", &[(1, NAT_SOURCE), (2, u32::from(NFPROTO_IPV4)), (3, slot(FIRST))]),
    ]
}

pub(super) fn accept() -> Condition {
    verdict(ACCEPT)
}

pub(super) fn drop() -> Condition {
    verdict(DROP)
}

fn verdict(code: u32) -> Condition {
    let verdict = DataAttribute::Verdict(vec![VerdictAttribute::Code(Verdict::Other(code))]);
    vec![Expressions::Immediate(vec![
        Immediate::DestinationRegister(Register::Verdict),
        Immediate::Data(verdict),
    ])]
}

fn meta(key: MetaKey, register: Register) -> Expressions {
    Expressions::Meta(vec![Meta::DestinationRegister(register), Meta::Key(key)])
}

fn payload(base: u32, offset: u32, length: u32, register: Register) -> Expressions {
    Expressions::Payload(vec![
        Payload::DestinationRegister(register),
        Payload::Base(base),
        Payload::Offset(offset),
        Payload::Len(length),
    ])
}

fn compare(operator: Operator, value: &[u8]) -> Expressions {
    Expressions::Cmp(vec![
        Cmp::SourceRegister(FIRST),
        Cmp::Op(operator),
        Cmp::Data(DataAttribute::Value(value.to_vec())),
    ])
}

fn mask_bits(mask: [u8; 4]) -> Expressions {
    Expressions::Bitwise(vec![
        Bitwise::SourceRegister(FIRST),
        Bitwise::DestinationRegister(FIRST),
        Bitwise::Length(SLOT_BYTES),
        Bitwise::Mask(DataAttribute::Value(mask.to_vec())),
        Bitwise::Xor(DataAttribute::Value(vec![0; 4])),
    ])
}

/// An expression that the packet library has no type for: numbers in network byte order.
fn other(name: &str, attributes: &[(u16, u32)]) -> Expressions {
    let attributes = attributes
        .iter()
        .map(|(kind, value)| DefaultNla::new(*kind, value.to_be_bytes().to_vec()))
        .collect();
    Expressions::Other { expression_type: name.to_owned(), attributes }
}

fn slot(register: Register) -> u32 {
    u32::from(register)
}
