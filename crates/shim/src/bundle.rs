//! From our own description of a container to the OCI runtime specification.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use oci_spec::OciSpecError;
use oci_spec::runtime::{
    Capabilities, Capability, Linux, LinuxBuilder, LinuxCapabilitiesBuilder, LinuxNamespace,
    LinuxNamespaceBuilder, LinuxNamespaceType, Mount, MountBuilder, PosixRlimit,
    PosixRlimitBuilder, PosixRlimitType, Process, ProcessBuilder, RootBuilder, Spec, SpecBuilder,
    UserBuilder,
};
use shim_proto::{ContainerSpec, CreateRequest, Failure, Ulimit};

use crate::root_file_system::Stage;
use crate::seccomp;
use crate::users::ResolvedUser;

const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Kernel state a container must not read, though /proc shows it.
const MASKED_PATHS: [&str; 12] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
];
const READ_ONLY_PATHS: [&str; 5] =
    ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

#[expect(clippy::needless_pass_by_value, reason = "the shape map_err wants")]
fn not_built(error: OciSpecError) -> Failure {
    Failure::machine(format!("cannot build the runtime specification: {error}"))
}

/// The whole specification.
pub(crate) fn specification(
    request: &CreateRequest,
    stage: &Stage,
    user: &ResolvedUser,
) -> Result<Spec, Failure> {
    let spec = &request.spec;
    let mut builder = SpecBuilder::default()
        .version("1.0.2")
        .root(
            RootBuilder::default()
                .path(stage.root())
                .readonly(spec.read_only_root)
                .build()
                .map_err(not_built)?,
        )
        .process(process(spec, user)?)
        .mounts(mounts(request, stage)?)
        .linux(linux(request, stage)?);
    if !spec.hostname.is_empty() {
        builder = builder.hostname(spec.hostname.as_str());
    }
    builder.build().map_err(not_built)
}

fn process(spec: &ContainerSpec, user: &ResolvedUser) -> Result<Process, Failure> {
    let bounding = capabilities(&spec.capabilities)?;
    // A user that is not root has no capabilities to begin with; the kernel would take them away
    // at execve, and process 1 must not have them before that either.
    let effective = if user.uid == 0 { bounding.clone() } else { Capabilities::new() };
    let capabilities = LinuxCapabilitiesBuilder::default()
        .bounding(bounding)
        .effective(effective.clone())
        .permitted(effective)
        .inheritable(Capabilities::new())
        .ambient(Capabilities::new())
        .build()
        .map_err(not_built)?;
    let working_directory =
        if spec.working_directory.is_empty() { "/" } else { &spec.working_directory };
    ProcessBuilder::default()
        .terminal(false)
        .args(spec.argv.clone())
        .env(environment(spec, user))
        .cwd(working_directory)
        .user(
            UserBuilder::default()
                .uid(user.uid)
                .gid(user.gid)
                .additional_gids(user.additional_gids.clone())
                .umask(0o022_u32)
                .build()
                .map_err(not_built)?,
        )
        .capabilities(capabilities)
        .rlimits(ulimits(&spec.ulimits)?)
        .no_new_privileges(true)
        .oom_score_adj(0)
        .build()
        .map_err(not_built)
}

fn capabilities(names: &[String]) -> Result<Capabilities, Failure> {
    let parse = |name: &String| {
        name.strip_prefix("CAP_").unwrap_or(name).parse::<Capability>().map_err(|_| {
            Failure::specification(format!(
                "`{name}` is not a Linux capability: see capabilities(7) for their names"
            ))
        })
    };
    names.iter().map(parse).collect()
}

