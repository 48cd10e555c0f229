//! The registry as a whole, and what the rules' own tests stand on.

use serde_json::Value;

use crate::{
    ContainerView, DeviceView, Mode, MountPointView, Rule, TaskDefinitionView, VolumeView,
    evaluate, explain, rules,
};

/// Reads a task definition in the API's JSON.
pub(crate) fn view(definition: &str) -> TaskDefinitionView {
    let definition: Value = serde_json::from_str(definition).expect("the definition is JSON");
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let container = |container: &Value| ContainerView {
        name: text(&container["name"]).unwrap_or_default(),
        privileged: container["privileged"].as_bool().unwrap_or(false),
        devices: list(&container["linuxParameters"]["devices"])
            .iter()
            .map(|device| DeviceView { host_path: text(&device["hostPath"]).unwrap_or_default() })
            .collect(),
        mount_points: list(&container["mountPoints"])
            .iter()
            .map(|mount| MountPointView {
                source_volume: text(&mount["sourceVolume"]).unwrap_or_default(),
            })
            .collect(),
    };
    TaskDefinitionView {
        network_mode: text(&definition["networkMode"]),
        pid_mode: text(&definition["pidMode"]),
        ipc_mode: text(&definition["ipcMode"]),
        containers: list(&definition["containerDefinitions"]).iter().map(container).collect(),
        volumes: list(&definition["volumes"])
            .iter()
            .map(|volume| VolumeView {
                name: text(&volume["name"]).unwrap_or_default(),
                host_source_path: text(&volume["host"]["sourcePath"]),
            })
            .collect(),
    }
}

/// Expects the rule to find exactly these places.
pub(crate) fn check(rule: &Rule, definition: &str, expected_paths: &[&str]) {
    let findings = rule.check(&view(definition));
    let paths: Vec<&str> = findings.iter().map(|finding| finding.path.as_str()).collect();
    assert_eq!(paths, expected_paths, "{definition}");
}

#[test]
fn every_rule_finds_its_failing_example_and_nothing_finds_a_passing_one() {
    for rule in rules() {
        assert_eq!(rule.check(&view(rule.fails)).len(), 1, "{}", rule.id);
        assert_eq!(evaluate(&view(rule.passes), Mode::Enforce).findings, [], "{}", rule.id);
    }
}

#[test]
fn ids_are_unique_and_explained() {
    for (index, rule) in rules().iter().enumerate() {
        assert!(rules()[..index].iter().all(|other| other.id != rule.id), "{}", rule.id);
        let text = explain(&rule.id.to_lowercase()).expect("a known id");
        for part in [rule.id, rule.why, rule.fix, rule.passes, rule.fails] {
            assert!(text.contains(part), "{part}");
        }
    }
    assert_eq!(explain("TSK-999"), None);
}

const EVERYTHING_WRONG: &str = r#"{
    "networkMode": "host", "pidMode": "host", "ipcMode": "host",
    "containerDefinitions": [{"name": "web", "privileged": true,
        "mountPoints": [{"sourceVolume": "engine"}],
        "linuxParameters": {"devices": [{"hostPath": "/dev/sda"}]}}],
    "volumes": [{"name": "engine", "host": {"sourcePath": "/var/run/docker.sock"}}]
}"#;

#[test]
fn all_findings_come_at_once_and_audit_mode_accepts_them() {
    let enforced = evaluate(&view(EVERYTHING_WRONG), Mode::Enforce);
    let ids: Vec<&str> = enforced.findings.iter().map(|finding| finding.rule_id).collect();
    assert_eq!(ids, ["TSK-004", "NET-003", "X-PID", "X-IPC", "TSK-007", "X-DOCKSOCK", "X-DEV"]);
    assert!(enforced.refused);
    let audited = evaluate(&view(EVERYTHING_WRONG), "audit".parse().unwrap());
    assert_eq!((audited.refused, audited.error_text()), (false, None));
    assert_eq!(audited.findings, enforced.findings);
}

#[test]
fn the_error_text_is_one_line_with_rule_place_reason_and_fix() {
    let verdict = evaluate(&view(r#"{"pidMode": "host"}"#), Mode::Enforce);
    assert_eq!(
        verdict.error_text().unwrap(),
        "1 guard rule finding: X-PID at pidMode: the task asks for the host's process namespace, \
         in which it sees every process of the machine; fix: remove `pidMode`"
    );
    let many = evaluate(&view(EVERYTHING_WRONG), Mode::Enforce).error_text().unwrap();
    assert!(many.starts_with("7 guard rule findings: TSK-004 at "), "{many}");
    assert!(!many.contains('\n'));
}

#[test]
fn a_long_list_of_findings_is_cut_and_counted() {
    let container = ContainerView { privileged: true, ..ContainerView::default() };
    let view = TaskDefinitionView { containers: vec![container; 25], ..Default::default() };
    let text = evaluate(&view, Mode::Enforce).error_text().unwrap();
    assert!(text.ends_with(" | and 5 more"), "{text}");
}

#[test]
fn only_the_two_modes_are_modes() {
    assert_eq!("enforce".parse(), Ok(Mode::Enforce));
    assert_eq!(
        "off".parse::<Mode>().unwrap_err().to_string(),
        "`off` is not a guard mode: use `enforce` or `audit`"
    );
}
