//! No container is privileged.
//!
//! A privileged container keeps every capability, sees every device and runs without seccomp:
//! whoever takes it over has the host. Fails on `"privileged": true`, passes without it; the texts
//! and the published checks this maps to are in [`RULE`].

use crate::rule::Violation;
use crate::text::quoted;
use crate::{Disposition, Rule, Severity, TaskDefinitionView};

pub(crate) static RULE: Rule = Rule {
    id: "TSK-004",
    title: "containers are not privileged",
    severity: Severity::Critical,
    disposition: Disposition::Refused,
    why: "A privileged container has all capabilities and devices of the machine and no system \
          call filter. A fault in the application is then a takeover of the host and of every \
          task on it.",
    fix: "remove `privileged`; grant single capabilities with `linuxParameters.capabilities.add` \
          where one is really needed",
    passes: r#"{"containerDefinitions": [{"name": "web"}]}"#,
    fails: r#"{"containerDefinitions": [{"name": "web", "privileged": true}]}"#,
    maps: &["ECS.4", "CKV_AWS_334", "CT.ECS.PR.11", "CIS-Docker 5.5", "PSS baseline 3"],
    check,
};

fn check(view: &TaskDefinitionView) -> Vec<Violation> {
    let privileged = view.containers().filter(|(_, container)| container.privileged);
    privileged
        .map(|(path, container)| Violation {
            path: format!("{path}.privileged"),
            message: format!(
                "container {} asks for privileged mode, which gives it the whole host",
                quoted(&container.name)
            ),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use crate::tests::check;

    #[test]
    fn each_privileged_container_is_found() {
        check(
            &super::RULE,
            r#"{"containerDefinitions": [
                {"name": "a", "privileged": true},
                {"name": "b", "privileged": false},
                {"name": "c", "privileged": true}
            ]}"#,
            &["containerDefinitions[0].privileged", "containerDefinitions[2].privileged"],
        );
    }
}