fn environment(spec: &ContainerSpec, user: &ResolvedUser) -> Vec<String> {
    let mut environment = BTreeMap::from([("PATH", DEFAULT_PATH), ("HOME", &user.home)]);
    if !spec.hostname.is_empty() {
        environment.insert("HOSTNAME", &spec.hostname);
    }
    environment
        .extend(spec.environment.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    environment.iter().map(|(name, value)| format!("{name}={value}")).collect()
}

fn resource_of(name: &str) -> Option<(PosixRlimitType, Resource)> {
    Some(match name {
        "as" => (PosixRlimitType::RlimitAs, Resource::RLIMIT_AS),
        "core" => (PosixRlimitType::RlimitCore, Resource::RLIMIT_CORE),
        "cpu" => (PosixRlimitType::RlimitCpu, Resource::RLIMIT_CPU),
        "data" => (PosixRlimitType::RlimitData, Resource::RLIMIT_DATA),
        "fsize" => (PosixRlimitType::RlimitFsize, Resource::RLIMIT_FSIZE),
        "locks" => (PosixRlimitType::RlimitLocks, Resource::RLIMIT_LOCKS),
        "memlock" => (PosixRlimitType::RlimitMemlock, Resource::RLIMIT_MEMLOCK),
        "msgqueue" => (PosixRlimitType::RlimitMsgqueue, Resource::RLIMIT_MSGQUEUE),
        "nice" => (PosixRlimitType::RlimitNice, Resource::RLIMIT_NICE),
        "nofile" => (PosixRlimitType::RlimitNofile, Resource::RLIMIT_NOFILE),
        "nproc" => (PosixRlimitType::RlimitNproc, Resource::RLIMIT_NPROC),
        "rss" => (PosixRlimitType::RlimitRss, Resource::RLIMIT_RSS),
        "rtprio" => (PosixRlimitType::RlimitRtprio, Resource::RLIMIT_RTPRIO),
        "rttime" => (PosixRlimitType::RlimitRttime, Resource::RLIMIT_RTTIME),
        "sigpending" => (PosixRlimitType::RlimitSigpending, Resource::RLIMIT_SIGPENDING),
        "stack" => (PosixRlimitType::RlimitStack, Resource::RLIMIT_STACK),
        _ => return None,
    })
}

/// Limits above the shim's own are raised here: inside the user namespace nobody may.
fn ulimits(wanted: &[Ulimit]) -> Result<Vec<PosixRlimit>, Failure> {
    let mut limits = Vec::with_capacity(wanted.len());
    for Ulimit { name, soft, hard } in wanted {
        let (kind, resource) = resource_of(name).ok_or_else(|| {
            Failure::specification(format!("`{name}` is not a ulimit: see getrlimit(2)"))
        })?;
        if soft > hard {
            return Err(Failure::specification(format!(
                "ulimit `{name}`: the soft limit {soft} is above the hard limit {hard}"
            )));
        }
        let (own_soft, own_hard) = getrlimit(resource)
            .map_err(|errno| Failure::machine(format!("cannot read ulimit `{name}`: {errno}")))?;
        if *hard > own_hard && setrlimit(resource, own_soft, *hard).is_err() {
            return Err(Failure::machine(format!(
                "ulimit `{name}`: the hard limit {hard} is above this machine's {own_hard} and \
                 cannot be raised; ask for at most {own_hard}, or start portcullis with a higher \
                 limit"
            )));
        }
        let limit = PosixRlimitBuilder::default().typ(kind).soft(*soft).hard(*hard);
        limits.push(limit.build().map_err(not_built)?);
    }
    Ok(limits)
}

fn mount_of(kind: &str, source: &Path, target: &str, options: &[&str]) -> Result<Mount, Failure> {
    MountBuilder::default()
        .destination(target)
        .typ(kind)
        .source(source)
        .options(options.iter().map(|option| (*option).to_owned()).collect::<Vec<_>>())
        .build()
        .map_err(not_built)
}

fn mounts(request: &CreateRequest, stage: &Stage) -> Result<Vec<Mount>, Failure> {
    let spec = &request.spec;
    let virtual_mount = |kind: &str, target: &str, options: &[&str]| {
        mount_of(kind, Path::new(kind), target, options)
    };
    let shm_size = format!("size={}m", spec.shm_size_mib);
    let mut mounts = vec![
        virtual_mount("proc", "/proc", &["nosuid", "noexec", "nodev"])?,
        virtual_mount("tmpfs", "/dev", &["nosuid", "strictatime", "mode=755", "size=1m"])?,
        virtual_mount(
            "devpts",
            "/dev/pts",
            &["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
        )?,
        virtual_mount("tmpfs", "/dev/shm", &["nosuid", "noexec", "nodev", "mode=1777", &shm_size])?,
        virtual_mount("mqueue", "/dev/mqueue", &["nosuid", "noexec", "nodev"])?,
        virtual_mount("sysfs", "/sys", &["nosuid", "noexec", "nodev", "ro"])?,
    ];
    if request.cgroups.can_be_shown {
        // Its own limits: what language runtimes size their heaps and thread pools by.
        let options = ["nosuid", "noexec", "nodev", "ro"];
        mounts.push(virtual_mount("cgroup2", "/sys/fs/cgroup", &options)?);
    }
    for tmpfs in &spec.tmpfs {
        let size = format!("size={}m", tmpfs.size_mib);
        let mut options = vec!["nosuid", "nodev", size.as_str()];
        options.extend(
            tmpfs.options.iter().map(String::as_str).filter(|option| *option != "defaults"),
        );
        mounts.push(mount_of("tmpfs", Path::new("tmpfs"), &tmpfs.container_path, &options)?);
    }
    let mut binds: Vec<&(PathBuf, String)> = stage.binds.iter().collect();
    // A volume below another volume's path is mounted after it.
    binds.sort_by_key(|(_, target)| target.split('/').count());
    for (source, target) in binds {
        mounts.push(mount_of("bind", source, target, &["bind"])?);
    }
    Ok(mounts)
}

fn linux(request: &CreateRequest, stage: &Stage) -> Result<Linux, Failure> {
    let spec = &request.spec;
    let namespace = |kind, path: Option<PathBuf>| -> Result<LinuxNamespace, Failure> {
        let mut namespace = LinuxNamespaceBuilder::default().typ(kind);
        if let Some(path) = path {
            namespace = namespace.path(path);
        }
        namespace.build().map_err(not_built)
    };
    let namespaces = vec![
        namespace(LinuxNamespaceType::User, Some(stage.user_namespace()))?,
        namespace(LinuxNamespaceType::Network, Some(stage.network_namespace()))?,
        namespace(LinuxNamespaceType::Pid, None)?,
        namespace(LinuxNamespaceType::Mount, None)?,
        namespace(LinuxNamespaceType::Ipc, None)?,
        namespace(LinuxNamespaceType::Uts, None)?,
        namespace(LinuxNamespaceType::Cgroup, None)?,
    ];
    let owned = |paths: &[&str]| paths.iter().map(|path| (*path).to_owned()).collect::<Vec<_>>();
    let builder = LinuxBuilder::default()
        .namespaces(namespaces)
        .seccomp(seccomp::profile(&spec.capabilities).map_err(not_built)?)
        .masked_paths(owned(&MASKED_PATHS))
        .readonly_paths(owned(&READ_ONLY_PATHS));
    let mut linux = builder.build().map_err(not_built)?;
    // The user namespace exists: mappings would ask for another.
    linux.set_uid_mappings(None).set_gid_mappings(None).set_devices(None).set_resources(None);
    linux.set_sysctl(Some(spec.sysctls.clone().into_iter().collect()));
    Ok(linux)
}
