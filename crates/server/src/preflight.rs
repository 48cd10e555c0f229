//! Finds out, before anything is changed, whether this machine can run tasks.

use std::fmt;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use network::Network;

/// Cgroup controllers without which limits do not hold.
const CONTROLLERS: [&str; 3] = ["cpu", "memory", "pids"];

/// Something that is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub fix: String,
}

/// All that is missing. Prints one line; the problems are for the caller to list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preflight {
    /// Never empty.
    pub problems: Vec<Problem>,
}

impl fmt::Display for Preflight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, Problem { what, fix }) in self.problems.iter().enumerate() {
            let separator = if place == 0 { "" } else { " | " };
            write!(f, "{separator}{what}: {fix}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Preflight {}

/// The texts of the kernel that are looked at.
#[derive(Debug, Default)]
struct Facts {
    is_root: bool,
    filesystems: String,
    mountinfo: String,
    v2_controllers: String,
    max_user_namespaces: Option<u64>,
    has_seccomp: bool,
}

impl Facts {
    fn of_this_machine() -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let mountinfo = read("/proc/self/mountinfo");
        let v2_controllers = mount_points(&mountinfo, "cgroup2")
            .next()
            .map(|(mount_point, _)| read(&format!("{mount_point}/cgroup.controllers")))
            .unwrap_or_default();
        Self {
            is_root: rustix::process::geteuid().is_root(),
            filesystems: read("/proc/filesystems"),
            v2_controllers,
            mountinfo,
            max_user_namespaces: read("/proc/sys/user/max_user_namespaces").trim().parse().ok(),
            has_seccomp: fs::metadata("/proc/sys/kernel/seccomp/actions_avail").is_ok(),
        }
    }

    fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut check = |holds: bool, what: String, fix: &str| {
            if !holds {
                problems.push(Problem { what, fix: fix.to_owned() });
            }
        };
        check(
            self.is_root,
            "not started as root, which making containers and their network needs".to_owned(),
            "start it with sudo or as a system service",
        );
        let overlay = self.filesystems.lines().any(|line| line.ends_with("\toverlay"));
        check(
            overlay,
            "the kernel has no overlay file system".to_owned(),
            "run `modprobe overlay`, or use a kernel with CONFIG_OVERLAY_FS",
        );
        check(
            self.max_user_namespaces.is_some_and(|most| most > 0),
            "user namespaces are missing or switched off".to_owned(),
            "set sysctl user.max_user_namespaces to 15000 or more; the kernel needs CONFIG_USER_NS",
        );
        check(
            self.has_seccomp,
            "the kernel cannot filter system calls".to_owned(),
            "use a kernel with CONFIG_SECCOMP_FILTER",
        );
        let missing = self.missing_controllers();
        check(
            missing.is_empty(),
            format!("cgroup controllers are missing: {}", missing.join(", ")),
            "mount cgroup2 at /sys/fs/cgroup (or the version 1 controllers below it), and remove \
             `cgroup_disable` from the kernel's command line",
        );
        problems
    }

    /// Version 1 counts where it has the memory controller; otherwise version 2.
    fn missing_controllers(&self) -> Vec<&'static str> {
        let v1: Vec<&str> = mount_points(&self.mountinfo, "cgroup")
            .flat_map(|(_, options)| options.split(','))
            .collect();
        let has = |controller: &str| {
            if v1.contains(&"memory") {
                v1.contains(&controller)
            } else {
                self.v2_controllers.split_whitespace().any(|one| one == controller)
            }
        };
        CONTROLLERS.into_iter().filter(|controller| !has(controller)).collect()
    }
}

/// Mount points of this type, each with its super block's options.
fn mount_points<'a>(
    mountinfo: &'a str,
    file_system: &'a str,
) -> impl Iterator<Item = (&'a str, &'a str)> {
    mountinfo.lines().filter_map(move |line| {
        let (mount, rest) = line.split_once(" - ")?;
        let mut fields = rest.split(' ');
        let (kind, options) = (fields.next()?, fields.nth(1)?);
        (kind == file_system).then_some((mount.split(' ').nth(4)?, options))
    })
}

/// What is wrong with the shim program.
fn shim_problem(path: &Path) -> Option<Problem> {
    let what = match fs::metadata(path) {
        Ok(metadata) if metadata.is_file() && metadata.permissions().mode() & 0o111 != 0 => {
            return None;
        }
        Ok(_) => format!("`{}` is not an executable file", path.display()),
        Err(error) => format!("`{}` cannot be found: {error}", path.display()),
    };
    let fix = "install `portcullis-shim` of the same version beside `portcullis`, or say where it \
               is with --shim";
    Some(Problem { what, fix: fix.to_owned() })
}

/// Looks at the machine and the shim. All problems at once.
///
/// # Errors
/// [`Preflight`].
pub(crate) fn look(shim_program: &Path) -> Result<(), Preflight> {
    let mut problems = Facts::of_this_machine().problems();
    problems.extend(shim_problem(shim_program));
    if problems.is_empty() { Ok(()) } else { Err(Preflight { problems }) }
}

/// Asks the kernel for what the network driver needs.
///
/// # Errors
/// [`Preflight`].
pub(crate) async fn look_at_network(network: &dyn Network) -> Result<(), Preflight> {
    let Err(error) = network.check().await else { return Ok(()) };
    let fix = "run `modprobe -a nf_tables veth nf_nat nf_conntrack`, or use a kernel with \
               CONFIG_NF_TABLES_INET, CONFIG_VETH and CONFIG_NFT_NAT";
    Err(Preflight { problems: vec![Problem { what: error.to_string(), fix: fix.to_owned() }] })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Facts {
        Facts {
            is_root: true,
            filesystems: "nodev\tproc\nnodev\toverlay\n".to_owned(),
            mountinfo: "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n".to_owned(),
            v2_controllers: "cpuset cpu io memory pids\n".to_owned(),
            max_user_namespaces: Some(95_000),
            has_seccomp: true,
        }
    }

    fn check(facts: &Facts, expected: &[&str]) {
        let problems = facts.problems();
        let found: Vec<&str> = problems.iter().map(|problem| problem.what.as_str()).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_machine_with_everything_has_no_problems() {
        check(&good(), &[]);
    }

    #[test]
    fn all_problems_are_found_at_once() {
        check(
            &Facts::default(),
            &[
                "not started as root, which making containers and their network needs",
                "the kernel has no overlay file system",
                "user namespaces are missing or switched off",
                "the kernel cannot filter system calls",
                "cgroup controllers are missing: cpu, memory, pids",
            ],
        );
    }

    #[test]
    fn controllers_of_version_1_count_where_it_has_memory() {
        let mountinfo = "31 30 0:27 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n\
                         32 30 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
                         33 30 0:29 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
        let facts = Facts { mountinfo: mountinfo.to_owned(), ..good() };
        check(&facts, &["cgroup controllers are missing: pids"]);
    }
}
