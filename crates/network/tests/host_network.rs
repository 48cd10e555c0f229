//! The driver on a real kernel: a private "host", an "outside" behind its uplink, and tasks. Needs root, `nft`
//! and `ip`; touches nothing outside the namespaces it makes.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "clippy knows a test by its attribute, and these are their helpers"
)]

#[path = "host_network/world.rs"]
mod world;

use std::{
    io::{BufRead, BufReader, Write},
    net::{Ipv4Addr, SocketAddr},
};

use network::{
    AttachRequest, Attachment, Network, NetworkError, NetworkMode, PortRequest, Protocol,
};
use world::{HOST, LINKS, OUTSIDE, Space, World, eventually};

const METADATA: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);

fn port(container_port: u16, host_port: Option<u16>, protocol: Protocol) -> PortRequest {
    PortRequest { container_name: "app".to_owned(), container_port, host_port, protocol }
}

fn request(id: &str, space: &Space, mode: NetworkMode, ports: Vec<PortRequest>) -> AttachRequest {
    AttachRequest { task_id: id.to_owned(), netns: space.path.clone(), mode, ports }
}

fn attach(world: &World, id: &str, space: &Space, ports: Vec<PortRequest>) -> Attachment {
    world.run(world.network.attach(request(id, space, NetworkMode::Bridge, ports))).expect("attach")
}

fn address(attachment: &Attachment) -> Ipv4Addr {
    attachment.interface.as_ref().expect("an interface").address
}

fn at(address: Ipv4Addr, port: u16) -> SocketAddr {
    (address, port).into()
}

#[test]
fn a_published_port_answers_on_every_address_of_the_host() {
    let world = World::new();
    let task = Space::of_task();
    let ports = vec![
        port(80, Some(8080), Protocol::Tcp),
        port(80, None, Protocol::Tcp),
        port(53, Some(5353), Protocol::Udp),
    ];
    let attachment = attach(&world, "web", &task, ports);
    assert_eq!(attachment.bindings[1].host_port, 49153, "the first of the dynamic range");
    assert_eq!(attachment.bindings[1].bind_ip, Ipv4Addr::UNSPECIFIED);
    task.serve_tcp(80);
    task.serve_udp(53);

    for host_port in [8080, 49153] {
        world.host.reaches(at(Ipv4Addr::LOCALHOST, host_port));
        world.host.reaches(at(HOST, host_port));
        assert_eq!(world.outside.reaches(at(HOST, host_port)), OUTSIDE.to_string(), "real client");
    }
    for client in [&world.host, &world.outside] {
        assert!(client.asks_udp(at(HOST, 5353)));
    }
    assert!(world.host.asks_udp(at(Ipv4Addr::LOCALHOST, 5353)));
    assert!(!world.outside.asks_udp(at(HOST, 8080)), "udp to a tcp port");
}

#[test]
fn nothing_but_published_ports_is_reachable_in_any_direction() {
    let world = World::new();
    let (a, b) = (Space::of_task(), Space::of_task());
    let first = address(&attach(&world, "a", &a, vec![port(80, Some(8080), Protocol::Tcp)]));
    let second = address(&attach(&world, "b", &b, vec![]));
    for server in [&a, &b, &world.host, &world.outside] {
        for port in [80, 81] {
            server.serve_tcp(port);
        }
    }
    let gateway = Ipv4Addr::new(10, 213, 0, 1);
    // The ways that must be open, so that a closed one is not closed by mistake.
    world.outside.reaches(at(HOST, 8080));
    world.outside.reaches(at(HOST, 80));
    world.host.reaches(at(OUTSIDE, 80));

    for (what, client, target) in [
        ("outside to a task", &world.outside, at(first, 80)),
        ("outside to another port", &world.outside, at(first, 81)),
        ("host to a task's address", &world.host, at(first, 80)),
        ("host to a task without ports", &world.host, at(second, 80)),
        ("task to task", &b, at(first, 80)),
        ("task back to task", &a, at(second, 80)),
        ("task to a neighbour's published port", &b, at(HOST, 8080)),
        ("task to its own published port", &a, at(HOST, 8080)),
        ("task to a published port at the gateway", &b, at(gateway, 8080)),
        ("task to the host", &b, at(HOST, 80)),
        ("task to the gateway", &b, at(gateway, 80)),
        ("task to outside", &b, at(OUTSIDE, 80)),
        ("publishing task to outside", &a, at(OUTSIDE, 80)),
        ("task to the metadata service", &a, at(METADATA, 80)),
    ] {
        assert!(client.is_refused(target), "{what}: {target} answered");
    }
    assert!(!b.asks_udp(at(OUTSIDE, 53)), "udp from a task");
    let addresses = b.shell("ip -6 addr show dev eth0");
    assert_eq!(addresses, "", "a task has an IPv6 address");

    // Without the rules all of it is open: nothing else was in the way.
    world.host.shell(&format!("nft delete table inet {}", world.table()));
    world.outside.reaches(at(first, 81));
    world.host.reaches(at(second, 80));
    b.reaches(at(first, 80));
    b.reaches(at(gateway, 80));
    b.reaches(at(OUTSIDE, 80));
}

