//! The firewall: one nftables table of family `inet` per instance.
//!
//! The rules are fixed; what belongs to a task is elements of four sets, added and deleted in one transaction:
//!
//! | set | element | meaning |
//! |---|---|---|
//! | `addresses` | interface . address | the task's own address; without it, nothing passes either way |
//! | `published` | protocol . host port : address . port | where a published port leads |
//! | `open` | address . protocol . port | the task's ports that published ports lead to |
//! | `host_open` | address . protocol . port | the task's ports that this host itself may reach |
//!
//! A task may open connections to two link-local addresses, on one port each ([`TaskLinks`]); nobody has these
//! addresses: they are redirected to listeners on this host's loopback interface, which are closed to everybody
//! else.
//!
//! The rules name this instance's interfaces by their prefix, so an interface is closed from the moment it
//! exists, before it has any element. Traffic that neither comes from nor goes to one of them passes unchanged.

mod expression;

use std::net::Ipv4Addr;

use netlink_packet_core::{NLM_F_APPEND, NLM_F_CREATE};
use netlink_packet_netfilter::{
    NetfilterHeader, NetfilterMessage, NetfilterProtoFamily, NetfilterSubsystem,
    nftables::{
        ChainAttribute, ChainMessage, DataAttribute, Expressions, Hook, HookNumber, InetHookNumber,
        ListAttribute, NfTablesMessage, RuleAttribute, RuleMessage, SetAttribute,
        SetElementAttribute, SetElementList, SetElementMessage, SetFlags, SetMessage,
        TableAttribute, TableMessage,
    },
    none::ControlMessage,
};

use crate::{
    driver::{AGENT_LINK, API_LINK, LINK_PORT, Protocol, TaskLinks},
    error::NetworkError,
    netlink::{Channel, Request},
    record::Record,
};
use expression as e;

/// Elements in one message: an attribute holds at most 64 KiB.
const ELEMENTS_PER_MESSAGE: usize = 400;

const ADDRESSES: &str = "addresses";
const PUBLISHED: &str = "published";
const OPEN: &str = "open";
const HOST_OPEN: &str = "host_open";

// The numbers by which `nft list` knows the types of keys; concatenations shift by six bits.
const TYPE_ADDRESS: u32 = 7;
const TYPE_PROTOCOL: u32 = 12;
const TYPE_PORT: u32 = 13;
const TYPE_INTERFACE: u32 = 41;
const TYPE_TARGET: u32 = (TYPE_ADDRESS << 6 | TYPE_PROTOCOL) << 6 | TYPE_PORT;

const LOOPBACK: (Ipv4Addr, Ipv4Addr) = (Ipv4Addr::new(127, 0, 0, 0), Ipv4Addr::new(255, 0, 0, 0));
/// The metadata service of every cloud: never for tasks, whatever later rules open.
const HOST_METADATA: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);

/// The table of one instance.
#[derive(Debug)]
pub(crate) struct Ruleset {
    pub(crate) table: String,
    pub(crate) interface_prefix: String,
    pub(crate) gateway: Ipv4Addr,
    pub(crate) links: TaskLinks,
}

type Message = Request<NetfilterMessage>;

struct Element {
    set: &'static str,
    key: Vec<u8>,
    value: Option<Vec<u8>>,
}

