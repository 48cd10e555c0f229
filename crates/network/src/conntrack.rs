//! Connections that the kernel still tracks after their rule is gone.

use std::{
    collections::BTreeSet,
    io,
    net::{IpAddr, Ipv4Addr},
};

use netlink_packet_core::{DefaultNla, Emitable, Nla};
use netlink_packet_netfilter::{
    NetfilterHeader, NetfilterMessage, NetfilterMessageInner, NetfilterProtoFamily,
    conntrack::{ConntrackAttribute, ConntrackMessage, ConntrackMessageType, IPTuple, Tuple},
};
use nix::errno::Errno;

use crate::{
    error::NetworkError,
    netlink::{Channel, Request},
};

// linux/netfilter/nfnetlink_conntrack.h
const CTA_TUPLE_IP: u16 = 1;
const CTA_TUPLE_REPLY: u16 = 2;
const CTA_FILTER: u16 = 25;
const CTA_FILTER_ORIG_FLAGS: u16 = 1;
const CTA_FILTER_REPLY_FLAGS: u16 = 2;
const FILTER_BY_SOURCE: u32 = 1;

/// The answers to these fit into a socket's receive buffer.
const DELETIONS_AT_ONCE: usize = 100;

/// Deletes every tracked connection that one of the tasks at `addresses` answers, so that no packet of theirs
/// reaches the next task that has the address. The kernel walks its whole table for this: some milliseconds.
pub(crate) fn forget(
    channel: &mut Channel,
    addresses: &BTreeSet<Ipv4Addr>,
) -> Result<(), NetworkError> {
    let attributes = match addresses.first() {
        None => return Ok(()),
        Some(address) if addresses.len() == 1 => answered_by(*address),
        Some(_) => Vec::new(),
    };
    let message_type = ConntrackMessageType::Get.into();
    let query = message(ConntrackMessage::Other { message_type, attributes });
    let tracked = channel.dump("list tracked connections", query)?;
    let deletions = tracked.into_iter().filter_map(|tracked| {
        let NetfilterMessageInner::Conntrack(ConntrackMessage::New(attributes)) = tracked.inner
        else {
            return None;
        };
        // Looked at again, because kernels before 5.8 ignore the filter.
        if !attributes.iter().any(|attribute| is_answered_by(attribute, addresses)) {
            return None;
        }
        let original = attributes
            .into_iter()
            .find(|attribute| matches!(attribute, ConntrackAttribute::CtaTupleOrig(_)))?;
        Some(Request {
            what: "delete a tracked connection",
            message: message(ConntrackMessage::Delete(vec![original])),
            flags: 0,
        })
    });
    let deletions: Vec<_> = deletions.collect();
    let mut rest = deletions.into_iter().peekable();
    while rest.peek().is_some() {
        channel.send(rest.by_ref().take(DELETIONS_AT_ONCE).collect(), is_gone)?;
    }
    Ok(())
}

fn is_gone(reason: &io::Error) -> bool {
    reason.raw_os_error() == Some(Errno::ENOENT as i32)
}

/// A filter that the kernel applies. Put together here, because the packet library does not know its type.
fn answered_by(address: Ipv4Addr) -> Vec<DefaultNla> {
    let source = nested(CTA_TUPLE_IP, &[IPTuple::SourceAddress(IpAddr::V4(address))]);
    let filter = [
        DefaultNla::new(CTA_FILTER_ORIG_FLAGS, 0_u32.to_ne_bytes().to_vec()),
        DefaultNla::new(CTA_FILTER_REPLY_FLAGS, FILTER_BY_SOURCE.to_ne_bytes().to_vec()),
    ];
    vec![nested(CTA_TUPLE_REPLY, &[source]), nested(CTA_FILTER, &filter)]
}

fn is_answered_by(attribute: &ConntrackAttribute, addresses: &BTreeSet<Ipv4Addr>) -> bool {
    let ConntrackAttribute::CtaTupleReply(tuples) = attribute else { return false };
    tuples.iter().any(|tuple| {
        let Tuple::Ip(ends) = tuple else { return false };
        ends.iter().any(|end| {
            matches!(end, IPTuple::SourceAddress(IpAddr::V4(source)) if addresses.contains(source))
        })
    })
}

fn message(inner: ConntrackMessage) -> NetfilterMessage {
    NetfilterMessage::new(NetfilterHeader::new(NetfilterProtoFamily::IPv4, 0, 0), inner)
}

fn nested<N: Nla>(kind: u16, attributes: &[N]) -> DefaultNla {
    let mut bytes = vec![0; attributes.buffer_len()];
    attributes.emit(&mut bytes);
    DefaultNla::new(kind | netlink_packet_core::NLA_F_NESTED, bytes)
}
