//! Volumes, and where they appear.

use std::collections::BTreeSet;

use api_ecs::types::{ContainerDefinition, HostVolumeProperties, Volume};

use super::Surroundings;
use super::problems::Problems;

/// Fills in the empty `host` of a volume that says nothing else.
pub(super) fn fill(volume: &mut Volume) {
    if kind(volume).is_none() && volume.configured_at_launch != Some(true) {
        volume.host.get_or_insert_with(HostVolumeProperties::default);
    }
}

/// What else than a directory of the task a volume wants to be.
fn kind(volume: &Volume) -> Option<&'static str> {
    let kinds = [
        ("efsVolumeConfiguration", volume.efs_volume_configuration.is_some()),
        ("dockerVolumeConfiguration", volume.docker_volume_configuration.is_some()),
        (
            "fsxWindowsFileServerVolumeConfiguration",
            volume.fsx_windows_file_server_volume_configuration.is_some(),
        ),
        ("s3filesVolumeConfiguration", volume.s3files_volume_configuration.is_some()),
        ("configuredAtLaunch", volume.configured_at_launch == Some(true)),
    ];
    kinds.into_iter().find(|(_, given)| *given).map(|(kind, _)| kind)
}

/// Checks the task's volumes.
pub(super) fn check_volumes(surroundings: Surroundings<'_>, problems: &mut Problems) {
    let mut names = BTreeSet::new();
    for volume in surroundings.volumes {
        let name = volume.name.as_deref().unwrap_or_default();
        if let Err(error) = crate::name::check(name, "volume") {
            problems.push(error.message);
        }
        if !names.insert(name) {
            problems.push(format!("Volume names must be unique: '{name}' is used twice."));
        }
        if let Some(kind) = kind(volume) {
            problems.push(format!(
                "The volume '{name}' asks for {kind}, which is not supported: use a volume with a name only, an empty directory that lives as long as the task."
            ));
        }
    }
}

/// Checks one container.
pub(super) fn check(
    name: &str,
    container: &ContainerDefinition,
    surroundings: Surroundings<'_>,
    problems: &mut Problems,
) {
    let mut paths = BTreeSet::new();
    for mount in container.mount_points.as_deref().unwrap_or_default() {
        let volume = mount.source_volume.as_deref().unwrap_or_default();
        if !surroundings.volumes.iter().any(|known| known.name.as_deref() == Some(volume)) {
            problems.of_container(name, format_args!("Unknown volume '{volume}'."));
        }
        check_path(name, mount.container_path.as_deref(), &mut paths, problems);
    }
    let linux = container.linux_parameters.as_ref();
    for tmpfs in linux.and_then(|linux| linux.tmpfs.as_deref()).unwrap_or_default() {
        check_path(name, tmpfs.container_path.as_deref(), &mut paths, problems);
        if tmpfs.size.is_none_or(|mib| mib < 1) {
            problems.of_container(name, "'tmpfs.size' must be at least 1 MiB.");
        }
        for option in tmpfs.mount_options.as_deref().unwrap_or_default() {
            let (key, _) = option.split_once('=').unwrap_or((option, ""));
            if !MOUNT_OPTIONS.contains(&key) {
                problems.of_container(
                    name,
                    format_args!("'tmpfs.mountOptions' does not know `{option}`."),
                );
            }
        }
    }
    for from in container.volumes_from.as_deref().unwrap_or_default() {
        let source = from.source_container.as_deref().unwrap_or_default();
        let known = surroundings.containers.iter().any(|one| one.name.as_deref() == Some(source));
        if !known || source == name {
            problems.of_container(
                name,
                format_args!("'volumesFrom' `{source}` is not another container of the task."),
            );
        }
    }
}

/// A place in the container: an absolute path without `..`, used once.
fn check_path<'a>(
    name: &str,
    path: Option<&'a str>,
    paths: &mut BTreeSet<&'a str>,
    problems: &mut Problems,
) {
    let path = path.unwrap_or_default();
    let absolute = path.starts_with('/') && !path.contains('\0');
    if !absolute || path == "/" || path.split('/').any(|part| part == "..") {
        problems.of_container(
            name,
            format_args!("'containerPath' `{path}` is not an absolute path inside the container."),
        );
    } else if !paths.insert(path.trim_end_matches('/')) {
        problems.of_container(name, format_args!("'containerPath' `{path}` is used twice."));
    }
}

/// The options of a tmpfs, by the ECS model; some have a value after `=`.
const MOUNT_OPTIONS: &[&str] = &[
    "async",
    "atime",
    "bind",
    "defaults",
    "dev",
    "diratime",
    "dirsync",
    "exec",
    "gid",
    "mand",
    "mode",
    "mpol",
    "noatime",
    "nodev",
    "nodiratime",
    "noexec",
    "nomand",
    "norelatime",
    "nostrictatime",
    "nosuid",
    "nr_blocks",
    "nr_inodes",
    "private",
    "rbind",
    "relatime",
    "remount",
    "ro",
    "rprivate",
    "rshared",
    "rslave",
    "runbindable",
    "rw",
    "shared",
    "slave",
    "strictatime",
    "suid",
    "sync",
    "uid",
    "unbindable",
];
