//! Ports, links and names of hosts.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use api_ecs::types::{ContainerDefinition, PortMapping, TransportProtocol};
use domain::{NetworkMode, Protocol};

use super::Surroundings;
use super::problems::Problems;

/// The most ports of one `containerPortRange`.
const MAX_RANGE_PORTS: u16 = 100;

/// Fills in protocol and host port.
pub(super) fn fill(mapping: &mut PortMapping, network_mode: NetworkMode) {
    mapping.protocol.get_or_insert(TransportProtocol::Tcp);
    if mapping.container_port_range.is_none() {
        let host_port = match network_mode {
            NetworkMode::Bridge | NetworkMode::None => 0,
            NetworkMode::Awsvpc | NetworkMode::Host => mapping.container_port.unwrap_or(0),
        };
        let given = mapping.host_port.get_or_insert(host_port);
        if *given == 0 {
            *given = host_port;
        }
    }
}

/// The mapping's protocol.
pub(super) fn protocol(mapping: &PortMapping) -> Protocol {
    match mapping.protocol {
        Some(TransportProtocol::Udp) => Protocol::Udp,
        Some(TransportProtocol::Tcp | TransportProtocol::Unrecognized(_)) | None => Protocol::Tcp,
    }
}

/// The first and the last container port of a mapping; `None` when it is not valid.
pub(super) fn container_ports(mapping: &PortMapping) -> Option<(u16, u16)> {
    let port = |text: &str| text.parse::<u16>().ok().filter(|port| *port > 0);
    match (&mapping.container_port_range, mapping.container_port) {
        (Some(range), None) => {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            let (first, last) = (port(first.trim())?, port(last.trim())?);
            let ports = last.checked_sub(first)?;
            (ports < MAX_RANGE_PORTS).then_some((first, last))
        }
        (None, Some(single)) => {
            let single = u16::try_from(single).ok().filter(|port| *port > 0)?;
            Some((single, single))
        }
        (Some(_), Some(_)) | (None, None) => None,
    }
}

/// Checks one container.
pub(super) fn check(
    name: &str,
    container: &ContainerDefinition,
    surroundings: Surroundings<'_>,
    problems: &mut Problems,
) {
    let mappings = container.port_mappings.as_deref().unwrap_or_default();
    for mapping in mappings {
        check_mapping(name, mapping, surroundings.network_mode, problems);
    }
    if surroundings.network_mode == NetworkMode::None && !mappings.is_empty() {
        problems.of_container(name, "Port mappings are not supported when networkMode=none.");
    }
    check_hosts(name, container, problems);
    if surroundings.network_mode == NetworkMode::Awsvpc {
        let given = |list: Option<usize>| list.is_some_and(|length| length > 0);
        let refused = [
            ("hostname", given(container.hostname.as_ref().map(String::len))),
            ("links", given(container.links.as_ref().map(Vec::len))),
            ("extraHosts", given(container.extra_hosts.as_ref().map(Vec::len))),
            ("dnsServers", given(container.dns_servers.as_ref().map(Vec::len))),
            ("dnsSearchDomains", given(container.dns_search_domains.as_ref().map(Vec::len))),
            ("disableNetworking", container.disable_networking == Some(true)),
        ];
        for (field, _) in refused.into_iter().filter(|(_, given)| *given) {
            problems.of_container(
                name,
                format_args!("{field} is not supported on container when networkMode=awsvpc."),
            );
        }
    }
    for link in container.links.as_deref().unwrap_or_default() {
        if !matches!(surroundings.network_mode, NetworkMode::Bridge | NetworkMode::Awsvpc) {
            problems.of_container(name, "Links are supported when networkMode=bridge only.");
            break;
        }
        let (target, _) = link_parts(link);
        if target == name
            || !surroundings.containers.iter().any(|one| one.name.as_deref() == Some(target))
        {
            problems.of_container(
                name,
                format_args!("The link `{link}` does not name another container of the task."),
            );
        }
    }
}

/// Container and alias of a link: `name` or `name:alias`.
pub(super) fn link_parts(link: &str) -> (&str, &str) {
    link.split_once(':').unwrap_or((link, link))
}