impl Ruleset {
    /// Replaces the whole table by the rules and the elements of `records`, in one step.
    pub(crate) fn install<'a>(
        &self,
        channel: &mut Channel,
        records: impl Iterator<Item = &'a Record>,
    ) -> Result<(), NetworkError> {
        let mut requests = self.definition(&self.table);
        requests.extend(self.element_messages(records, true));
        commit(channel, requests)
    }

    /// Has the kernel judge all rules, and leaves nothing behind.
    pub(crate) fn probe(&self, channel: &mut Channel) -> Result<(), NetworkError> {
        let table = format!("{}_probe", self.table);
        let mut requests = self.definition(&table);
        requests.push(delete_table(&table));
        commit(channel, requests)
    }

    /// Opens what a task may have opened.
    pub(crate) fn add(&self, channel: &mut Channel, record: &Record) -> Result<(), NetworkError> {
        commit(channel, self.element_messages([record].into_iter(), true))
    }

    /// Closes all of it.
    pub(crate) fn remove(
        &self,
        channel: &mut Channel,
        record: &Record,
    ) -> Result<(), NetworkError> {
        commit(channel, self.element_messages([record].into_iter(), false))
    }

    /// Deletes the table.
    pub(crate) fn uninstall(&self, channel: &mut Channel) -> Result<(), NetworkError> {
        commit(channel, vec![add_table(&self.table), delete_table(&self.table)])
    }

    fn definition(&self, table: &str) -> Vec<Message> {
        // Adding first makes the deletion succeed when there is none.
        let mut requests = vec![add_table(table), delete_table(table), add_table(table)];
        requests.extend(sets(table));
        for chain in self.chains() {
            requests.push(chain.message(table));
            requests.extend(chain.rules.into_iter().map(|rule| add_rule(table, chain.name, rule)));
        }
        requests
    }

    fn chains(&self) -> Vec<Chain> {
        use InetHookNumber::{Forward, LocalIn, LocalOut, PostRouting, PreRouting};
        vec![
            Chain::new("guard", "filter", PreRouting, -300, self.guard()),
            Chain::new("nat_in", "nat", PreRouting, -100, self.nat_in()),
            Chain::new("nat_local", "nat", LocalOut, -100, vec![redirect()]),
            Chain::new("to_host", "filter", LocalIn, 0, self.to_host()),
            Chain::new("through_host", "filter", Forward, 0, self.through_host()),
            // Not in the output hook: there the interface of a redirected packet is still the old one.
            Chain::new("to_task", "filter", PostRouting, 0, self.to_task()),
            Chain::new("nat_out", "nat", PostRouting, 100, self.nat_out()),
        ]
    }

    fn if_from_task(&self, rest: Vec<Vec<Expressions>>) -> Vec<Expressions> {
        [e::in_interface_starts(&self.interface_prefix)].into_iter().chain(rest).flatten().collect()
    }

    fn if_towards_task(&self, rest: Vec<Vec<Expressions>>) -> Vec<Expressions> {
        [e::out_interface_starts(&self.interface_prefix)]
            .into_iter()
            .chain(rest)
            .flatten()
            .collect()
    }

    /// Before anything else: a task speaks IPv4, from its own address, to addresses that may be on a wire.
    fn guard(&self) -> Vec<Vec<Expressions>> {
        vec![
            self.if_from_task(vec![e::is_not_ipv4(), e::drop()]),
            self.if_from_task(vec![e::source_is_not_in(ADDRESSES), e::drop()]),
            self.if_from_task(vec![e::destination_is(HOST_METADATA), e::drop()]),
            self.if_from_task(vec![e::destination_within(LOOPBACK), e::drop()]),
        ]
    }

    /// Where each link leads: its address, and the port of its listener.
    fn links(&self) -> impl Iterator<Item = (Ipv4Addr, u16)> + use<> {
        let TaskLinks { agent_port, api_port } = self.links;
        let links = [(AGENT_LINK, agent_port), (API_LINK, api_port)];
        links.into_iter().filter_map(|(address, port)| Some((address, port?)))
    }

    /// Published ports are for others than tasks: a task that calls one is left with the host's closed door.
    fn nat_in(&self) -> Vec<Vec<Expressions>> {
        let links = self.links().map(|(address, port)| {
            let redirect = e::redirect_to(Ipv4Addr::LOCALHOST, port);
            self.if_from_task(vec![e::is_tcp_to(address, LINK_PORT), redirect])
        });
        links.chain([self.if_from_task(vec![e::accept()]), redirect()]).collect()
    }

    /// What comes to a link's listener without having been redirected comes from no task.
    fn to_host(&self) -> Vec<Vec<Expressions>> {
        let listeners: Vec<_> =
            self.links().map(|(_, port)| e::is_tcp_to(Ipv4Addr::LOCALHOST, port)).collect();
        let from_tasks = listeners.iter().map(|listener| {
            self.if_from_task(vec![e::is_redirected(), listener.clone(), e::accept()])
        });
        let others = listeners.iter().map(|listener| [listener.clone(), e::drop()].concat());
        [self.if_from_task(vec![e::is_established(), e::accept()])]
            .into_iter()
            .chain(from_tasks)
            .chain([self.if_from_task(vec![e::drop()])])
            .chain(others)
            .collect()
    }

    fn through_host(&self) -> Vec<Vec<Expressions>> {
        let task_to_task = [
            e::in_interface_starts(&self.interface_prefix),
            e::out_interface_starts(&self.interface_prefix),
            e::drop(),
        ];
        vec![
            task_to_task.concat(),
            self.if_from_task(vec![e::is_established(), e::accept()]),
            self.if_from_task(vec![e::drop()]),
            self.if_towards_task(vec![
                e::is_ipv4(),
                e::destination_is_not_in(ADDRESSES),
                e::drop(),
            ]),
            self.if_towards_task(vec![e::is_established(), e::accept()]),
            self.if_towards_task(vec![e::is_redirected(), e::target_is_in(OPEN), e::accept()]),
            self.if_towards_task(vec![e::drop()]),
        ]
    }

    fn to_task(&self) -> Vec<Vec<Expressions>> {
        vec![
            self.if_towards_task(vec![
                e::is_ipv4(),
                e::destination_is_not_in(ADDRESSES),
                e::drop(),
            ]),
            self.if_towards_task(vec![e::is_established(), e::accept()]),
            self.if_towards_task(vec![e::is_redirected(), e::target_is_in(OPEN), e::accept()]),
            self.if_towards_task(vec![e::target_is_in(HOST_OPEN), e::accept()]),
            self.if_towards_task(vec![e::drop()]),
        ]
    }

    /// A task cannot answer 127.0.0.1, so such clients appear with the host's address towards the task.
    fn nat_out(&self) -> Vec<Vec<Expressions>> {
        let rewrite = e::rewrite_source(self.gateway);
        vec![self.if_towards_task(vec![e::is_ipv4(), e::source_within(LOOPBACK), rewrite])]
    }

    fn element_messages<'a>(
        &self,
        records: impl Iterator<Item = &'a Record>,
        add: bool,
    ) -> Vec<Message> {
        let elements: Vec<_> = records.flat_map(elements).collect();
        let mut requests = Vec::new();
        for set in [ADDRESSES, PUBLISHED, OPEN, HOST_OPEN] {
            let of_set: Vec<_> = elements.iter().filter(|element| element.set == set).collect();
            for some in of_set.chunks(ELEMENTS_PER_MESSAGE) {
                requests.push(change_elements(&self.table, set, some, add));
            }
        }
        requests
    }
}

