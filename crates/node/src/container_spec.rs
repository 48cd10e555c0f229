//! From a task definition's container and its image to what the runtime is asked to make.

use std::collections::BTreeMap;
use std::path::PathBuf;

use domain::{ContainerSpec, LaunchType, TaskSpec};
use images::Image;
use network::{AGENT_LINK, API_LINK};
use runtime_oci::{
    Content, FileSystemMount, Limits, TextFile, TextFiles, Ulimit, UserSpec, Volume,
};

/// Capabilities that every container begins with: enough to change user and own files, nothing
/// that reaches the network stack, devices or the kernel.
const DEFAULT_CAPABILITIES: &[&str] = &[
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "NET_BIND_SERVICE",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];
/// Capabilities that a definition may add. All are confined to the task's user namespace; those
/// that are missing here open parts of the kernel that no container needs.
const ADDABLE_CAPABILITIES: &[&str] =
    &["AUDIT_WRITE", "IPC_LOCK", "MKNOD", "NET_RAW", "SETFCAP", "SYS_NICE", "SYS_PTRACE"];
/// Processes and threads of one container.
const MAX_PIDS: u32 = 1024;
/// Docker's size of `/dev/shm`, which images expect.
const DEFAULT_SHM_MIB: u32 = 64;
/// Size limit of the writable layer where the definition says nothing.
const DEFAULT_WRITABLE_LAYER_MIB: u32 = 2048;
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Where a container finds the token for its task's credentials.
const TOKEN_FILE: &str = "/run/portcullis/credentials-token";

/// What the container's task gives it.
#[derive(Debug)]
pub(crate) struct Surroundings<'a> {
    pub(crate) task_id: &'a str,
    /// Name of the container in the runtime: unique in the task for every start.
    pub(crate) runtime_name: String,
    pub(crate) task: &'a TaskSpec,
    /// Where each of the task's volumes is on this machine, by name.
    pub(crate) volumes: &'a BTreeMap<String, PathBuf>,
    /// The task's own address.
    pub(crate) address: Option<&'a str>,
    /// Where the task was placed.
    pub(crate) launch_type: LaunchType,
    /// The way to the agent; `None` without a network.
    pub(crate) link: Option<&'a Link>,
}

/// What a container is told of the agent and the APIs.
#[derive(Debug)]
pub(crate) struct Link {
    /// The container's UUID.
    pub(crate) container_id: String,
    pub(crate) region: String,
    /// Whether the APIs are reached too.
    pub(crate) apis: bool,
    /// With a task role.
    pub(crate) credentials: Option<LinkCredentials>,
}

/// How a container gets the task role's credentials.
#[derive(Debug)]
pub(crate) struct LinkCredentials {
    /// The last part of their path.
    pub(crate) id: String,
    /// The content of the token file.
    pub(crate) token: Content,
}

/// What the runtime is asked to make.
///
/// # Errors
///
/// What is wrong and what to do, in one line, without ECS's error name.
pub(crate) fn container_spec(
    container: &ContainerSpec,
    image: &Image,
    around: &Surroundings<'_>,
) -> Result<runtime_oci::ContainerSpec, String> {
    let hostname = container
        .hostname
        .clone()
        .unwrap_or_else(|| around.task_id.get(..12).unwrap_or(around.task_id).to_owned());
    let config = &image.config;
    let user = container.user.as_deref().unwrap_or(config.user.as_str());
    let working_directory =
        container.working_directory.clone().unwrap_or_else(|| config.working_dir.clone());
    Ok(runtime_oci::ContainerSpec {
        task_id: around.task_id.to_owned(),
        name: around.runtime_name.clone(),
        layers: image.layers.clone(),
        argv: argv(container, image)?,
        environment: environment(container, image, around),
        working_directory,
        user: UserSpec::from(user),
        text_files: text_files(container, &hostname, around),
        hostname,
        read_only_root: container.read_only_root,
        volumes: volumes(container, around)?,
        tmpfs: container
            .linux
            .tmpfs
            .iter()
            .map(|tmpfs| FileSystemMount {
                container_path: tmpfs.container_path.clone(),
                size_mib: tmpfs.size_mib,
                options: tmpfs.mount_options.clone(),
            })
            .collect(),
        capabilities: capabilities(container)?,
        limits: limits(container, around.task),
        ulimits: container
            .ulimits
            .iter()
            .map(|limit| Ulimit { name: limit.name.clone(), soft: limit.soft, hard: limit.hard })
            .collect(),
        sysctls: container.system_controls.clone(),
        init_process: container.linux.init_process,
        shm_size_mib: container.linux.shared_memory_size_mib.unwrap_or(DEFAULT_SHM_MIB),
        writable_layer_mib: around.task.ephemeral_storage_mib.unwrap_or(DEFAULT_WRITABLE_LAYER_MIB),
    })
}

