//! Interfaces, addresses and routes, on the host and inside a task's namespace.

use std::{
    fs::{self, File},
    io,
    net::{IpAddr, Ipv4Addr},
    os::{
        fd::{AsFd, AsRawFd},
        unix::fs::MetadataExt,
    },
    path::Path,
    thread,
};

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE};
use netlink_packet_route::{
    AddressFamily, RouteNetlinkMessage,
    address::{AddressAttribute, AddressMessage},
    link::{InfoData, InfoKind, InfoVeth, LinkAttribute, LinkFlags, LinkInfo, LinkMessage},
    neighbour::{NeighbourAddress, NeighbourAttribute, NeighbourMessage, NeighbourState},
    route::{
        RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteScope,
        RouteType,
    },
};
use nix::{
    errno::Errno,
    net::if_::{if_nameindex, if_nametoindex},
    sched::{CloneFlags, setns},
};

use crate::{
    driver::{Interface, MacAddress},
    error::NetworkError,
    netlink::{Channel, Request},
};

/// The name of the interface inside a task's namespace.
const TASK_INTERFACE: &str = "eth0";
const HOST_NETNS: &str = "/proc/thread-self/ns/net";

type Message = Request<RouteNetlinkMessage>;

/// The MAC addresses of both ends follow from the task's address, so that both neighbour tables can be filled
/// in beforehand and no ARP is needed. Locally administered, unicast.
pub(crate) fn mac_of_task(address: Ipv4Addr) -> MacAddress {
    let [a, b, c, d] = address.octets();
    MacAddress([0x02, 0x50, a, b, c, d])
}

fn mac_of_host_end(address: Ipv4Addr) -> MacAddress {
    let [a, b, c, d] = address.octets();
    MacAddress([0x02, 0x51, a, b, c, d])
}

/// Opens a task's network namespace and makes sure that it is one, and not the host's.
pub(crate) fn open_netns(path: &Path) -> Result<File, NetworkError> {
    let missing = |reason| NetworkError::NamespaceMissing { path: path.to_owned(), reason };
    let file = File::open(path).map_err(missing)?;
    let given = file.metadata().map_err(missing)?;
    let host = fs::metadata(HOST_NETNS)
        .map_err(NetworkError::kernel("name the host's network namespace"))?;
    let problem = if given.dev() != host.dev() {
        "it is an ordinary file"
    } else if given.ino() == host.ino() {
        "it is the host's own"
    } else {
        return Ok(file);
    };
    Err(NetworkError::NotATaskNamespace { path: path.to_owned(), problem })
}

/// Prepares a namespace: `lo` up, ports below 1024 free to every user of the task, and with an interface: its
/// two ends, addresses and routes, IPv6 off. Runs in a thread of its own, because it enters the namespace.
pub(crate) fn connect(netns: &File, interface: Option<&Interface>) -> Result<(), NetworkError> {
    let mut host = Channel::route().map_err(NetworkError::kernel("open a netlink socket"))?;
    thread::scope(|scope| {
        thread::Builder::new()
            .name("netns".to_owned())
            .spawn_scoped(scope, || configure_inside(&mut host, netns, interface))
            .map_err(NetworkError::kernel("start a thread"))?
            .join()
            .map_err(|_| NetworkError::Interrupted)?
    })?;
    match interface {
        Some(interface) => configure_host_end(&mut host, interface),
        None => Ok(()),
    }
}

fn configure_inside(
    host: &mut Channel,
    netns: &File,
    interface: Option<&Interface>,
) -> Result<(), NetworkError> {
    setns(netns.as_fd(), CloneFlags::CLONE_NEWNET).map_err(|errno| {
        NetworkError::kernel("enter the task's network namespace")(errno.into())
    })?;
    let set = NetworkError::kernel;
    write_sysctl("net/ipv4/ip_unprivileged_port_start", "0")
        .map_err(set("free the ports below 1024 in a task"))?;
    let mut inside = Channel::route().map_err(set("open a netlink socket in a task"))?;
    let loopback = if_nametoindex("lo")
        .map_err(|errno| set("find the loopback interface of a task")(errno.into()))?;
    let mut requests = vec![set_up("start the loopback interface of a task", loopback)];
    if let Some(interface) = interface {
        write_sysctl("net/ipv6/conf/default/disable_ipv6", "1")
            .or_else(ignore_missing)
            .map_err(set("switch IPv6 off in a task"))?;
        host.send(vec![create_pair(netns, interface)], |_| false)?;
        let index = if_nametoindex(TASK_INTERFACE)
            .map_err(|errno| set("find the interface of a task")(errno.into()))?;
        let gateway = interface.gateway;
        requests.extend([
            add_address("give a task its address", index, interface.address),
            set_up("start the interface of a task", index),
            add_neighbour(index, gateway, mac_of_host_end(interface.address)),
            add_route("route a task to its host", index, Some(gateway), None, None),
            add_route("give a task its default route", index, None, Some(gateway), None),
        ]);
    }
    inside.send(requests, |_| false)
}

