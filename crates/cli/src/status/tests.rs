use base::{Scope, Timestamp};
use server::{ClientEnvironment, Server, ServerConfig};

use super::model::{ClusterStatus, Container, Deployment, Event, Instance, Service, Task};
use super::*;
use crate::client::{Client, ClientError};
use crate::image::unpack_helper;

async fn control_plane(directory: &std::path::Path, listen: &str) -> Server {
    let config = ServerConfig {
        state_directory: directory.to_owned(),
        listen: listen.parse().unwrap(),
        node_listen: None,
        tls_names: Vec::new(),
        scope: Scope {
            account: "123456789012".parse().unwrap(),
            region: "eu-west-1".parse().unwrap(),
        },
        guard_mode: guard::Mode::Enforce,
        root_key: None,
        unpack_helper: unpack_helper(),
        node: None,
    };
    Server::start(config).await.unwrap()
}

/// A cluster made through the API is in the status, over this kind of connection, and still there
/// after a restart.
async fn check_serving(listen: &str) {
    let directory = tempfile::tempdir().unwrap();
    for round in ["before a restart", "after a restart"] {
        let server = control_plane(directory.path(), listen).await;
        let environment = ClientEnvironment::read(directory.path()).unwrap();
        let (done, told) = tokio::sync::oneshot::channel::<()>();
        let running = tokio::spawn(server.run(async {
            let _done = told.await;
        }));
        let mut client = Client::connect(environment, ECS).await.unwrap();
        let input = serde_json::json!({ "clusterName": "quotes" });
        if round == "before a restart" {
            let _created: serde_json::Value = client.call("CreateCluster", &input).await.unwrap();
        }
        let page: model::Page = client.call("ListClusters", &serde_json::json!({})).await.unwrap();
        assert_eq!(
            page.cluster_arns,
            ["arn:aws:ecs:eu-west-1:123456789012:cluster/quotes"],
            "{round}"
        );
        drop(client);
        done.send(()).unwrap();
        running.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn plain_http_on_loopback_is_served() {
    check_serving("127.0.0.1:0").await;
}

#[tokio::test]
async fn tls_on_other_addresses_is_served_with_the_own_authority() {
    check_serving("0.0.0.0:0").await;
}

#[tokio::test]
async fn a_wrong_secret_is_refused_by_name() {
    let directory = tempfile::tempdir().unwrap();
    let server = control_plane(directory.path(), "127.0.0.1:0").await;
    let mut environment = server.client_environment().clone();
    environment.secret = sigv4::SecretKey::new("not-the-secret".to_owned());
    let mut client = Client::connect(environment, ECS).await.unwrap();
    let answer: Result<serde_json::Value, _> =
        client.call("ListClusters", &serde_json::json!({})).await;
    let Err(ClientError::Refused { operation: "ListClusters", code, .. }) = answer else {
        panic!("{answer:?}");
    };
    assert!(code.contains("Signature"), "{code}");
    drop(client);
    server.run(async {}).await.unwrap();
}

#[test]
fn a_service_without_tasks_says_why() {
    let service = Service {
        service_name: "quotes".to_owned(),
        status: "ACTIVE".to_owned(),
        desired_count: 2,
        task_definition: "arn:aws:ecs:eu-west-1:123456789012:task-definition/quotes:3".to_owned(),
        deployments: vec![Deployment {
            status: "PRIMARY".to_owned(),
            rollout_state: "IN_PROGRESS".to_owned(),
            ..Deployment::default()
        }],
        events: vec![Event {
            message: "(service quotes) cannot place".to_owned(),
            ..Event::default()
        }],
        ..Service::default()
    };
    let stopped = Task {
        task_arn: "arn:aws:ecs:eu-west-1:123456789012:task/c/0123456789abcdef".to_owned(),
        group: "service:quotes".to_owned(),
        last_status: "STOPPED".to_owned(),
        stopped_at: Some(1_000.0),
        stopped_reason: "Essential container in task exited".to_owned(),
        containers: vec![Container {
            name: "web".to_owned(),
            exit_code: Some(137),
            reason: "OutOfMemoryError:\u{1b}[2J".to_owned(),
            ..Container::default()
        }],
        ..Task::default()
    };
    let cluster = ClusterStatus {
        name: "c".to_owned(),
        services: vec![service],
        stopped: vec![stopped],
        instances: vec![Instance {
            status: "ACTIVE".to_owned(),
            agent_connected: true,
            ..Instance::default()
        }],
        ..ClusterStatus::default()
    };
    let text = render::render(&[cluster], Timestamp::from_epoch_ms(1_090_000));
    for expected in [
        "quotes:3",
        "IN_PROGRESS",
        "1m ago",
        "service quotes: 0 of 2 running",
        "(service quotes) cannot place; last stopped task: Essential container in task exited; \
         web exited with 137: OutOfMemoryError: [2J",
    ] {
        assert!(text.contains(expected), "`{expected}` is not in\n{text}");
    }
    assert!(!text.contains('\u{1b}'));
}
