//! No task shares the host's IPC namespace.
//!
//! In the host's IPC namespace a container can read and write the shared memory of other
//! workloads. Fails on `"ipcMode": "host"`; the texts and the published checks this maps to
//! are in [`RULE`].

use crate::rule::Violation;
use crate::{Disposition, Rule, Severity, TaskDefinitionView};

pub(crate) static RULE: Rule = Rule {
    id: "X-IPC",
    title: "ipcMode is not host",
    severity: Severity::High,
    disposition: Disposition::Refused,
    why: "The container can attach to shared memory, semaphores and message queues of every \
          process of the machine that uses them: data of other tasks can be read and changed.",
    fix: "remove `ipcMode`",
    passes: r#"{"ipcMode": "task"}"#,
    fails: r#"{"ipcMode": "host"}"#,
    maps: &["CIS-Docker 5.17"],
    check,
};

fn check(view: &TaskDefinitionView) -> Vec<Violation> {
    let host = view.ipc_mode.as_deref().filter(|mode| mode.eq_ignore_ascii_case("host"));
    host.map(|_| Violation {
        path: "ipcMode".to_owned(),
        message: "the task asks for the host's IPC namespace, in which it reaches the shared \
                  memory of other tasks"
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
        check(&super::RULE, r#"{"ipcMode": "host"}"#, &["ipcMode"]);
        for other in ["task", "none"] {
            check(&super::RULE, &format!(r#"{{"ipcMode": "{other}"}}"#), &[]);
        }
        check(&super::RULE, "{}", &[]);
    }
}
