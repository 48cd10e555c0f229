//! Control groups, versions 1, 2 and the mixture: what the driver itself reads and writes.
//! The shim enters a container's groups; they are made, measured and removed here.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use shim_proto::{CgroupFiles, Failure, Limits};

use crate::ContainerStats;

/// A group whose processes were killed is empty within a millisecond, or 5 s on a loaded
/// machine.
const REMOVE_ATTEMPTS: u32 = 250;
const REMOVE_LONGEST_PAUSE: Duration = Duration::from_millis(20);
const CPU_PERIOD_US: u64 = 100_000;
/// Controllers used, on version 1 each possibly a hierarchy of its own.
const CONTROLLERS: [&str; 4] = ["cpu", "cpuacct", "memory", "pids"];
/// Controllers that must be switched on in every group above a container's.
const SUBTREE_CONTROLLERS: &str = "+cpu +cpuset +io +memory +pids";

/// Where the hierarchies are mounted.
#[derive(Debug, Clone)]
pub(crate) struct Cgroups {
    /// Version 1: controller to mount point. Empty on a machine with version 2 only.
    v1: BTreeMap<String, PathBuf>,
    /// Mount point of version 2, which may have no controllers.
    unified: Option<PathBuf>,
}

impl Cgroups {
    /// Finds the hierarchies in the text of `/proc/self/mountinfo`.
    pub(crate) fn from_mountinfo(mountinfo: &str) -> Self {
        let mut found = Self { v1: BTreeMap::new(), unified: None };
        for line in mountinfo.lines() {
            let Some((mount, file_system)) = line.split_once(" - ") else { continue };
            let Some(mount_point) = mount.split(' ').nth(4) else { continue };
            let mut fields = file_system.split(' ');
            match (fields.next(), fields.nth(1)) {
                (Some("cgroup2"), _) => {
                    found.unified.get_or_insert_with(|| PathBuf::from(mount_point));
                }
                (Some("cgroup"), Some(options)) => {
                    for option in options.split(',').filter(|option| *option != "rw") {
                        found
                            .v1
                            .entry(option.to_owned())
                            .or_insert_with(|| PathBuf::from(mount_point));
                    }
                }
                _ => {}
            }
        }
        found
    }

    fn is_v1(&self) -> bool {
        self.v1.contains_key("memory")
    }

    /// The directory of the group `path` in the hierarchy that has `controller`.
    fn group(&self, controller: &str, path: &str) -> Option<PathBuf> {
        let mount_point =
            if self.is_v1() { self.v1.get(controller) } else { self.unified.as_ref() };
        mount_point.map(|mount_point| mount_point.join(path.trim_start_matches('/')))
    }

    /// The directories of the group `path` in all hierarchies.
    fn groups(&self, path: &str) -> BTreeSet<PathBuf> {
        let path = path.trim_start_matches('/');
        self.v1.values().chain(&self.unified).map(|mount_point| mount_point.join(path)).collect()
    }

    /// The files that take a process into the group `path`.
    fn entrances(&self, path: &str) -> BTreeSet<PathBuf> {
        // On version 1 by thread: a process with one thread moves itself without a lock.
        let name = if self.is_v1() { "tasks" } else { "cgroup.procs" };
        let groups = CONTROLLERS.iter().filter_map(|controller| self.group(controller, path));
        groups.map(|group| group.join(name)).collect()
    }

    /// Makes the group that shims live in, `path`. `own` is the text of `/proc/self/cgroup`: in
    /// hierarchies that only track processes, the shims and their containers leave the group of
    /// the agent, which a service manager may end, for this one.
    pub(crate) fn make_shim_group(&self, path: &str, own: &str) -> Result<ShimGroup, Failure> {
        self.make_group(path, &Limits::default())?;
        let tracked = own.lines().filter_map(|line| {
            let mut fields = line.splitn(3, ':').skip(1);
            let (controllers, group) = (fields.next()?, fields.next()?);
            let mount_point = match controllers {
                "" if self.is_v1() => self.unified.as_ref(),
                "name=systemd" => self.v1.get(controllers),
                _ => None,
            }?;
            (group != "/").then(|| mount_point.join(path.trim_start_matches('/')))
        });
        let tracked = tracked.filter(|group| fs::create_dir_all(group).is_ok());
        Ok(ShimGroup {
            entrances: self.entrances(path),
            tracked: tracked.map(|group| group.join("cgroup.procs")).collect(),
        })
    }

    /// Makes a container's group with its limits; what its shim needs to know of it.
    pub(crate) fn make_container_group(
        &self,
        path: &str,
        limits: &Limits,
        shims: &ShimGroup,
    ) -> Result<CgroupFiles, Failure> {
        let at_once = Limits { pids: None, ..limits.clone() };
        self.make_group(path, &at_once)?;
        let files = self.files(path, shims);
        let pids = limits.pids.zip(self.group("pids", path));
        let pids = pids.map(|(pids, group)| (group.join("pids.max"), pids.to_string()));
        Ok(CgroupFiles { limits_after_entry: pids.into_iter().collect(), ..files })
    }

