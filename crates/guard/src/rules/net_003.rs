//! No task uses the host's network.
//!
//! In the host's network namespace a container can listen on and speak from every address of
//! the machine. Fails on `"networkMode": "host"`; the texts and the published checks this maps
//! to are in [`RULE`].

use crate::rule::Violation;
use crate::{Disposition, Rule, Severity, TaskDefinitionView};

pub(crate) static RULE: Rule = Rule {
    id: "NET-003",
    title: "networkMode is not host",
    severity: Severity::High,
    disposition: Disposition::Refused,
    why: "The container shares all interfaces of the machine: it reaches services that listen \
          only on the loopback address, the host's metadata and identity, and can listen in \
          place of other tasks. No rule for a single task can hold there.",
    fix: "use `\"networkMode\": \"awsvpc\"` (or `bridge`) and publish ports with `portMappings`",
    passes: r#"{"networkMode": "awsvpc"}"#,
    fails: r#"{"networkMode": "host"}"#,
    maps: &[
        "ECS.17",
        "CIS-Docker 5.10",
        "PSS baseline 2",
        "ECS_TASK_DEFINITION_USER_FOR_HOST_MODE_CHECK",
    ],
    check,
};

fn check(view: &TaskDefinitionView) -> Vec<Violation> {
    let host = view.network_mode.as_deref().filter(|mode| mode.eq_ignore_ascii_case("host"));
    host.map(|_| Violation {
        path: "networkMode".to_owned(),
        message: "the task asks for the host's network, in which it reaches everything the \
                  machine reaches"
            .to_owned(),
    })
    .into_iter()
    .collect()
}

#[cfg(test)]
mod tests {
    use crate::tests::check;

    #[test]
    fn only_the_mode_host_is_found() {
        check(&super::RULE, r#"{"networkMode": "host"}"#, &["networkMode"]);
        for other in ["awsvpc", "bridge", "none"] {
            check(&super::RULE, &format!(r#"{{"networkMode": "{other}"}}"#), &[]);
        }
        check(&super::RULE, "{}", &[]);
    }
}
