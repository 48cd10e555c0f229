//! What the rules look at: the parts of a task definition that matter, as plain data.

/// A task definition as the rules see it. Modes are as written in the request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TaskDefinitionView {
    /// `networkMode`.
    pub network_mode: Option<String>,
    /// `pidMode`.
    pub pid_mode: Option<String>,
    /// `ipcMode`.
    pub ipc_mode: Option<String>,
    /// `containerDefinitions`, in order: findings name them by index.
    pub containers: Vec<ContainerView>,
    /// `volumes`, in order.
    pub volumes: Vec<VolumeView>,
}

/// One container definition.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ContainerView {
    /// `name`.
    pub name: String,
    /// `privileged`; absent means false.
    pub privileged: bool,
    /// `linuxParameters.devices`, in order.
    pub devices: Vec<DeviceView>,
    /// `mountPoints`, in order.
    pub mount_points: Vec<MountPointView>,
}

/// One device of a container.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeviceView {
    /// `hostPath`.
    pub host_path: String,
}

/// One mount point of a container.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MountPointView {
    /// `sourceVolume`: the name of a volume.
    pub source_volume: String,
}

/// One volume of the task.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct VolumeView {
    /// `name`.
    pub name: String,
    /// `host.sourcePath`. Absent or empty asks for a volume of the task's own.
    pub host_source_path: Option<String>,
}

impl VolumeView {
    /// The host path asked for, if any.
    pub(crate) fn host_path(&self) -> Option<&str> {
        self.host_source_path.as_deref().filter(|path| !path.is_empty())
    }
}

impl TaskDefinitionView {
    /// Containers with their JSON path.
    pub(crate) fn containers(&self) -> impl Iterator<Item = (String, &ContainerView)> {
        let containers = self.containers.iter().enumerate();
        containers.map(|(index, container)| (format!("containerDefinitions[{index}]"), container))
    }

    /// Volumes that ask for a host path: the JSON path of that field, the volume and the host path.
    pub(crate) fn host_volumes(&self) -> impl Iterator<Item = (String, &VolumeView, &str)> {
        self.volumes.iter().enumerate().filter_map(|(index, volume)| {
            Some((format!("volumes[{index}].host.sourcePath"), volume, volume.host_path()?))
        })
    }

    /// Names of the containers that mount a volume.
    pub(crate) fn mounted_by(&self, volume: &str) -> impl Iterator<Item = &str> {
        self.containers
            .iter()
            .filter(move |container| {
                container.mount_points.iter().any(|mount| mount.source_volume == volume)
            })
            .map(|container| container.name.as_str())
    }
}