/// What is addressed to this host at a published port goes to the task.
fn redirect() -> Vec<Expressions> {
    [e::is_ipv4(), e::destination_is_this_host(), e::redirect_by(PUBLISHED)].concat()
}

fn elements(record: &Record) -> Vec<Element> {
    let Some(interface) = &record.attachment.interface else { return Vec::new() };
    let address = interface.address;
    let own = e::concatenate(&[&interface_name(&interface.host_interface), &address.octets()]);
    let mut elements = vec![Element { set: ADDRESSES, key: own, value: None }];
    let target = |protocol: Protocol, port: u16| {
        e::concatenate(&[&address.octets(), &[protocol.number()], &port.to_be_bytes()])
    };
    for binding in &record.attachment.bindings {
        let (host_port, port) = (binding.host_port.to_be_bytes(), binding.container_port);
        elements.push(Element {
            set: PUBLISHED,
            key: e::concatenate(&[&[binding.protocol.number()], &host_port]),
            value: Some(e::concatenate(&[&address.octets(), &port.to_be_bytes()])),
        });
        let key = target(binding.protocol, port);
        elements.push(Element { set: OPEN, key, value: None });
    }
    for open in &record.host_open {
        let key = target(open.protocol, open.port);
        elements.push(Element { set: HOST_OPEN, key, value: None });
    }
    // Two host ports may lead to the same port of the task; deleting an element twice would be refused.
    elements.sort_by(|a, b| (a.set, &a.key).cmp(&(b.set, &b.key)));
    elements.dedup_by(|a, b| (a.set, &a.key) == (b.set, &b.key));
    elements
}

fn interface_name(name: &str) -> [u8; e::INTERFACE_NAME_BYTES] {
    let mut padded = [0; e::INTERFACE_NAME_BYTES];
    for (slot, byte) in padded.iter_mut().zip(name.bytes().take(e::INTERFACE_NAME_BYTES - 1)) {
        *slot = byte;
    }
    padded
}

struct Chain {
    name: &'static str,
    kind: &'static str,
    hook: InetHookNumber,
    priority: i32,
    rules: Vec<Vec<Expressions>>,
}

impl Chain {
    fn new(
        name: &'static str,
        kind: &'static str,
        hook: InetHookNumber,
        priority: i32,
        rules: Vec<Vec<Expressions>>,
    ) -> Self {
        Self { name, kind, hook, priority, rules }
    }

