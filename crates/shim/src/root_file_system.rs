//! The container's root file system and everything else it will see, staged in a mount namespace
//! of the shim's own: when the shim is gone, so is all of it.
//!
//! libcontainer mounts as the container's root, who is nobody on this machine and may not walk
//! through the state directory. So everything is brought to a stage every user may traverse.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::chdir;
use shim_proto::{CreateRequest, Failure};

use crate::{idmap, rooted, writable_layer};

/// Where things are on the stage.
#[derive(Debug)]
pub(crate) struct Stage {
    directory: PathBuf,
    /// Mounts to make in the container: staged source, path in the container.
    pub(crate) binds: Vec<(PathBuf, String)>,
}

impl Stage {
    pub(crate) fn root(&self) -> PathBuf {
        self.directory.join("root")
    }

    pub(crate) fn user_namespace(&self) -> PathBuf {
        self.directory.join("user")
    }

    pub(crate) fn network_namespace(&self) -> PathBuf {
        self.directory.join("network")
    }

    /// Lets go of the root file system and the writable layer.
    pub(crate) fn dismantle(&self) {
        for name in ["root", "writable"] {
            let _ = umount2(&self.directory.join(name), MntFlags::MNT_DETACH);
        }
    }
}

fn at<'a>(what: &'a str, path: &'a Path) -> impl FnOnce(io::Error) -> Failure + use<'a> {
    move |error| Failure::machine(format!("cannot {what} `{}`: {error}", path.display()))
}

/// Enters a mount namespace of our own and stages the container's file systems in it.
pub(crate) fn stage(request: &CreateRequest) -> Result<Stage, Failure> {
    let stage = Stage { directory: request.stage_directory.clone(), binds: Vec::new() };
    unshare(CloneFlags::CLONE_NEWNS)
        .map_err(|errno| Failure::machine(format!("cannot make a mount namespace: {errno}")))?;
    mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_SLAVE, None::<&str>)
        .map_err(|errno| {
            Failure::machine(format!("cannot detach from the host's mounts: {errno}"))
        })?;
    mount(
        Some("portcullis"),
        &stage.directory,
        Some("tmpfs"),
        MsFlags::MS_NOSUID,
        Some("mode=0755,size=4m"),
    )
    .map_err(|errno| at("mount the stage", &stage.directory)(errno.into()))?;
    for (pin, target) in [
        (&request.user_namespace, stage.user_namespace()),
        (&request.network_namespace, stage.network_namespace()),
    ] {
        File::create(&target).map_err(at("make", &target))?;
        mount(Some(pin), &target, None::<&str>, MsFlags::MS_BIND, None::<&str>)
            .map_err(|errno| at("bring the task's namespace from", pin)(errno.into()))?;
    }
    // Other tasks' namespaces must not live as long as this shim.
    umount2(&request.sandboxes_directory, MntFlags::MNT_DETACH)
        .map_err(|errno| at("let go of", &request.sandboxes_directory)(errno.into()))?;
    mount_root(request, &stage)?;
    stage_binds(request, stage)
}

