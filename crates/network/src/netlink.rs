//! Requests to the kernel over netlink.
//!
//! The kernel carries a request out while it is being sent and has its answer queued when `send` returns, so
//! nothing here waits and nothing is asynchronous. A socket belongs to the network namespace of the thread that
//! made it, for ever; afterwards it may be used from anywhere.

use std::io;

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST, NetlinkDeserializable, NetlinkHeader, NetlinkMessage,
    NetlinkPayload, NetlinkSerializable,
};
use netlink_sys::{
    Socket, SocketAddr,
    protocols::{NETLINK_NETFILTER, NETLINK_ROUTE},
};
use nix::sys::{
    socket::{setsockopt, sockopt},
    time::TimeVal,
};

use crate::error::NetworkError;

/// The kernel answers at once; this only bounds what a bug could hang.
const ANSWER_TIMEOUT_S: i64 = 10;
/// Room for a whole ruleset with the elements of some ten thousand tasks in one batch.
const SEND_BUFFER_BYTES: usize = 32 << 20;

/// One message and what it is for.
#[derive(Debug)]
pub(crate) struct Request<T> {
    /// Completes the sentence "the kernel refused to …".
    pub(crate) what: &'static str,
    pub(crate) message: T,
    /// `NLM_F_CREATE` and the like.
    pub(crate) flags: u16,
}

/// A netlink socket.
#[derive(Debug)]
pub(crate) struct Channel {
    socket: Socket,
    /// Answers carry the number of their request; those to an earlier call are passed over.
    next_sequence: u32,
}

impl Channel {
    /// Links, addresses, routes and neighbours of the calling thread's network namespace.
    pub(crate) fn route() -> io::Result<Self> {
        Self::open(NETLINK_ROUTE)
    }

    /// Firewall and connection tracking of the calling thread's network namespace.
    pub(crate) fn netfilter() -> io::Result<Self> {
        Self::open(NETLINK_NETFILTER)
    }

    fn open(protocol: isize) -> io::Result<Self> {
        let mut socket = Socket::new(protocol)?;
        socket.bind_auto()?;
        socket.set_cap_ack(true)?;
        setsockopt(&socket, sockopt::ReceiveTimeout, &TimeVal::new(ANSWER_TIMEOUT_S, 0))?;
        setsockopt(&socket, sockopt::SndBufForce, &SEND_BUFFER_BYTES)?;
        Ok(Self { socket, next_sequence: 1 })
    }

    /// Sends all requests at once; they are independent of each other for the kernel. The first refusal for
    /// which `tolerated` is false is the result, after all were tried.
    pub(crate) fn send<T>(
        &mut self,
        requests: Vec<Request<T>>,
        tolerated: impl Fn(&io::Error) -> bool,
    ) -> Result<(), NetworkError>
    where
        T: NetlinkSerializable + NetlinkDeserializable,
    {
        let mut whats = Vec::with_capacity(requests.len());
        let mut buffer = Vec::with_capacity(1024);
        let start = self.next_sequence;
        for request in requests {
            whats.push(request.what);
            let flags = NLM_F_REQUEST | NLM_F_ACK | request.flags;
            let sequence = self.sequence();
            push(&mut buffer, request.message, flags, sequence);
        }
        let Some(first) = whats.first() else { return Ok(()) };
        let mut outcome = Ok(());
        let mut answered = 0;
        self.socket
            .send_to(&buffer, &SocketAddr::new(0, 0), 0)
            .map_err(NetworkError::kernel(first))?;
        while answered < whats.len() {
            for answer in self.receive::<T>().map_err(NetworkError::kernel(first))? {
                let NetlinkPayload::Error(error) = answer.payload else { continue };
                let index = answer.header.sequence_number.wrapping_sub(start) as usize;
                let Some(what) = whats.get(index) else { continue };
                answered += 1;
                let reason = error.to_io();
                if error.code.is_some() && !tolerated(&reason) && outcome.is_ok() {
                    outcome = Err(NetworkError::Kernel { what, reason });
                }
            }
        }
        outcome
    }