    /// What a shim needs to know of the existing group `path`.
    pub(crate) fn files(&self, path: &str, shims: &ShimGroup) -> CgroupFiles {
        let oom = if self.is_v1() { "memory.oom_control" } else { "memory.events" };
        CgroupFiles {
            enter: self.entrances(path).into_iter().chain(shims.tracked.clone()).collect(),
            leave: shims.entrances.iter().cloned().collect(),
            limits_after_entry: Vec::new(),
            oom: self.group("memory", path).map(|group| group.join(oom)),
            can_be_shown: !self.is_v1(),
        }
    }

    /// Makes the group `path` with its limits.
    pub(crate) fn make_group(&self, path: &str, limits: &Limits) -> Result<(), Failure> {
        let settings = if self.is_v1() {
            for group in CONTROLLERS.iter().filter_map(|controller| self.group(controller, path)) {
                fs::create_dir_all(&group).map_err(|error| {
                    Failure::machine(format!("cannot make cgroup `{}`: {error}", group.display()))
                })?;
            }
            v1_settings(limits)
        } else {
            self.switch_controllers_on(path)?;
            v2_settings(limits)
        };
        for (controller, file, value) in settings {
            let Some(group) = self.group(controller, path) else {
                return Err(Failure::machine(format!(
                    "this machine has no cgroup controller `{controller}`: it is needed to limit \
                     tasks; switch it on in the kernel's command line"
                )));
            };
            let file = group.join(file);
            fs::write(&file, &value).map_err(|error| {
                Failure::machine(format!("cannot write `{value}` to `{}`: {error}", file.display()))
            })?;
        }
        Ok(())
    }

    /// Makes the group `path` of version 2 and switches the controllers on in all above it.
    fn switch_controllers_on(&self, path: &str) -> Result<(), Failure> {
        let Some(unified) = &self.unified else {
            return Err(Failure::machine(
                "no cgroup file system is mounted: mount cgroup2 at /sys/fs/cgroup".to_owned(),
            ));
        };
        let mut group = unified.clone();
        for part in path.split('/').filter(|part| !part.is_empty()) {
            let file = group.join("cgroup.subtree_control");
            if fs::write(&file, SUBTREE_CONTROLLERS).is_err() {
                // One by one: a machine may lack some, and the ones that matter are noticed when
                // their limits are written.
                for controller in SUBTREE_CONTROLLERS.split(' ') {
                    let _ = fs::write(&file, controller);
                }
            }
            group.push(part);
            fs::create_dir_all(&group).map_err(|error| {
                Failure::machine(format!("cannot make cgroup `{}`: {error}", group.display()))
            })?;
        }
        Ok(())
    }

    /// Kills all processes in the group `path` and below.
    pub(crate) fn kill(&self, path: &str) {
        for group in self.groups(path) {
            kill_below(&group);
        }
    }

    /// Removes the group `path` and those below it, killing what is in them.
    pub(crate) async fn remove(&self, path: &str) -> Result<(), Failure> {
        let mut pause = Duration::from_millis(1);
        for attempt in 1.. {
            let mut refused = None;
            for group in self.groups(path) {
                if let Err(error) = remove_below(&group) {
                    refused = Some((group, error));
                }
            }
            let Some((group, error)) = refused else { break };
            if attempt == REMOVE_ATTEMPTS {
                return Err(Failure::machine(format!(
                    "cannot remove cgroup `{}`: {error}",
                    group.display()
                )));
            }
            self.kill(path);
            tokio::time::sleep(pause).await;
            pause = REMOVE_LONGEST_PAUSE.min(pause * 2);
        }
        Ok(())
    }

    /// What the group `path` uses.
    pub(crate) fn stats(&self, path: &str) -> io::Result<ContainerStats> {
        let file = |controller: &str, name: &str| -> io::Result<String> {
            let group = self.group(controller, path).ok_or(io::ErrorKind::NotFound)?;
            fs::read_to_string(group.join(name))
        };
        let number = |text: &str| text.trim().parse::<u64>().unwrap_or(0);
        let field = |text: &str, name: &str| -> u64 {
            let mut lines = text.lines().filter_map(|line| line.split_once(' '));
            lines.find(|(key, _)| *key == name).map_or(0, |(_, value)| number(value))
        };
        let (cpu_usage_ns, used, inactive) = if self.is_v1() {
            (
                number(&file("cpuacct", "cpuacct.usage")?),
                number(&file("memory", "memory.usage_in_bytes")?),
                field(&file("memory", "memory.stat")?, "total_inactive_file"),
            )
        } else {
            (
                field(&file("cpu", "cpu.stat")?, "usage_usec").saturating_mul(1000),
                number(&file("memory", "memory.current")?),
                field(&file("memory", "memory.stat")?, "inactive_file"),
            )
        };
        let pids = number(&file("pids", "pids.current")?);
        Ok(ContainerStats { cpu_usage_ns, memory_bytes: used.saturating_sub(inactive), pids })
    }
}

