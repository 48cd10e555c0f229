//! Which node gets whose credentials.

use std::sync::Mutex;

use base::{Clock as _, Timestamp};
use domain::{StopCode, TaskOverride, TaskStatus};
use futures_util::future::BoxFuture;
use node_proto::{
    ControlPlane as _, CredentialError, CredentialRequest, LinkError, Purpose, RefusalReason,
    RefusedAttempt, RefusedAttempts, RoleCredentials, Secret, TagsRequest,
};

use super::{NODE, World, report};
use crate::{RoleUse, TaskSessions};

const OTHER_NODE: &str = "22222222222222222222222222222222";

/// Gives everybody credentials and remembers who had some.
#[derive(Debug, Default)]
pub(super) struct RecordedSessions {
    assumed: Mutex<Vec<RoleUse>>,
    refused: Mutex<Vec<(Option<String>, u64)>>,
}

impl TaskSessions for RecordedSessions {
    fn assume<'a>(
        &'a self,
        wanted: &'a RoleUse,
    ) -> BoxFuture<'a, Result<RoleCredentials, CredentialError>> {
        let mut assumed = self.assumed.lock().unwrap();
        assumed.push(wanted.clone());
        let credentials = RoleCredentials {
            role_arn: wanted.role_arn.clone(),
            access_key_id: format!("ASIA{}", assumed.len()),
            secret_access_key: Secret::new("secret".to_owned()),
            session_token: Secret::new("token".to_owned()),
            issued_at: Timestamp::from_epoch_ms(0),
            expires_at: Timestamp::from_epoch_ms(1),
        };
        Box::pin(std::future::ready(Ok(credentials)))
    }

    fn refused<'a>(
        &'a self,
        _instance_id: &'a str,
        task_arn: Option<String>,
        attempt: &'a RefusedAttempt,
    ) -> BoxFuture<'a, Result<(), LinkError>> {
        self.refused.lock().unwrap().push((task_arn, attempt.count));
        Box::pin(std::future::ready(Ok(())))
    }
}

fn request(instance_id: &str, task_id: &str, purpose: Purpose) -> CredentialRequest {
    let (instance_id, task_id) = (instance_id.to_owned(), task_id.to_owned());
    CredentialRequest { instance_id, task_id, purpose }
}

async fn refusal(world: &World, request: CredentialRequest) -> String {
    match world.link.credentials(request).await {
        Err(CredentialError::Refused { reason }) => reason,
        other => panic!("not refused: {other:?}"),
    }
}

/// Both roles come from the override, where there is one.
async fn give_roles(world: &World, task_id: &str) {
    world
        .commit(|view, change| {
            let row = view.task(task_id).unwrap();
            let mut task = row.value.as_ref().clone();
            task.overrides = TaskOverride {
                task_role_arn: Some("arn:aws:iam::000000000000:role/app".to_owned()),
                execution_role_arn: Some("arn:aws:iam::000000000000:role/start".to_owned()),
                ..TaskOverride::default()
            };
            change.update(row, &task);
        })
        .await;
}

#[tokio::test]
async fn a_node_gets_credentials_for_its_own_live_tasks_only() {
    let world = World::new().await;
    let _desired = world.join().await;
    let task = world.create_task().await;
    let none = refusal(&world, request(NODE, &task.id, Purpose::TaskRole)).await;
    assert!(none.contains("has no task role"), "{none}");
    give_roles(&world, &task.id).await;

    let app = world.link.credentials(request(NODE, &task.id, Purpose::TaskRole)).await.unwrap();
    let start =
        world.link.credentials(request(NODE, &task.id, Purpose::ExecutionRole)).await.unwrap();
    assert_eq!(app.role_arn, "arn:aws:iam::000000000000:role/app");
    assert_eq!(start.role_arn, "arn:aws:iam::000000000000:role/start");
    assert_ne!(app.access_key_id, start.access_key_id);

    let elsewhere = refusal(&world, request(OTHER_NODE, &task.id, Purpose::TaskRole)).await;
    let nowhere = refusal(&world, request(NODE, OTHER_NODE, Purpose::TaskRole)).await;
    assert_eq!(elsewhere.replace(&task.id, "X"), nowhere.replace(OTHER_NODE, "X"));

    world
        .commit(|view, change| {
            let row = view.task(&task.id).unwrap();
            let mut stopping = row.value.as_ref().clone();
            stopping.request_stop(StopCode::UserInitiated, "enough", world.clock.now());
            change.update(row, &stopping);
        })
        .await;
    // While it stops it may still have something to say to an API.
    world.link.credentials(request(NODE, &task.id, Purpose::TaskRole)).await.unwrap();
    let stopped = report(&task.id, 1, TaskStatus::Stopped, world.clock.now());
    world.link.report(vec![stopped]).await.unwrap();
    let over = refusal(&world, request(NODE, &task.id, Purpose::TaskRole)).await;
    assert!(over.contains("has stopped"), "{over}");

    let assumed: Vec<_> =
        world.sessions.assumed.lock().unwrap().iter().map(|used| used.purpose).collect();
    assert_eq!(assumed, [Purpose::TaskRole, Purpose::ExecutionRole, Purpose::TaskRole]);
}

#[tokio::test]
async fn what_a_node_tells_of_others_tasks_names_no_task() {
    let world = World::new().await;
    let task = world.create_task().await;
    let attempt = RefusedAttempt {
        task_id: task.id.clone(),
        source_ip: [10, 213, 0, 2].into(),
        reason: RefusalReason::NoToken,
        count: 3,
        first_at: world.clock.now(),
        last_at: world.clock.now(),
    };
    for instance_id in [NODE, OTHER_NODE] {
        let attempts = vec![attempt.clone()];
        let told = RefusedAttempts { instance_id: instance_id.to_owned(), attempts };
        world.link.refused(told).await.unwrap();
    }
    let arn = format!("arn:aws:ecs:eu-west-1:000000000000:task/c/{}", task.id);
    assert_eq!(*world.sessions.refused.lock().unwrap(), [(Some(arn), 3), (None, 3)]);
}

#[tokio::test]
async fn tags_are_those_of_now() {
    let world = World::new().await;
    let _desired = world.join().await;
    let task = world.create_task().await;
    world
        .commit(|view, change| {
            let row = view.task(&task.id).unwrap();
            let mut tagged = row.value.as_ref().clone();
            tagged.tags.insert("team".to_owned(), "blue".to_owned());
            change.update(row, &tagged);
        })
        .await;
    let ask = |instance_id: &str| {
        let (instance_id, task_id) = (instance_id.to_owned(), task.id.clone());
        world.link.tags(TagsRequest { instance_id, task_id })
    };
    let tags = ask(NODE).await.unwrap();
    assert_eq!(tags.task.get("team").map(String::as_str), Some("blue"));
    assert!(matches!(ask(OTHER_NODE).await, Err(LinkError::Refused { .. })));
}