    fn message(&self, table: &str) -> Message {
        let hook = vec![
            Hook::Number(HookNumber::Inet(self.hook)),
            Hook::Priority(self.priority.cast_unsigned()),
        ];
        let attributes = vec![
            ChainAttribute::Table(table.to_owned()),
            ChainAttribute::Name(self.name.to_owned()),
            ChainAttribute::Hook(hook),
            ChainAttribute::Policy(e::ACCEPT),
            ChainAttribute::Type(self.kind.to_owned()),
        ];
        let message = NfTablesMessage::NewChain(ChainMessage { attributes });
        request("add a chain to the firewall", message, NLM_F_CREATE)
    }
}

fn add_table(table: &str) -> Message {
    let attributes = vec![TableAttribute::Name(table.to_owned())];
    let message = NfTablesMessage::NewTable(TableMessage { attributes });
    request("add a table to the firewall", message, NLM_F_CREATE)
}

fn delete_table(table: &str) -> Message {
    let attributes = vec![TableAttribute::Name(table.to_owned())];
    let message = NfTablesMessage::DeleteTable(TableMessage { attributes });
    request("delete a table of the firewall", message, 0)
}

fn add_rule(table: &str, chain: &str, expressions: Vec<Expressions>) -> Message {
    let attributes = vec![
        RuleAttribute::Table(table.to_owned()),
        RuleAttribute::Chain(chain.to_owned()),
        RuleAttribute::Expressions(expressions.into_iter().map(ListAttribute::from).collect()),
    ];
    let message = NfTablesMessage::NewRule(RuleMessage { attributes });
    request("add a rule to the firewall", message, NLM_F_CREATE | NLM_F_APPEND)
}

fn sets(table: &str) -> Vec<Message> {
    let set = |id, name: &str, key_type, slots: u32, value: Option<(u32, u32)>| {
        let mut attributes = vec![
            SetAttribute::Table(table.to_owned()),
            SetAttribute::Name(name.to_owned()),
            SetAttribute::Flags(if value.is_some() { SetFlags::Map } else { SetFlags::empty() }),
            SetAttribute::KeyType(key_type),
            SetAttribute::KeyLen(slots * e::SLOT_BYTES),
            SetAttribute::Id(id),
        ];
        if let Some((value_type, value_slots)) = value {
            attributes.push(SetAttribute::DataType(value_type));
            attributes.push(SetAttribute::DataLen(value_slots * e::SLOT_BYTES));
        }
        let message = NfTablesMessage::NewSet(SetMessage { attributes });
        request("add a set to the firewall", message, NLM_F_CREATE)
    };
    let leads_to = (TYPE_ADDRESS << 6 | TYPE_PORT, 2);
    vec![
        set(1, ADDRESSES, TYPE_INTERFACE << 6 | TYPE_ADDRESS, 5, None),
        set(2, PUBLISHED, TYPE_PROTOCOL << 6 | TYPE_PORT, 2, Some(leads_to)),
        set(3, OPEN, TYPE_TARGET, 3, None),
        set(4, HOST_OPEN, TYPE_TARGET, 3, None),
    ]
}

fn change_elements(table: &str, set: &str, elements: &[&Element], add: bool) -> Message {
    let elements = elements.iter().map(|element| {
        let mut attributes =
            vec![SetElementAttribute::Key(DataAttribute::Value(element.key.clone()))];
        if let Some(value) = &element.value {
            attributes.push(SetElementAttribute::Data(DataAttribute::Value(value.clone())));
        }
        ListAttribute::Element(attributes)
    });
    let attributes = vec![
        SetElementList::Table(table.to_owned()),
        SetElementList::Set(set.to_owned()),
        SetElementList::Elements(elements.collect()),
    ];
    let message = SetElementMessage { attributes };
    if add {
        let message = NfTablesMessage::NewSetElement(message);
        request("add a task to the firewall", message, NLM_F_CREATE)
    } else {
        let message = NfTablesMessage::DeleteSetElement(message);
        request("remove a task from the firewall", message, 0)
    }
}

fn request(what: &'static str, message: NfTablesMessage, flags: u16) -> Message {
    let header = NetfilterHeader::new(NetfilterProtoFamily::Inet, 0, 0);
    Request { what, message: NetfilterMessage::new(header, message), flags }
}

fn commit(channel: &mut Channel, requests: Vec<Message>) -> Result<(), NetworkError> {
    let subsystem = u16::from(u8::from(NetfilterSubsystem::NfTables));
    let control = |message: ControlMessage| {
        let header = NetfilterHeader::new(NetfilterProtoFamily::Unspec, 0, subsystem);
        NetfilterMessage::new(header, message)
    };
    let (begin, end) = (control(ControlMessage::BatchBegin), control(ControlMessage::BatchEnd));
    channel.transaction(begin, requests, end)
}
