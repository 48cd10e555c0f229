//! No volume holds the socket of a container engine.
//!
//! Who can speak to an engine can start a container that owns the host. Fails on the sockets
//! themselves, under whatever spelling, and on directories that hold them; every such volume also
//! breaks TSK-007, this rule says how bad it is. The texts and the published checks this maps to
//! are in [`RULE`].

use crate::rule::Violation;
use crate::text::quoted;
use crate::{Disposition, Rule, Severity, TaskDefinitionView};

pub(crate) static RULE: Rule = Rule {
    id: "X-DOCKSOCK",
    title: "the sockets of container engines are not mounted",
    severity: Severity::Critical,
    disposition: Disposition::Refused,
    why: "An engine's socket takes orders from whoever can open it, among them the order to start \
          a privileged container with the host's root directory. Mounting it read-only changes \
          nothing: a connection is not a write to the file.",
    fix: "remove the volume; have the task call the ECS API with its task role instead of the \
          engine, and build images outside of tasks",
    passes: r#"{"volumes": [{"name": "scratch"}]}"#,
    fails: r#"{"volumes": [{"name": "engine", "host": {"sourcePath": "/var/run/docker.sock"}}]}"#,
    maps: &["CIS-Docker 5.32", "PrivilegeEscalation:Runtime/DockerSocketAccessed"],
    check,
};

/// Where engines keep their sockets by default, with `/var/run` resolved.
const SOCKETS: [&str; 9] = [
    "/run/docker.sock",
    "/run/docker/containerd/containerd.sock",
    "/run/containerd/containerd.sock",
    "/run/k3s/containerd/containerd.sock",
    "/run/crio/crio.sock",
    "/run/cri-dockerd.sock",
    "/run/podman/podman.sock",
    "/run/buildkit/buildkitd.sock",
    "/run/dockershim.sock",
];

fn check(view: &TaskDefinitionView) -> Vec<Violation> {
    let found = view.host_volumes().filter_map(|(path, volume, host_path)| {
        let socket = exposed_socket(host_path)?;
        let message = format!(
            "volume {} with the host path {} exposes the container engine's socket {}, through \
             which a container takes over the host",
            quoted(&volume.name),
            quoted(host_path),
            quoted(&socket)
        );
        Some(Violation { path, message })
    });
    found.collect()
}

/// The engine socket that a mount of this path exposes: the path itself or something below it.
fn exposed_socket(host_path: &str) -> Option<String> {
    let parts = resolved(host_path);
    let path = format!("/{}", parts.join("/"));
    let name = parts.last().copied().unwrap_or_default();
    let is_socket = SOCKETS.iter().any(|socket| {
        socket.rsplit('/').next().is_some_and(|known| known.eq_ignore_ascii_case(name))
    });
    if is_socket {
        return Some(path);
    }
    let below = if parts.is_empty() { path } else { format!("{path}/") };
    SOCKETS.iter().find(|socket| socket.starts_with(&below)).map(|socket| (*socket).to_owned())
}

/// The path's parts without `.`, `..` and empty ones, and with `/var/run` as the `/run` it is on
/// current systems.
fn resolved(path: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            _ => parts.push(part),
        }
    }
    if parts.starts_with(&["var", "run"]) {
        parts.remove(0);
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::tests::check;

    fn check_path(host_path: &str, found: bool) {
        let definition =
            format!(r#"{{"volumes": [{{"name": "v", "host": {{"sourcePath": "{host_path}"}}}}]}}"#);
        let expected: &[&str] = if found { &["volumes[0].host.sourcePath"] } else { &[] };
        check(&RULE, &definition, expected);
    }

    #[test]
    fn sockets_are_found_under_any_spelling_and_place() {
        for path in [
            "/var/run/docker.sock",
            "/run/docker.sock",
            "//var/./run//docker.sock/",
            "/var/lib/../run/docker.sock",
            "/run/containerd/containerd.sock",
            "/run/user/1000/podman/podman.sock",
            "/var/run/crio/crio.sock",
            "/srv/Docker.sock",
        ] {
            check_path(path, true);
        }
    }

    #[test]
    fn directories_that_hold_a_socket_are_found() {
        for path in ["/", "/run", "/var/run/", "/run/containerd", "/etc/.."] {
            check_path(path, true);
        }
    }

    #[test]
    fn other_paths_are_left_to_the_rule_on_host_paths() {
        for path in ["/srv", "/runner", "/run/containerd2", "/srv/docker.sock.d", "/var"] {
            check_path(path, false);
        }
    }
}