fn configure_host_end(host: &mut Channel, interface: &Interface) -> Result<(), NetworkError> {
    let name = &interface.host_interface;
    let index = if_nametoindex(name.as_str())
        .map_err(|errno| NetworkError::kernel("find an interface of the host")(errno.into()))?;
    write_sysctl(&format!("net/ipv6/conf/{name}/disable_ipv6"), "1")
        .or_else(ignore_missing)
        .map_err(NetworkError::kernel("switch IPv6 off on an interface of the host"))?;
    // Published ports answer on 127.0.0.1 too: the host's own packets leave by this interface with a loopback
    // source until the firewall rewrites it. Packets that a task sends to 127.0.0.0/8 are dropped before routing.
    write_sysctl(&format!("net/ipv4/conf/{name}/route_localnet"), "1")
        .map_err(NetworkError::kernel("open an interface of the host to loopback clients"))?;
    let (address, gateway) = (interface.address, interface.gateway);
    host.send(
        vec![
            add_address("give the host its address towards a task", index, gateway),
            set_up("start an interface of the host", index),
            add_neighbour(index, address, interface.mac),
            add_route("route the host to a task", index, Some(address), None, Some(gateway)),
        ],
        |_| false,
    )
}

/// Takes the route away and marks the interface for [`delete_group`].
pub(crate) fn retire(interface: &Interface, group: u32) -> Result<(), NetworkError> {
    let Ok(index) = if_nametoindex(interface.host_interface.as_str()) else { return Ok(()) };
    let mut host = Channel::route().map_err(NetworkError::kernel("open a netlink socket"))?;
    let route = route(index, Some(interface.address), None, Some(interface.gateway));
    let unroute =
        Request { what: "unroute a task", message: RouteNetlinkMessage::DelRoute(route), flags: 0 };
    host.send(vec![unroute, join_group(index, group)], is_gone)
}

/// Marks an interface by name; used for those without a record.
pub(crate) fn retire_by_name(name: &str, group: u32) -> Result<(), NetworkError> {
    let Ok(index) = if_nametoindex(name) else { return Ok(()) };
    let mut host = Channel::route().map_err(NetworkError::kernel("open a netlink socket"))?;
    host.send(vec![join_group(index, group)], is_gone)
}

/// Deletes all interfaces of a group in one step, which takes no longer than deleting one.
pub(crate) fn delete_group(group: u32) -> Result<(), NetworkError> {
    let mut host = Channel::route().map_err(NetworkError::kernel("open a netlink socket"))?;
    let mut message = LinkMessage::default();
    message.attributes.push(LinkAttribute::Group(group));
    let what = "delete interfaces";
    host.send(
        vec![Request { what, message: RouteNetlinkMessage::DelLink(message), flags: 0 }],
        is_gone,
    )
}

/// The names of the host's interfaces that begin with `prefix`.
pub(crate) fn names_with_prefix(prefix: &str) -> Result<Vec<String>, NetworkError> {
    let all = if_nameindex()
        .map_err(|errno| NetworkError::kernel("list the host's interfaces")(errno.into()))?;
    Ok(all
        .iter()
        .map(|interface| interface.name().to_string_lossy().into_owned())
        .filter(|name| name.starts_with(prefix))
        .collect())
}

/// Whether an interface of the host exists.
pub(crate) fn is_present(name: &str) -> bool {
    if_nametoindex(name).is_ok()
}

/// Whether the host forwards packets.
pub(crate) fn forwarding() -> Result<bool, NetworkError> {
    let text = fs::read_to_string("/proc/sys/net/ipv4/ip_forward")
        .map_err(NetworkError::kernel("tell whether the host forwards packets"))?;
    Ok(text.trim() == "1")
}

/// Makes the host forward packets, unless it does.
pub(crate) fn enable_forwarding() -> Result<(), NetworkError> {
    if forwarding()? {
        return Ok(());
    }
    tracing::info!("switching net.ipv4.ip_forward on: tasks are reached through it");
    write_sysctl("net/ipv4/ip_forward", "1")
        .map_err(NetworkError::kernel("make the host forward packets"))
}

fn is_gone(reason: &io::Error) -> bool {
    let gone = [Errno::ENODEV, Errno::ENXIO, Errno::ESRCH];
    gone.iter().any(|errno| reason.raw_os_error() == Some(*errno as i32))
}