#[test]
fn a_task_reaches_two_listeners_and_nobody_else_does() {
    let world = World::new();
    let (a, b) = (Space::of_task(), Space::of_task());
    let first = address(&attach(&world, "a", &a, vec![port(80, Some(8080), Protocol::Tcp)]));
    let awsvpc = request("b", &b, NetworkMode::Awsvpc, vec![port(80, None, Protocol::Tcp)]);
    let second = address(&world.run(world.network.attach(awsvpc)).expect("attach"));
    let none = Space::of_task();
    let no_network = request("none", &none, NetworkMode::None, vec![]);
    world.run(world.network.attach(no_network)).expect("attach");
    let [agent, api] = [LINKS.agent_port, LINKS.api_port].map(|port| port.expect("a port"));
    for port in [agent, api, 80, 443] {
        world.host.serve_tcp(port);
    }
    let gateway = Ipv4Addr::new(10, 213, 0, 1);

    for link in [network::AGENT_LINK, network::API_LINK] {
        assert_eq!(a.reaches(at(link, 80)), first.to_string(), "the task's own address");
        assert_eq!(b.reaches(at(link, 80)), second.to_string(), "the task's own address");
        for (what, client, target) in [
            ("another port", &a, at(link, 443)),
            ("the listener's port", &a, at(link, agent)),
            ("a task without network", &none, at(link, 80)),
            ("the host", &world.host, at(link, 80)),
            ("outside", &world.outside, at(link, 80)),
        ] {
            assert!(client.is_refused(target), "{what}: {target} answered");
        }
        assert!(!a.asks_udp(at(link, 80)));
    }
    for neighbour in [0, 1, 4, 254] {
        assert!(a.is_refused(at(Ipv4Addr::new(169, 254, 170, neighbour), 80)), "{neighbour}");
    }
    for client in [&a, &b, &none] {
        assert!(client.is_refused(at(METADATA, 80)), "the metadata service");
    }
    for port in [agent, api] {
        for (what, client, target) in [
            ("a task, past the link", &a, at(gateway, port)),
            ("a task, on loopback", &a, at(Ipv4Addr::LOCALHOST, port)),
            ("the host, on loopback", &world.host, at(Ipv4Addr::LOCALHOST, port)),
        ] {
            assert!(client.is_refused(target), "{what}: {target} answered");
        }
    }
    // Without the rules the listeners are open to the host: nothing else was in the way.
    world.host.shell(&format!("nft delete table inet {}", world.table()));
    world.host.reaches(at(Ipv4Addr::LOCALHOST, agent));
}

#[test]
fn a_forged_source_address_does_not_leave_a_task() {
    let world = World::new();
    let (a, b) = (Space::of_task(), Space::of_task());
    let victim = address(&attach(&world, "a", &a, vec![port(53, Some(5353), Protocol::Udp)]));
    attach(&world, "b", &b, vec![port(53, Some(5354), Protocol::Udp)]);
    b.shell(&format!("ip addr add {victim}/32 dev eth0"));
    a.serve_udp(53);
    let client = world.outside.inside(|| std::net::UdpSocket::bind((OUTSIDE, 4000)).expect("bind"));
    client.set_read_timeout(Some(world::CLOSED)).expect("time-out");
    client.send_to(b"real", at(HOST, 5353)).expect("send");
    assert!(client.recv(&mut [0; 64]).is_ok(), "the victim's connection is not there");
    // The same addresses and ports as the victim's answer: only the interface tells them apart.
    let forger = b.inside(|| std::net::UdpSocket::bind((victim, 53)).expect("bind"));
    forger.send_to(b"forged", at(OUTSIDE, 4000)).expect("send");
    assert!(client.recv(&mut [0; 64]).is_err(), "a forged packet arrived");
    world.host.shell(&format!("nft flush chain inet {} guard", world.table()));
    forger.send_to(b"forged", at(OUTSIDE, 4000)).expect("send");
    assert!(client.recv(&mut [0; 64]).is_ok(), "something else than the guard stopped it");
}

