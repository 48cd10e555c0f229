//! No task shares the host's process namespace.
//!
//! Among the host's processes a container can see, signal and inspect every other workload.
//! Fails on `"pidMode": "host"`; the texts and the published checks this maps to are in
//! [`RULE`].

use crate::rule::Violation;
use crate::{Disposition, Rule, Severity, TaskDefinitionView};

pub(crate) static RULE: Rule = Rule {
    id: "X-PID",
    title: "pidMode is not host",
    severity: Severity::High,
    disposition: Disposition::Refused,
    why: "The container sees every process of the machine with its arguments and, where \
          permissions allow, its environment and memory, and can signal the agent and other \
          tasks.",
    fix: "remove `pidMode`",
    passes: r#"{"pidMode": "task"}"#,
    fails: r#"{"pidMode": "host"}"#,
    maps: &["ECS.3", "CKV_AWS_335", "CT.ECS.PR.10", "CIS-Docker 5.16"],
    check,
};

fn check(view: &TaskDefinitionView) -> Vec<Violation> {
    let host = view.pid_mode.as_deref().filter(|mode| mode.eq_ignore_ascii_case("host"));
    host.map(|_| Violation {
        path: "pidMode".to_owned(),
        message: "the task asks for the host's process namespace, in which it sees every process \
                  of the machine"
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
        check(&super::RULE, r#"{"pidMode": "host"}"#, &["pidMode"]);
        check(&super::RULE, r#"{"pidMode": "task"}"#, &[]);
        check(&super::RULE, "{}", &[]);
    }
}
