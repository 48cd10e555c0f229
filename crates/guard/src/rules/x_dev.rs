//! No container gets devices of the host.
//!
//! A device node is a direct way to the machine's disks, memory or kernel drivers. Fails on any
//! entry of `linuxParameters.devices`; the texts and the published checks this maps to are in
//! [`RULE`].

use crate::rule::Violation;
use crate::text::quoted;
use crate::{Disposition, Rule, Severity, TaskDefinitionView};

pub(crate) static RULE: Rule = Rule {
    id: "X-DEV",
    title: "containers get no devices of the host",
    severity: Severity::High,
    disposition: Disposition::Refused,
    why: "A device bypasses file permissions and namespaces: a disk holds everybody's files, \
          `/dev/kvm` or a network device reach into kernel drivers. The container needs none for \
          `/dev/null`, `/dev/urandom` and the like, which it always has.",
    fix: "remove `linuxParameters.devices`; ask for GPUs with `resourceRequirements`",
    passes: r#"{"containerDefinitions": [{"name": "web", "linuxParameters": {"devices": []}}]}"#,
    fails: r#"{"containerDefinitions": [
    {"name": "web", "linuxParameters": {"devices": [{"hostPath": "/dev/sda"}]}}
]}"#,
    maps: &["CIS-Docker 5.18"],
    check,
};

fn check(view: &TaskDefinitionView) -> Vec<Violation> {
    let mut found = Vec::new();
    for (path, container) in view.containers() {
        for (index, device) in container.devices.iter().enumerate() {
            found.push(Violation {
                path: format!("{path}.linuxParameters.devices[{index}]"),
                message: format!(
                    "container {} asks for the host's device {}, which bypasses its isolation",
                    quoted(&container.name),
                    quoted(&device.host_path)
                ),
            });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use crate::tests::check;

    #[test]
    fn each_device_of_each_container_is_found() {
        check(
            &super::RULE,
            r#"{"containerDefinitions": [
                {"name": "a"},
                {"name": "b", "linuxParameters": {"devices": [
                    {"hostPath": "/dev/fuse"}, {"hostPath": "/dev/kvm"}
                ]}}
            ]}"#,
            &[
                "containerDefinitions[1].linuxParameters.devices[0]",
                "containerDefinitions[1].linuxParameters.devices[1]",
            ],
        );
    }
}