#[test]
fn awsvpc_ports_are_open_to_the_host_only_and_at_the_tasks_address() {
    let world = World::new();
    let (task, other) = (Space::of_task(), Space::of_task());
    let ports = vec![port(80, None, Protocol::Tcp)];
    let attachment = world
        .run(world.network.attach(request("vpc", &task, NetworkMode::Awsvpc, ports)))
        .expect("attach");
    attach(&world, "other", &other, vec![]);
    task.serve_tcp(80);
    task.serve_tcp(81);
    assert!(attachment.bindings.is_empty());
    let own = address(&attachment);
    assert_eq!(world.host.reaches(at(own, 80)), "10.213.0.1");
    assert!(world.host.is_refused(at(own, 81)), "a port that is not listed");
    assert!(world.host.is_refused(at(HOST, 80)), "published on the host");
    assert!(world.outside.is_refused(at(own, 80)), "open to the outside");
    assert!(other.is_refused(at(own, 80)), "open to another task");
}

#[test]
fn network_mode_none_has_a_loopback_interface_and_nothing_else() {
    let world = World::new();
    let task = Space::of_task();
    let request = request("alone", &task, NetworkMode::None, vec![]);
    let attachment = world.run(world.network.attach(request)).expect("attach");
    assert_eq!(attachment, Attachment { interface: None, bindings: vec![] });
    task.serve_tcp(80);
    task.reaches(at(Ipv4Addr::LOCALHOST, 80));
    let links = task.shell("ip -o link show up");
    assert_eq!(links.lines().count(), 1, "{links}");
    world.run(world.network.detach("alone")).expect("detach");
}

#[test]
fn what_cannot_be_attached_says_why_and_leaves_nothing() {
    let world = World::new();
    let (a, b) = (Space::of_task(), Space::of_task());
    attach(&world, "a", &a, vec![port(80, Some(8080), Protocol::Tcp)]);
    let _other = world.host.inside(|| std::net::TcpListener::bind("0.0.0.0:9090").expect("bind"));
    let rules = world.host.shell("nft list ruleset");

    let refuse = |id: &str, path: &std::path::Path, ports, expected: &str| {
        let mut request = request(id, &b, NetworkMode::Bridge, ports);
        request.netns = path.to_owned();
        let error = world.run(world.network.attach(request)).expect_err(expected).to_string();
        assert!(error.contains(expected), "`{error}` does not say `{expected}`");
    };
    let tcp = |host| vec![port(80, Some(host), Protocol::Tcp)];
    refuse("b", &b.path, tcp(8080), "host port 8080/tcp is in use by task `a`");
    refuse("b", &b.path, tcp(9090), "host port 9090/tcp is in use by another process");
    refuse("b", "/nowhere".as_ref(), vec![], "network namespace `/nowhere` cannot be opened");
    refuse("b", "/etc/hostname".as_ref(), vec![], "it is an ordinary file");
    refuse("b", &world.host.path, vec![], "it is the host's own");
    refuse("../b", &b.path, vec![], "its id must be 1 to 64 letters");
    refuse("a", &b.path, vec![], "task `a` is attached already");
    // The namespace has an interface of that name: the kernel refuses halfway.
    b.shell("ip link add eth0 type veth peer name eth1");
    refuse("b", &b.path, tcp(7070), "the kernel refused to create the interface of a task");

    assert_eq!(world.host.shell("nft list ruleset"), rules);
    assert_eq!(world.records(), ["a.json"]);
    b.shell("ip link del eth0");
    let again = attach(&world, "b", &b, tcp(7070));
    assert_eq!(again.bindings[0].host_port, 7070, "the port was not given back");
}