/// An entry point of the definition replaces the image's command too, as everywhere.
fn argv(container: &ContainerSpec, image: &Image) -> Result<Vec<String>, String> {
    let own_entry_point = !container.entry_point.is_empty();
    let entry_point =
        if own_entry_point { &container.entry_point } else { &image.config.entrypoint };
    let command = match (container.command.is_empty(), own_entry_point) {
        (false, _) => container.command.as_slice(),
        (true, true) => &[],
        (true, false) => image.config.cmd.as_slice(),
    };
    let argv: Vec<String> = entry_point.iter().chain(command).cloned().collect();
    if argv.is_empty() {
        return Err(format!(
            "nothing to run: neither the definition of container `{}` nor its image `{}` has an \
             entry point or a command: set `command`",
            container.name, container.image
        ));
    }
    Ok(argv)
}

/// The definition's variables win over the agent's, and those over the image's.
fn environment(
    container: &ContainerSpec,
    image: &Image,
    around: &Surroundings<'_>,
) -> Vec<(String, String)> {
    let mut merged: BTreeMap<String, String> =
        BTreeMap::from([("PATH".to_owned(), DEFAULT_PATH.to_owned())]);
    for variable in &image.config.env {
        if let Some((name, value)) = variable.split_once('=') {
            merged.insert(name.to_owned(), value.to_owned());
        }
    }
    let announced = announced(around);
    merged.extend(announced.into_iter().map(|(name, value)| (name.to_owned(), value)));
    merged.extend(container.environment.clone());
    merged.into_iter().collect()
}

/// What the SDKs look for.
fn announced(around: &Surroundings<'_>) -> Vec<(&'static str, String)> {
    let execution_env = match around.launch_type {
        LaunchType::Ec2 | LaunchType::External => "AWS_ECS_EC2",
        LaunchType::Fargate => "AWS_ECS_FARGATE",
    };
    let mut variables = vec![("AWS_EXECUTION_ENV", execution_env.to_owned())];
    let Some(link) = around.link else { return variables };
    let agent = format!("http://{AGENT_LINK}");
    variables.extend([
        // Some SDKs read the one, some the other.
        ("AWS_REGION", link.region.clone()),
        ("AWS_DEFAULT_REGION", link.region.clone()),
        ("ECS_CONTAINER_METADATA_URI_V4", format!("{agent}/v4/{}", link.container_id)),
    ]);
    if link.apis {
        variables.push(("AWS_ENDPOINT_URL", format!("http://{API_LINK}")));
    }
    if let Some(credentials) = &link.credentials {
        let uri = format!("{agent}/v2/credentials/{}", credentials.id);
        variables.extend([
            ("AWS_CONTAINER_CREDENTIALS_FULL_URI", uri),
            ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", TOKEN_FILE.to_owned()),
        ]);
    }
    variables
}

fn text_files(container: &ContainerSpec, hostname: &str, around: &Surroundings<'_>) -> TextFiles {
    let mut hosts = "127.0.0.1 localhost\n".to_owned();
    if let Some(address) = around.address {
        hosts.push_str(&format!("{address} {hostname}\n"));
    }
    for (name, address) in &container.extra_hosts {
        hosts.push_str(&format!("{address} {name}\n"));
    }
    let credentials = around.link.and_then(|link| link.credentials.as_ref());
    let token_file = credentials.map(|credentials| TextFile {
        container_path: TOKEN_FILE.to_owned(),
        content: credentials.token.clone(),
    });
    TextFiles {
        hosts: Some(hosts),
        hostname: Some(format!("{hostname}\n")),
        // No name server is reachable from a task.
        resolv_conf: Some(String::new()),
        further: token_file.into_iter().collect(),
    }
}

fn volumes(container: &ContainerSpec, around: &Surroundings<'_>) -> Result<Vec<Volume>, String> {
    let mut volumes = mounts(container, around)?;
    for (name, read_only) in &container.volumes_from {
        let source = around.task.container(name).ok_or_else(|| {
            format!("`volumesFrom` names container `{name}`, which is not in the task: correct it")
        })?;
        for mut volume in mounts(source, around)? {
            volume.read_only |= read_only;
            if !volumes.iter().any(|known| known.container_path == volume.container_path) {
                volumes.push(volume);
            }
        }
    }
    Ok(volumes)
}

