//! Predicates over what tasks take of an instance.

use std::collections::{BTreeMap, BTreeSet};

use domain::{ContainerInstance, Task};

use crate::Finding;

/// INV-002. `live` are the tasks on the instance that are not STOPPED.
pub fn amounts<'a>(
    instance: &ContainerInstance,
    live: impl IntoIterator<Item = &'a Task>,
) -> Finding {
    let (mut cpu_units, mut memory_mib) = (0_u64, 0_u64);
    for task in live {
        cpu_units = cpu_units.saturating_add(u64::from(task.reserved_cpu_units));
        memory_mib = memory_mib.saturating_add(u64::from(task.reserved_memory_mib));
    }
    let registered = &instance.registered;
    let fits = cpu_units <= u64::from(registered.cpu_units)
        && memory_mib <= u64::from(registered.memory_mib);
    Finding::check(fits, || {
        format!(
            "instance {} has {} CPU units and {} MiB, its tasks reserve {cpu_units} and {memory_mib}",
            instance.id, registered.cpu_units, registered.memory_mib
        )
    })
}

/// INV-003. `live` are the tasks on the instance that are not STOPPED.
pub fn host_ports<'a>(
    instance: &ContainerInstance,
    live: impl IntoIterator<Item = &'a Task>,
) -> Finding {
    let mut holders = BTreeMap::new();
    let mut finding = Finding::idle();
    for task in live {
        let own: BTreeSet<_> = task.reserved_ports.iter().copied().collect();
        for port in own {
            let other = holders.insert(port, task.id.as_str());
            let free = other.is_none() && !instance.registered.ports.contains(&port);
            finding = finding.and(Finding::check(free, || {
                let (number, protocol) = (port.0, port.1.as_str());
                let other = other.unwrap_or("the machine");
                format!(
                    "port {number}/{protocol} of instance {} is given to {} and {other}",
                    instance.id, task.id
                )
            }));
        }
    }
    finding
}

/// INV-004. `others` are the other tasks that have their network on the node: id, address, ports.
pub fn addresses<'a>(
    (task, address, ports): (&str, &str, &[u16]),
    others: impl IntoIterator<Item = (&'a str, &'a str, &'a [u16])>,
) -> Finding {
    let clash = others.into_iter().find(|(_, other, published)| {
        *other == address || ports.iter().any(|port| published.contains(port))
    });
    Finding::check(clash.is_none(), || {
        let (other, at, published) = clash.unwrap_or_default();
        format!("task {task} has {address} {ports:?}, and {other} has {at} {published:?}")
    })
}
