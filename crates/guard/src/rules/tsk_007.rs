//! No volume is a path of the host.
//!
//! A host path is shared with the machine and outlives the task: secrets can be read from it and
//! programs planted in it. Fails on `host.sourcePath`, passes on a volume without it; the texts and
//! the published checks this maps to are in [`RULE`].

use crate::rule::Violation;
use crate::text::{quoted, quoted_list};
use crate::{Disposition, Rule, Severity, TaskDefinitionView};

pub(crate) static RULE: Rule = Rule {
    id: "TSK-007",
    title: "volumes are not paths of the host",
    severity: Severity::High,
    disposition: Disposition::Refused,
    why: "Through a host path a container reads what the machine and other tasks keep there, and \
          what it writes may later be run or trusted by the host. Some paths (`/`, `/etc`, `/proc`) \
          give the machine away at once.",
    fix: "leave out `host.sourcePath`: the volume then lives as long as the task",
    passes: r#"{"volumes": [{"name": "scratch"}]}"#,
    fails: r#"{"volumes": [{"name": "data", "host": {"sourcePath": "/srv/data"}}]}"#,
    maps: &["CIS-Docker 5.6", "PSS baseline 5"],
    check,
};

fn check(view: &TaskDefinitionView) -> Vec<Violation> {
    let found = view.host_volumes().map(|(path, volume, host_path)| {
        let users = quoted_list(view.mounted_by(&volume.name));
        let users = if users.is_empty() { "no container".to_owned() } else { users };
        Violation {
            path,
            message: format!(
                "volume {} is the host path {} (mounted by {users}), which is shared with the \
                 machine and other tasks",
                quoted(&volume.name),
                quoted(host_path)
            ),
        }
    });
    found.collect()
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::tests::{check, view};

    #[test]
    fn every_host_path_is_found_and_a_volume_of_the_task_is_not() {
        check(
            &RULE,
            r#"{"volumes": [
                {"name": "own"},
                {"name": "managed", "host": {}},
                {"name": "empty", "host": {"sourcePath": ""}},
                {"name": "etc", "host": {"sourcePath": "/etc"}},
                {"name": "deep", "host": {"sourcePath": "/srv/app/data"}}
            ]}"#,
            &["volumes[3].host.sourcePath", "volumes[4].host.sourcePath"],
        );
    }

    #[test]
    fn the_message_names_the_containers_and_stays_on_one_line() {
        let view = view(
            r#"{"containerDefinitions": [
                    {"name": "web", "mountPoints": [{"sourceVolume": "data"}]},
                    {"name": "log", "mountPoints": [{"sourceVolume": "other"}]}
                ],
                "volumes": [{"name": "data", "host": {"sourcePath": "/a\nb"}}]}"#,
        );
        assert_eq!(
            RULE.check(&view)[0].message,
            r"volume `data` is the host path `/a\nb` (mounted by `web`), which is shared with the machine and other tasks"
        );
    }
}
