//! Capabilities, limits and kernel parameters.

use std::collections::BTreeSet;

use api_ecs::types::ContainerDefinition;
use domain::NetworkMode;

use super::problems::Problems;

/// Kernel parameters that belong to a container's IPC namespace.
const IPC_PARAMETERS: &[&str] = &[
    "kernel.msgmax",
    "kernel.msgmnb",
    "kernel.msgmni",
    "kernel.sem",
    "kernel.shm_rmid_forced",
    "kernel.shmall",
    "kernel.shmmax",
    "kernel.shmmni",
];

/// The capabilities of the ECS model.
const CAPABILITIES: &[&str] = &[
    "ALL",
    "AUDIT_CONTROL",
    "AUDIT_WRITE",
    "BLOCK_SUSPEND",
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "IPC_LOCK",
    "IPC_OWNER",
    "KILL",
    "LEASE",
    "LINUX_IMMUTABLE",
    "MAC_ADMIN",
    "MAC_OVERRIDE",
    "MKNOD",
    "NET_ADMIN",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_RAW",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYSLOG",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_CHROOT",
    "SYS_MODULE",
    "SYS_NICE",
    "SYS_PACCT",
    "SYS_PTRACE",
    "SYS_RAWIO",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "WAKE_ALARM",
];

/// Checks one container.
pub(super) fn check(
    name: &str,
    container: &ContainerDefinition,
    network_mode: NetworkMode,
    problems: &mut Problems,
) {
    check_ulimits(name, container, problems);
    check_system_controls(name, container, network_mode, problems);
    let Some(linux) = &container.linux_parameters else { return };
    let capabilities = linux.capabilities.as_ref();
    let lists = [
        ("add", capabilities.and_then(|both| both.add.as_deref())),
        ("drop", capabilities.and_then(|both| both.drop.as_deref())),
    ];
    for (field, list) in lists {
        for capability in list.unwrap_or_default() {
            if !CAPABILITIES.contains(&capability.as_str()) {
                problems.of_container(
                    name,
                    format_args!(
                        "'linuxParameters.capabilities.{field}' does not know `{capability}`."
                    ),
                );
            }
        }
    }
    if linux.shared_memory_size.is_some_and(|mib| mib < 1) {
        problems.of_container(name, "'linuxParameters.sharedMemorySize' must be at least 1 MiB.");
    }
    if linux.swappiness.is_some_and(|value| !(0..=100).contains(&value)) {
        problems.of_container(name, "'linuxParameters.swappiness' must be between 0 and 100.");
    }
    if linux.max_swap.is_some_and(|mib| mib < 0) {
        problems.of_container(name, "'linuxParameters.maxSwap' must not be negative.");
    }
}

fn check_ulimits(name: &str, container: &ContainerDefinition, problems: &mut Problems) {
    let mut names = BTreeSet::new();
    for ulimit in container.ulimits.as_deref().unwrap_or_default() {
        let Some(which) = &ulimit.name else { continue };
        if !names.insert(which.as_str()) {
            problems.of_container(name, format_args!("The ulimit '{which}' is given twice."));
        }
        // -1 means no limit.
        let order = |limit: Option<i32>| match limit.unwrap_or(0) {
            -1 => i64::MAX,
            limit => i64::from(limit),
        };
        let (soft, hard) = (order(ulimit.soft_limit), order(ulimit.hard_limit));
        if soft < 0 || hard < 0 || soft > hard {
            problems.of_container(
                name,
                format_args!("The ulimit '{which}' needs limits of -1 or more, and a soft limit of at most the hard limit."),
            );
        }
    }
}

fn check_system_controls(
    name: &str,
    container: &ContainerDefinition,
    network_mode: NetworkMode,
    problems: &mut Problems,
) {
    let mut names = BTreeSet::new();
    for control in container.system_controls.as_deref().unwrap_or_default() {
        let parameter = control.namespace.as_deref().unwrap_or_default();
        let net = parameter.starts_with("net.");
        let namespaced =
            net || parameter.starts_with("fs.mqueue.") || IPC_PARAMETERS.contains(&parameter);
        let plain =
            parameter.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
                && !parameter.contains("..");
        if !namespaced || !plain {
            problems.of_container(
                name,
                format_args!("'systemControls' namespace `{parameter}` is not one of a container's own: use net.*, fs.mqueue.*, kernel.msg*, kernel.sem or kernel.shm*."),
            );
        } else if net && network_mode == NetworkMode::Host {
            problems.of_container(
                name,
                format_args!(
                    "'systemControls' `{parameter}` is not supported when networkMode=host."
                ),
            );
        }
        if control.value.as_deref().is_none_or(str::is_empty) {
            problems
                .of_container(name, format_args!("'systemControls' `{parameter}` needs a value."));
        }
        if !names.insert(parameter) {
            problems
                .of_container(name, format_args!("'systemControls' `{parameter}` is given twice."));
        }
    }
}