fn mount_root(request: &CreateRequest, stage: &Stage) -> Result<(), Failure> {
    let user_namespace = stage.user_namespace();
    let user_namespace = File::open(&user_namespace).map_err(at("open", &user_namespace))?;
    for (index, layer) in request.spec.layers.iter().enumerate() {
        let target = stage.directory.join(index.to_string());
        fs::create_dir(&target).map_err(at("make", &target))?;
        idmap::attach_layer(layer, &target, user_namespace.as_fd())
            .map_err(at("map the owners of the image layer", layer))?;
    }
    let writable = stage.directory.join("writable");
    fs::create_dir(&writable).map_err(at("make", &writable))?;
    writable_layer::mount_at(
        &writable,
        request.writable_template.as_deref(),
        &request.directory,
        request.spec.writable_layer_mib,
    )?;
    let (upper, work) = (writable.join("upper"), writable.join("work"));
    fs::create_dir(&work).map_err(at("make", &work))?;
    fs::create_dir(&upper).map_err(at("make", &upper))?;
    // The root directory looks as in the topmost layer, not as the empty layer above it.
    let mode = request
        .spec
        .layers
        .last()
        .and_then(|top| fs::metadata(top).ok())
        .map_or(0o755, |metadata| metadata.permissions().mode() & 0o7777);
    fs::set_permissions(&upper, fs::Permissions::from_mode(mode)).map_err(at("set up", &upper))?;
    chown(&upper, Some(request.uid_base), Some(request.uid_base)).map_err(at("own", &upper))?;
    let root = stage.root();
    fs::create_dir(&root).map_err(at("make", &root))?;
    // Relative names, so that 127 layers fit into the one page that options may fill.
    let lower: Vec<String> =
        (0..request.spec.layers.len()).rev().map(|index| index.to_string()).collect();
    let options = format!(
        "lowerdir={},upperdir=writable/upper,workdir=writable/work,volatile,xino=off",
        lower.join(":")
    );
    chdir(&stage.directory).map_err(|errno| at("enter", &stage.directory)(errno.into()))?;
    let mounted =
        mount(Some("overlay"), "root", Some("overlay"), MsFlags::MS_NODEV, Some(options.as_str()));
    chdir("/").map_err(|errno| at("enter", Path::new("/"))(errno.into()))?;
    mounted.map_err(|errno| {
        Failure::machine(format!(
            "cannot mount the root file system from {} layers: {errno}; the kernel must be 5.19 \
             or newer, with overlayfs",
            request.spec.layers.len()
        ))
    })
}

fn stage_binds(request: &CreateRequest, mut stage: Stage) -> Result<Stage, Failure> {
    let root = File::open(stage.root()).map_err(at("open", &stage.root()))?;
    for (index, volume) in request.spec.volumes.iter().enumerate() {
        let owner = rooted::directory_owner(&root, Path::new(&volume.container_path));
        adopt_owner(&volume.source, request.uid_base, owner)?;
        let target = stage.directory.join(format!("volume-{index}"));
        fs::create_dir(&target).map_err(at("make", &target))?;
        idmap::attach_plain(&volume.source, &target, volume.read_only)
            .map_err(at("bring the volume", &volume.source))?;
        stage.binds.push((target, volume.container_path.clone()));
    }
    let files = &request.spec.text_files;
    for (name, text) in [
        ("hosts", &files.hosts),
        ("hostname", &files.hostname),
        ("resolv.conf", &files.resolv_conf),
    ] {
        let Some(text) = text else { continue };
        let target = text_file(&stage, name, text)?;
        stage.binds.push((target, format!("/etc/{name}")));
    }
    for (index, file) in files.further.iter().enumerate() {
        let target = text_file(&stage, &format!("file-{index}"), &file.content.0)?;
        stage.binds.push((target, file.container_path.clone()));
    }
    let working_directory = Path::new(&request.spec.working_directory);
    rooted::make_directories(&root, working_directory, request.uid_base).map_err(|error| {
        Failure::specification(format!(
            "cannot make the working directory `{}` in the image: {error}",
            working_directory.display()
        ))
    })?;
    Ok(stage)
}

/// A file of the stage, which the container's processes may read and, not being its owner, not change.
fn text_file(stage: &Stage, name: &str, text: &str) -> Result<PathBuf, Failure> {
    let target = stage.directory.join(name);
    fs::write(&target, text).map_err(at("write", &target))?;
    fs::set_permissions(&target, fs::Permissions::from_mode(0o644))
        .map_err(at("set up", &target))?;
    Ok(target)
}

/// A volume nobody has used yet belongs to whom the image's directory at its place belongs to,
/// so that a program that is not root can write to it.
fn adopt_owner(
    volume: &Path,
    uid_base: u32,
    owner: Option<(u32, u32, u32)>,
) -> Result<(), Failure> {
    use std::os::unix::fs::MetadataExt;
    let metadata = fs::metadata(volume).map_err(at("look at the volume", volume))?;
    if metadata.uid() != 0 {
        return Ok(());
    }
    let (uid, gid, mode) = owner.unwrap_or((uid_base, uid_base, 0o755));
    chown(volume, Some(uid), Some(gid)).map_err(at("own the volume", volume))?;
    fs::set_permissions(volume, fs::Permissions::from_mode(mode))
        .map_err(at("set up the volume", volume))
}