fn check_mapping(
    name: &str,
    mapping: &PortMapping,
    network_mode: NetworkMode,
    problems: &mut Problems,
) {
    if container_ports(mapping).is_none() {
        problems.of_container(
            name,
            format_args!(
                "A port mapping needs either a 'containerPort' of 1 to 65535 or a 'containerPortRange' such as 8000-8010 of at most {MAX_RANGE_PORTS} ports."
            ),
        );
    }
    let host_port = mapping.host_port.unwrap_or(0);
    if mapping.container_port_range.is_some() && mapping.host_port.is_some() {
        problems.of_container(name, "'hostPort' cannot be given with 'containerPortRange'.");
    }
    if !(0..=65535).contains(&host_port) {
        problems.of_container(name, format_args!("'hostPort' {host_port} is not 0 to 65535."));
    }
    let same = mapping.container_port.is_none() || mapping.container_port == Some(host_port);
    match network_mode {
        NetworkMode::Awsvpc if !same => problems.push(
            "When networkMode=awsvpc, the host ports and container ports in port mappings must match.",
        ),
        NetworkMode::Host if !same => problems.push(
            "When networkMode=host, the host ports and container ports in port mappings must match.",
        ),
        NetworkMode::Host if mapping.container_port_range.is_some() => problems
            .of_container(name, "'containerPortRange' needs networkMode bridge or awsvpc."),
        NetworkMode::Awsvpc | NetworkMode::Host | NetworkMode::Bridge | NetworkMode::None => {}
    }
    if let Some(given) = &mapping.name {
        let mut bytes = given.bytes();
        let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let valid = bytes.next().is_some_and(letter)
            && bytes.all(|byte| letter(byte) || byte == b'-' || byte == b'_')
            && given.len() <= 64;
        if !valid {
            problems.of_container(
                name,
                format_args!("The port mapping name `{given}` is not valid: use up to 64 lower-case letters, digits, hyphens and underscores, a letter or digit first."),
            );
        }
    }
}

fn check_hosts(name: &str, container: &ContainerDefinition, problems: &mut Problems) {
    let host = |text: &str| {
        !text.is_empty()
            && text.len() <= 253
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
    };
    if let Some(given) = container.hostname.as_deref().filter(|given| !host(given)) {
        problems.of_container(name, format_args!("'hostname' `{given}` is not a host name."));
    }
    for entry in container.extra_hosts.as_deref().unwrap_or_default() {
        let hostname = entry.hostname.as_deref().unwrap_or_default();
        let address = entry.ip_address.as_deref().unwrap_or_default();
        if !host(hostname) || address.parse::<IpAddr>().is_err() {
            problems.of_container(
                name,
                format_args!("'extraHosts' entry `{hostname}` `{address}` is not a host name and an IP address."),
            );
        }
    }
}

/// Ports and names that containers of one task cannot share.
pub(super) fn check_task(surroundings: Surroundings<'_>, problems: &mut Problems) {
    let mut inside: BTreeMap<(u16, Protocol), &str> = BTreeMap::new();
    let mut outside: BTreeMap<(u16, Protocol), &str> = BTreeMap::new();
    let mut names = BTreeSet::new();
    for container in surroundings.containers {
        let name = container.name.as_deref().unwrap_or_default();
        for mapping in container.port_mappings.as_deref().unwrap_or_default() {
            let protocol = protocol(mapping);
            let Some((first, last)) = container_ports(mapping) else { continue };
            for port in first..=last {
                // One container may publish a port twice; two cannot both listen on it, because
                // the containers of a task share one network namespace.
                let other = *inside.entry((port, protocol)).or_insert(name);
                if other != name {
                    problems.push(format!(
                        "The containers '{other}' and '{name}' both use container port {port}/{}: the containers of a task share one network.",
                        protocol.as_str()
                    ));
                }
            }
            let host_port = mapping.host_port.and_then(|port| u16::try_from(port).ok());
            if let Some(port) = host_port.filter(|port| *port > 0)
                && surroundings.network_mode == NetworkMode::Bridge
                && let Some(other) = outside.insert((port, protocol), name)
            {
                problems.push(format!(
                    "The host port {port}/{} is mapped twice, by '{other}' and '{name}'.",
                    protocol.as_str()
                ));
            }
            if let Some(given) = &mapping.name
                && !names.insert(given.as_str())
            {
                problems.push(format!("The port mapping name `{given}` is used twice."));
            }
        }
    }
}