#[test]
fn detaching_cuts_connections_at_once_and_leaves_nothing() {
    let world = World::new();
    let empty = world.host.shell("nft list ruleset");
    let links = world.host.shell("ip -o link show");
    let task = Space::of_task();
    let ports = vec![port(80, Some(8080), Protocol::Tcp), port(80, Some(8081), Protocol::Tcp)];
    attach(&world, "web", &task, ports.clone());
    task.serve_tcp(80);
    let mut connection = world.outside.connect(at(HOST, 8080)).expect("connect");
    assert!(connection.echoes());

    world.run(world.network.detach("web")).expect("detach");
    assert!(!connection.echoes(), "an established connection goes on");
    assert!(world.outside.is_refused(at(HOST, 8080)));
    assert_eq!(world.host.shell("nft list ruleset"), empty);
    assert_eq!(world.records(), Vec::<String>::new());
    eventually("no interface is left", || {
        let now = world.host.shell("ip -o link show");
        if now == links { Ok(()) } else { Err(now) }
    });
    eventually("no connection is tracked", || {
        let tracked = world.host.shell("cat /proc/net/nf_conntrack");
        if tracked.contains("10.213.0.2") { Err(tracked) } else { Ok(()) }
    });
    world.run(world.network.detach("web")).expect("detach twice");
    // The ports are free again, for a task and in the kernel.
    attach(&world, "next", &Space::of_task(), ports);
    world.run(world.network.teardown()).expect("teardown");
    assert_eq!(world.host.shell("nft list ruleset"), "");
    assert_eq!(world.host.shell("ip -o link show"), links);
}

#[test]
fn a_new_agent_keeps_living_connections_and_removes_what_is_dead() {
    let mut world = World::new();
    let (live, dead) = (Space::of_task(), Space::of_task());
    let kept = attach(&world, "live", &live, vec![port(80, Some(8080), Protocol::Tcp)]);
    let gone = attach(&world, "dead", &dead, vec![port(80, Some(8081), Protocol::Tcp)]);
    live.serve_tcp(80);
    dead.serve_tcp(80);
    let mut connection = world.outside.connect(at(HOST, 8080)).expect("connect");
    let mut doomed = world.outside.connect(at(HOST, 8081)).expect("connect");
    assert!(connection.echoes() && doomed.echoes());

    world.restart();
    let not_ready = world.run(world.network.attach(request("x", &dead, NetworkMode::None, vec![])));
    assert!(matches!(not_ready, Err(NetworkError::NotReady)), "{not_ready:?}");
    let tasks = ["live".to_owned(), "lost".to_owned()];
    let recovery = world.run(world.network.recover(&tasks)).expect("recover");
    assert_eq!(recovery.kept.get("live"), Some(&kept));
    assert_eq!(
        (recovery.broken, recovery.removed),
        (vec!["lost".to_owned()], vec!["dead".to_owned()])
    );
    assert!(connection.echoes(), "the living connection was cut");
    assert!(!doomed.echoes(), "the dead task still answers");
    world.outside.reaches(at(HOST, 8080));
    let names = world.host.shell("ip -o link show");
    assert!(!names.contains(&gone.interface.expect("interface").host_interface), "{names}");
    assert_eq!(world.records(), ["live.json"]);

    let taken = attach(&world, "new", &Space::of_task(), vec![]);
    assert_ne!(address(&taken), address(&kept), "an address was given twice");
    let space = Space::of_task();
    let clash =
        request("clash", &space, NetworkMode::Bridge, vec![port(1, Some(8080), Protocol::Tcp)]);
    let clash = world.run(world.network.attach(clash)).expect_err("port 8080 is taken");
    assert!(matches!(clash, NetworkError::PortInUseByTask { .. }), "{clash}");
}

#[test]
fn a_table_that_somebody_deleted_is_written_anew() {
    let world = World::new();
    let (a, b) = (Space::of_task(), Space::of_task());
    attach(&world, "a", &a, vec![port(80, Some(8080), Protocol::Tcp)]);
    attach(&world, "b", &b, vec![]);
    a.serve_tcp(80);
    world.host.shell(&format!("nft delete table inet {}", world.table()));
    world.run(world.network.detach("b")).expect("detach");
    world.outside.reaches(at(HOST, 8080));
}