fn write_sysctl(name: &str, value: &str) -> io::Result<()> {
    fs::write(Path::new("/proc/sys").join(name), value)
}

fn ignore_missing(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}

fn create_pair(netns: &File, interface: &Interface) -> Message {
    let mut peer = LinkMessage::default();
    peer.attributes = vec![
        LinkAttribute::IfName(TASK_INTERFACE.to_owned()),
        LinkAttribute::Address(interface.mac.0.to_vec()),
        LinkAttribute::NetNsFd(netns.as_raw_fd()),
    ];
    let mut message = LinkMessage::default();
    message.attributes = vec![
        LinkAttribute::IfName(interface.host_interface.clone()),
        LinkAttribute::Address(mac_of_host_end(interface.address).0.to_vec()),
        LinkAttribute::LinkInfo(vec![
            LinkInfo::Kind(InfoKind::Veth),
            LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(peer))),
        ]),
    ];
    Request {
        what: "create the interface of a task",
        message: RouteNetlinkMessage::NewLink(message),
        flags: NLM_F_CREATE | NLM_F_EXCL,
    }
}

fn set_up(what: &'static str, index: u32) -> Message {
    let mut message = LinkMessage::default();
    message.header.index = index;
    message.header.flags = LinkFlags::Up;
    message.header.change_mask = LinkFlags::Up;
    Request { what, message: RouteNetlinkMessage::SetLink(message), flags: 0 }
}

fn join_group(index: u32, group: u32) -> Message {
    let mut message = LinkMessage::default();
    message.header.index = index;
    message.attributes.push(LinkAttribute::Group(group));
    Request {
        what: "mark an interface for deletion",
        message: RouteNetlinkMessage::SetLink(message),
        flags: 0,
    }
}

fn add_address(what: &'static str, index: u32, address: Ipv4Addr) -> Message {
    let mut message = AddressMessage::default();
    message.header.family = AddressFamily::Inet;
    message.header.prefix_len = 32;
    message.header.index = index;
    message.attributes = vec![
        AddressAttribute::Local(IpAddr::V4(address)),
        AddressAttribute::Address(IpAddr::V4(address)),
    ];
    let message = RouteNetlinkMessage::NewAddress(message);
    Request { what, message, flags: NLM_F_CREATE | NLM_F_EXCL }
}

fn add_neighbour(index: u32, address: Ipv4Addr, mac: MacAddress) -> Message {
    let mut message = NeighbourMessage::default();
    message.header.family = AddressFamily::Inet;
    message.header.ifindex = index;
    message.header.state = NeighbourState::Permanent;
    message.attributes = vec![
        NeighbourAttribute::Destination(NeighbourAddress::Inet(address)),
        NeighbourAttribute::LinkLayerAddress(mac.0.to_vec()),
    ];
    Request {
        what: "write down a neighbour",
        message: RouteNetlinkMessage::NewNeighbour(message),
        flags: NLM_F_CREATE | NLM_F_REPLACE,
    }
}

fn add_route(
    what: &'static str,
    index: u32,
    destination: Option<Ipv4Addr>,
    gateway: Option<Ipv4Addr>,
    source: Option<Ipv4Addr>,
) -> Message {
    let message = RouteNetlinkMessage::NewRoute(route(index, destination, gateway, source));
    // Exclusive: another instance with the same subnet must not lose its route to us.
    Request { what, message, flags: NLM_F_CREATE | NLM_F_EXCL }
}

/// A route to one address, or to all without one.
fn route(
    index: u32,
    destination: Option<Ipv4Addr>,
    gateway: Option<Ipv4Addr>,
    source: Option<Ipv4Addr>,
) -> RouteMessage {
    let mut message = RouteMessage::default();
    message.header = RouteHeader {
        address_family: AddressFamily::Inet,
        destination_prefix_length: if destination.is_some() { 32 } else { 0 },
        table: RouteHeader::RT_TABLE_MAIN,
        protocol: RouteProtocol::Static,
        scope: if gateway.is_some() { RouteScope::Universe } else { RouteScope::Link },
        kind: RouteType::Unicast,
        ..RouteHeader::default()
    };
    message.attributes.push(RouteAttribute::Oif(index));
    let address = RouteAddress::Inet;
    message.attributes.extend(destination.map(|to| RouteAttribute::Destination(address(to))));
    message.attributes.extend(gateway.map(|via| RouteAttribute::Gateway(address(via))));
    message.attributes.extend(source.map(|from| RouteAttribute::PrefSource(address(from))));
    message
}