/// How shims get into groups of their own.
#[derive(Debug, Clone)]
pub(crate) struct ShimGroup {
    /// In the hierarchies that limit and measure.
    entrances: BTreeSet<PathBuf>,
    /// In those that only track, where containers go too.
    tracked: Vec<PathBuf>,
}

/// Controller, file and value of each limit.
fn v1_settings(limits: &Limits) -> Vec<(&'static str, &'static str, String)> {
    let mut settings = Vec::new();
    if let Some(shares) = limits.cpu_shares {
        settings.push(("cpu", "cpu.shares", shares.max(2).to_string()));
    }
    if let Some(units) = limits.cpu_quota_units {
        settings.push(("cpu", "cpu.cfs_period_us", CPU_PERIOD_US.to_string()));
        settings.push(("cpu", "cpu.cfs_quota_us", quota_us(units).to_string()));
    }
    if let Some(mib) = limits.memory_mib {
        settings.push(("memory", "memory.limit_in_bytes", (u64::from(mib) << 20).to_string()));
    }
    if let Some(mib) = limits.memory_reservation_mib {
        settings.push(("memory", "memory.soft_limit_in_bytes", (u64::from(mib) << 20).to_string()));
    }
    if let Some(pids) = limits.pids {
        settings.push(("pids", "pids.max", pids.to_string()));
    }
    settings
}

fn v2_settings(limits: &Limits) -> Vec<(&'static str, &'static str, String)> {
    let mut settings = Vec::new();
    if let Some(shares) = limits.cpu_shares {
        // The usual mapping of 2..262144 to 1..10000.
        let shares = u64::from(shares.clamp(2, 262_144));
        settings.push(("cpu", "cpu.weight", (1 + (shares - 2) * 9999 / 262_142).to_string()));
    }
    if let Some(units) = limits.cpu_quota_units {
        settings.push(("cpu", "cpu.max", format!("{} {CPU_PERIOD_US}", quota_us(units))));
    }
    if let Some(mib) = limits.memory_mib {
        settings.push(("memory", "memory.max", (u64::from(mib) << 20).to_string()));
    }
    if let Some(mib) = limits.memory_reservation_mib {
        settings.push(("memory", "memory.low", (u64::from(mib) << 20).to_string()));
    }
    if let Some(pids) = limits.pids {
        settings.push(("pids", "pids.max", pids.to_string()));
    }
    settings
}

/// At least the millisecond the kernel demands.
fn quota_us(cpu_units: u32) -> u64 {
    (u64::from(cpu_units) * CPU_PERIOD_US / 1024).max(1000)
}

fn subgroups(group: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(group) else { return Vec::new() };
    entries
        .flatten()
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| entry.path())
        .collect()
}

fn kill_below(group: &Path) {
    for below in subgroups(group) {
        kill_below(&below);
    }
    let procs = fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
    for pid in procs.lines().filter_map(|line| line.parse().ok()) {
        let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
    }
}

fn remove_below(group: &Path) -> io::Result<()> {
    // Most often there is nothing below.
    match fs::remove_dir(group) {
        Ok(()) => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(_) => {}
    }
    for below in subgroups(group) {
        remove_below(&below)?;
    }
    fs::remove_dir(group)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hierarchies_are_found_in_all_setups() {
        let v2 = "24 23 0:22 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate";
        let found = Cgroups::from_mountinfo(v2);
        assert!(!found.is_v1());
        assert_eq!(found.group("memory", "/p/t/c"), Some(PathBuf::from("/sys/fs/cgroup/p/t/c")));
        let hybrid = "\
            1 0 0:1 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
            2 0 0:2 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n\
            3 0 0:3 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw";
        let found = Cgroups::from_mountinfo(hybrid);
        assert!(found.is_v1());
        assert_eq!(
            found.group("cpuacct", "/p"),
            Some(PathBuf::from("/sys/fs/cgroup/cpu,cpuacct/p"))
        );
        assert_eq!(found.groups("/p").len(), 3);
    }

    #[test]
    fn limits_become_the_kernel_s_values() {
        let limits = Limits {
            cpu_shares: Some(1024),
            cpu_quota_units: Some(512),
            memory_mib: Some(64),
            memory_reservation_mib: None,
            pids: Some(100),
        };
        let values = |settings: Vec<(&str, &str, String)>| -> Vec<String> {
            settings.into_iter().map(|(_, _, value)| value).collect()
        };
        assert_eq!(values(v2_settings(&limits)), ["39", "50000 100000", "67108864", "100"]);
        assert_eq!(values(v1_settings(&limits)), ["1024", "100000", "50000", "67108864", "100"]);
    }
}
