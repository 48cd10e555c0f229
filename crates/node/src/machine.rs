//! What this machine has and is.

use std::collections::BTreeSet;
use std::path::Path;

use domain::{Protocol, Resources};

/// Memory kept for the machine and for this program, in MiB.
const RESERVED_MEMORY_MIB: u32 = 256;
/// Ports that no task may publish: the ECS agent's reserved list.
const RESERVED_PORTS: &[u16] = &[22, 2375, 2376, 51678, 51679];

/// What tasks may reserve on this machine. `own_ports` are those that this program
/// listens on.
pub(crate) fn resources(own_ports: &[u16]) -> Resources {
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    let cpu_units = u32::try_from(cpus).unwrap_or(u32::MAX).saturating_mul(1024);
    let memory_mib = read_total_memory_mib().saturating_sub(RESERVED_MEMORY_MIB).max(64);
    let ports: BTreeSet<_> =
        RESERVED_PORTS.iter().chain(own_ports).map(|port| (*port, Protocol::Tcp)).collect();
    Resources { cpu_units, memory_mib, ports }
}

/// Built-in attributes of the instance.
pub(crate) fn attributes(zone: &str) -> Vec<(String, Option<String>)> {
    let architecture = match std::env::consts::ARCH {
        "aarch64" => "arm64",
        other => other,
    };
    let with_value = [
        ("ecs.availability-zone", zone),
        ("ecs.cpu-architecture", architecture),
        ("ecs.instance-type", "portcullis"),
        ("ecs.os-family", "LINUX"),
        ("ecs.os-type", "linux"),
    ];
    let capabilities = [
        "com.amazonaws.ecs.capability.docker-remote-api.1.18",
        "com.amazonaws.ecs.capability.logging-driver.awslogs",
        "com.amazonaws.ecs.capability.logging-driver.json-file",
        "com.amazonaws.ecs.capability.task-iam-role",
        "ecs.capability.container-health-check",
        "ecs.capability.container-ordering",
        "ecs.capability.execution-role-awslogs",
        "ecs.capability.task-eni",
    ];
    with_value
        .into_iter()
        .map(|(name, value)| (name.to_owned(), Some(value.to_owned())))
        .chain(capabilities.into_iter().map(|name| (name.to_owned(), None)))
        .collect()
}

/// What runs below the tasks, for people to see.
pub(crate) fn system() -> Vec<(String, String)> {
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let unified = Path::new("/sys/fs/cgroup/cgroup.controllers").try_exists().unwrap_or(false);
    let cgroups = if unified { "v2" } else { "v1" };
    [
        ("kernel", kernel.trim()),
        ("cgroups", cgroups),
        ("isolation", "namespaces, user namespace per task, seccomp"),
        ("runtime", "libcontainer in portcullis-shim"),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect()
}

fn read_total_memory_mib() -> u32 {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    total_memory_mib(&text).unwrap_or(1024)
}

/// `MemTotal` of `/proc/meminfo`, in MiB.
fn total_memory_mib(meminfo: &str) -> Option<u32> {
    let line = meminfo.lines().find(|line| line.starts_with("MemTotal:"))?;
    let kibibytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    u32::try_from(kibibytes / 1024).ok()
}

#[cfg(test)]
mod tests {
    use super::total_memory_mib;

    #[test]
    fn total_memory_is_read_in_mebibytes() {
        let meminfo = "MemFree: 1 kB\nMemTotal:       24669320 kB\n";
        assert_eq!(total_memory_mib(meminfo), Some(24_091));
        assert_eq!(total_memory_mib(""), None);
    }
}