fn mounts(container: &ContainerSpec, around: &Surroundings<'_>) -> Result<Vec<Volume>, String> {
    container
        .mount_points
        .iter()
        .map(|mount| {
            let source = around.volumes.get(&mount.source_volume).cloned().ok_or_else(|| {
                format!(
                    "`mountPoints` names volume `{}`, which is not in the task: add it to `volumes`",
                    mount.source_volume
                )
            })?;
            Ok(Volume {
                source,
                container_path: mount.container_path.clone(),
                read_only: mount.read_only,
            })
        })
        .collect()
}

fn capabilities(container: &ContainerSpec) -> Result<Vec<String>, String> {
    let linux = &container.linux;
    let drops_all = linux.capabilities_drop.iter().any(|name| name == "ALL");
    let mut set: Vec<String> = DEFAULT_CAPABILITIES
        .iter()
        .filter(|name| !drops_all && !linux.capabilities_drop.iter().any(|drop| drop == *name))
        .map(|name| (*name).to_owned())
        .collect();
    for name in &linux.capabilities_add {
        let possible = DEFAULT_CAPABILITIES.iter().chain(ADDABLE_CAPABILITIES);
        if !possible.clone().any(|possible| possible == name) {
            let possible: Vec<&str> = possible.copied().collect();
            return Err(format!(
                "container `{}` adds the capability `{name}`, which no container gets (TSK-002): \
                 remove it from linuxParameters.capabilities.add; possible are {}",
                container.name,
                possible.join(", ")
            ));
        }
        if !set.contains(name) {
            set.push(name.clone());
        }
    }
    Ok(set)
}

fn limits(container: &ContainerSpec, task: &TaskSpec) -> Limits {
    Limits {
        cpu_shares: Some(container.cpu_units.clamp(2, 262_144)),
        cpu_quota_units: None,
        memory_mib: container.memory_mib.or(task.memory_mib),
        memory_reservation_mib: container.memory_reservation_mib,
        pids: Some(MAX_PIDS),
    }
}

/// Limits of the task as a whole, on a machine with `machine_cpu_units` and `machine_memory_mib`.
/// There is always one of each.
pub(crate) fn task_limits(
    task: &TaskSpec,
    machine_cpu_units: u32,
    machine_memory_mib: u32,
) -> Limits {
    let all_limited = task.containers.iter().all(|container| container.memory_mib.is_some());
    let sum = task
        .containers
        .iter()
        .fold(0_u32, |sum, container| sum.saturating_add(container.memory_mib.unwrap_or(0)));
    let containers = u32::try_from(task.containers.len()).unwrap_or(u32::MAX);
    Limits {
        cpu_shares: Some(task.reserved_cpu_units().clamp(2, 262_144)),
        cpu_quota_units: Some(task.cpu_units.unwrap_or(machine_cpu_units)),
        memory_mib: task.memory_mib.or(Some(if all_limited { sum } else { machine_memory_mib })),
        memory_reservation_mib: None,
        pids: Some(MAX_PIDS.saturating_mul(containers)),
    }
}

#[cfg(test)]
mod tests {
    use domain::LinuxParameters;

    use super::*;

    fn check(add: &[&str], drop: &[&str], expected: Result<&[&str], &str>) {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let container = ContainerSpec {
            linux: LinuxParameters {
                capabilities_add: owned(add),
                capabilities_drop: owned(drop),
                ..LinuxParameters::default()
            },
            ..ContainerSpec::default()
        };
        match (capabilities(&container), expected) {
            (Ok(set), Ok(expected)) => assert_eq!(set, expected),
            (Err(error), Err(expected)) => assert!(error.contains(expected), "{error}"),
            (other, _) => panic!("{other:?} is not {expected:?}"),
        }
    }

    #[test]
    fn dropping_all_leaves_exactly_what_is_added() {
        check(&["NET_RAW"], &["ALL"], Ok(&["NET_RAW"]));
        check(&[], &["ALL"], Ok(&[]));
    }

    #[test]
    fn a_capability_that_opens_the_kernel_is_refused_by_name() {
        check(&["SYS_ADMIN"], &[], Err("`SYS_ADMIN`"));
        check(&["ALL"], &["ALL"], Err("`ALL`"));
    }
}