    /// Sends requests between the two messages that make them one transaction: all take effect or none.
    pub(crate) fn transaction<T>(
        &mut self,
        begin: T,
        requests: Vec<Request<T>>,
        end: T,
    ) -> Result<(), NetworkError>
    where
        T: NetlinkSerializable + NetlinkDeserializable,
    {
        let count = requests.len();
        let mut whats = Vec::with_capacity(count);
        let mut buffer = Vec::with_capacity(4096);
        let start = self.sequence();
        push(&mut buffer, begin, NLM_F_REQUEST, start);
        for request in requests {
            whats.push(request.what);
            let sequence = self.sequence();
            // The acknowledgement of the last one is sent after the transaction took effect.
            let ack = if whats.len() == count { NLM_F_ACK } else { 0 };
            push(&mut buffer, request.message, NLM_F_REQUEST | ack | request.flags, sequence);
        }
        let stop = self.sequence();
        push(&mut buffer, end, NLM_F_REQUEST, stop);
        let Some(last) = whats.last() else { return Ok(()) };
        self.socket
            .send_to(&buffer, &SocketAddr::new(0, 0), 0)
            .map_err(NetworkError::kernel(last))?;
        loop {
            for answer in self.receive::<T>().map_err(NetworkError::kernel(last))? {
                let NetlinkPayload::Error(error) = answer.payload else { continue };
                let index = answer.header.sequence_number.wrapping_sub(start) as usize;
                if index > count + 1 {
                    continue;
                }
                if error.code.is_some() {
                    // A refusal of the whole comes as one of the message that begins it.
                    let what = index.checked_sub(1).and_then(|index| whats.get(index));
                    let what = what.copied().unwrap_or("commit a firewall change");
                    return Err(NetworkError::Kernel { what, reason: error.to_io() });
                }
                if index == count {
                    return Ok(());
                }
            }
        }
    }

    /// Asks for all objects of a kind.
    pub(crate) fn dump<T>(&mut self, what: &'static str, message: T) -> Result<Vec<T>, NetworkError>
    where
        T: NetlinkSerializable + NetlinkDeserializable,
    {
        let mut buffer = Vec::with_capacity(256);
        let sequence = self.sequence();
        push(&mut buffer, message, NLM_F_REQUEST | NLM_F_DUMP, sequence);
        self.socket
            .send_to(&buffer, &SocketAddr::new(0, 0), 0)
            .map_err(NetworkError::kernel(what))?;
        let mut objects = Vec::new();
        loop {
            for answer in self.receive::<T>().map_err(NetworkError::kernel(what))? {
                if answer.header.sequence_number != sequence {
                    continue;
                }
                if let NetlinkPayload::InnerMessage(object) = answer.payload {
                    objects.push(object);
                } else if let NetlinkPayload::Error(error) = answer.payload {
                    return Err(NetworkError::Kernel { what, reason: error.to_io() });
                } else if let NetlinkPayload::Done(_) = answer.payload {
                    return Ok(objects);
                }
            }
        }
    }

    fn sequence(&mut self) -> u32 {
        let sequence = self.next_sequence;
        self.next_sequence = sequence.wrapping_add(1);
        sequence
    }

    fn receive<T: NetlinkDeserializable>(&self) -> io::Result<Vec<NetlinkMessage<T>>> {
        let (bytes, _) = self.socket.recv_from_full()?;
        let mut rest = bytes.as_slice();
        let mut messages = Vec::new();
        while !rest.is_empty() {
            let message = NetlinkMessage::<T>::deserialize(rest)
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            let length = (message.header.length as usize).next_multiple_of(4).max(4);
            messages.push(message);
            rest = rest.get(length..).unwrap_or_default();
        }
        Ok(messages)
    }
}

fn push<T: NetlinkSerializable>(buffer: &mut Vec<u8>, message: T, flags: u16, sequence: u32) {
    let mut header = NetlinkHeader::default();
    header.flags = flags;
    header.sequence_number = sequence;
    let mut message = NetlinkMessage::new(header, NetlinkPayload::InnerMessage(message));
    message.finalize();
    let start = buffer.len();
    let length = message.buffer_len();
    buffer.resize(start + length.next_multiple_of(4), 0);
    if let Some(slot) = buffer.get_mut(start..start + length) {
        message.serialize(slot);
    }
}
