use std::sync::Arc;

use base::{ManualClock, SeededIds, Timestamp};
use domain::{DependencyCondition, NetworkMode, Protocol, TaskDefinition};
use serde_json::{Value, json};
use state::State;
use store::{HistoryLimits, MemoryStore, NoFaults};
use wire::ApiError;

use crate::{EcsContext, Registrations};

async fn read(mode: guard::Mode, request: Value) -> Result<TaskDefinition, ApiError> {
    let store = MemoryStore::new(HistoryLimits::default(), Arc::new(NoFaults));
    let (state, _follower) = State::open(Arc::new(store)).await.unwrap();
    let scope = base::Scope {
        account: "123456789012".parse().unwrap(),
        region: "us-east-1".parse().unwrap(),
    };
    let ctx = EcsContext {
        state,
        clock: Arc::new(ManualClock::new(Timestamp::from_epoch_ms(0))),
        ids: Arc::new(SeededIds::new(1)),
        scope,
        guard_mode: mode,
        registrations: Registrations::default(),
        placements: crate::Placements::default(),
    };
    let input = serde_json::from_value(request).unwrap();
    super::read(&ctx, input, "root".to_owned()).map(|(definition, _)| definition)
}

async fn accepted(request: Value) -> TaskDefinition {
    read(guard::Mode::Enforce, request).await.unwrap()
}

#[tokio::test]
async fn a_range_of_ports_is_expanded_and_dynamic_ports_have_none() {
    let definition = accepted(json!({"family": "f", "containerDefinitions": [{
        "name": "a", "image": "a", "memory": 64,
        "portMappings": [{"containerPort": 80}, {"containerPortRange": "90-92", "protocol": "udp"}],
    }]}))
    .await;
    let mappings = &definition.spec.containers[0].port_mappings;
    let ports: Vec<_> =
        mappings.iter().map(|one| (one.container_port, one.host_port, one.protocol)).collect();
    let udp = |port| (port, None, Protocol::Udp);
    assert_eq!(ports, [(80, None, Protocol::Tcp), udp(90), udp(91), udp(92)]);
    assert_eq!(definition.spec.network_mode, NetworkMode::Bridge);
}

#[tokio::test]
async fn a_link_waits_for_its_container_and_names_it() {
    let definition = accepted(json!({"family": "f", "containerDefinitions": [
        {"name": "a", "image": "a", "memory": 64, "links": ["b:cache"]},
        {"name": "b", "image": "b", "memory": 64},
    ]}))
    .await;
    let container = &definition.spec.containers[0];
    assert_eq!(container.depends_on[0].container_name, "b");
    assert_eq!(container.depends_on[0].condition, DependencyCondition::Start);
    let hosts: Vec<&str> = container.extra_hosts.iter().map(|(host, _)| host.as_str()).collect();
    assert_eq!(hosts, ["cache", "b"]);
}

#[tokio::test]
async fn a_health_check_is_what_is_executed() {
    for (command, expected) in [
        (json!(["CMD-SHELL", "exit 0"]), vec!["/bin/sh", "-c", "exit 0"]),
        (json!(["CMD", "check", "-q"]), vec!["check", "-q"]),
    ] {
        let definition = accepted(json!({"family": "f", "containerDefinitions": [{
            "name": "a", "image": "a", "memory": 64, "healthCheck": {"command": command},
        }]}))
        .await;
        let check = definition.spec.containers[0].health_check.clone().unwrap();
        assert_eq!(check.argv, expected);
        assert_eq!((check.interval_seconds, check.timeout_seconds, check.retries), (30, 5, 3));
    }
}

#[tokio::test]
async fn audit_mode_lets_pass_and_notes() {
    let request = json!({"family": "f", "networkMode": "host", "containerDefinitions": [
        {"name": "a", "image": "a", "memory": 64, "privileged": true},
    ]});
    let refused = read(guard::Mode::Enforce, request.clone()).await.unwrap_err();
    assert!(refused.message.contains("TSK-004") && refused.message.contains("NET-003"));
    let noted = read(guard::Mode::Audit, request).await.unwrap().guard_notes;
    assert!(noted.iter().any(|note| note.starts_with("TSK-004 at ")), "{noted:?}");
}

#[tokio::test]
async fn containers_that_wait_for_each_other_are_refused() {
    let with = |links: [&[&str]; 3]| {
        let container = |name: &str, links: &[&str]| json!({"name": name, "image": "i", "memory": 64, "links": links});
        json!({"family": "f", "containerDefinitions": [
            container("a", links[0]), container("b", links[1]), container("c", links[2]),
        ]})
    };
    accepted(with([&["b", "c"], &["c"], &[]])).await;
    let cycle = with([&["b"], &["c"], &["a"]]);
    let refused = read(guard::Mode::Enforce, cycle).await.unwrap_err();
    assert!(refused.message.contains("form a cycle"), "{}", refused.message);
}

#[tokio::test]
async fn a_definition_too_large_to_keep_is_refused() {
    let command = "x".repeat(60_000);
    let refused = read(
        guard::Mode::Enforce,
        json!({"family": "f", "containerDefinitions": [
            {"name": "a", "image": "a", "memory": 64, "command": [command]},
        ]}),
    )
    .await
    .unwrap_err();
    assert!(refused.message.contains("bytes"), "{}", refused.message);
}