#[test]
fn the_kernel_is_probed_without_a_trace() {
    let world = World::new();
    let before = world.host.shell("nft list ruleset");
    let report = world.run(world.network.check()).expect("check");
    assert_eq!(world.host.shell("nft list ruleset"), before);
    assert!(report.forwarding && before.contains(&report.table), "{report:?}");
}

#[test]
fn many_tasks_at_once_get_different_addresses() {
    let world = World::new();
    let spaces: Vec<_> = (0..24).map(|_| Space::of_task()).collect();
    let attachments = world.run(async {
        let calls = spaces.iter().enumerate().map(|(number, space)| {
            let ports = vec![port(80, None, Protocol::Tcp)];
            let id = format!("task-{number}");
            world.network.attach(request(&id, space, NetworkMode::Bridge, ports))
        });
        futures_util::future::join_all(calls).await
    });
    let attachments: Vec<_> =
        attachments.into_iter().map(|result| result.expect("attach")).collect();
    let addresses: std::collections::BTreeSet<_> = attachments.iter().map(address).collect();
    let ports: std::collections::BTreeSet<_> =
        attachments.iter().map(|attachment| attachment.bindings[0].host_port).collect();
    assert_eq!((addresses.len(), ports.len()), (24, 24));
    let (last, space) = (attachments.last().expect("some"), spaces.last().expect("some"));
    space.serve_tcp(80);
    world.outside.reaches(at(HOST, last.bindings[0].host_port));
    world.run(async {
        let ids: Vec<_> = (0..24).map(|number| format!("task-{number}")).collect();
        for result in
            futures_util::future::join_all(ids.iter().map(|id| world.network.detach(id))).await
        {
            result.expect("detach");
        }
    });
    let prefix = world.run(world.network.check()).expect("check").interface_prefix;
    eventually("all interfaces are gone", || {
        let now = world.host.shell("ip -o link show");
        if now.contains(&prefix) { Err(now) } else { Ok(()) }
    });
}

#[test]
fn instances_on_one_machine_leave_each_other_alone() {
    let world = World::new();
    let (a, b) = (Space::of_task(), Space::of_task());
    attach(&world, "a", &a, vec![port(80, Some(8080), Protocol::Tcp)]);
    a.serve_tcp(80);
    let state = tempfile::tempdir().unwrap();
    let mut config = network::HostNetworkConfig::new(state.path());
    let same_subnet = network::HostNetwork::open(config.clone()).unwrap();
    world.run(same_subnet.recover(&[])).unwrap();
    let clash = world.run(same_subnet.attach(request("b", &b, NetworkMode::Bridge, vec![])));
    assert!(clash.unwrap_err().to_string().contains("refused to route the host to a task"));
    world.outside.reaches(at(HOST, 8080));

    config.subnet = "10.214.0.0/24".parse().unwrap();
    let other = network::HostNetwork::open(config).unwrap();
    world.run(other.recover(&[])).unwrap();
    let third = Space::of_task();
    let taken =
        request("c", &third, NetworkMode::Bridge, vec![port(80, Some(8080), Protocol::Tcp)]);
    let taken = world.run(other.attach(taken)).unwrap_err().to_string();
    assert!(taken.contains("in use by another process"), "{taken}");
    let free = request("c", &third, NetworkMode::Bridge, vec![port(80, Some(8081), Protocol::Tcp)]);
    world.run(other.attach(free)).unwrap();
    third.serve_tcp(80);
    world.outside.reaches(at(HOST, 8081));
    assert!(third.is_refused(at(HOST, 8080)), "a task of another instance");
    world.run(other.teardown()).unwrap();
    world.outside.reaches(at(HOST, 8080));
}

/// One line there and back.
trait Echo {
    fn echoes(&mut self) -> bool;
}

impl Echo for std::net::TcpStream {
    fn echoes(&mut self) -> bool {
        let mut line = String::new();
        let copy = self.try_clone().expect("clone");
        self.write_all(b"hello\n").is_ok()
            && BufReader::new(copy).read_line(&mut line).is_ok()
            && !line.is_empty()
    }
}
