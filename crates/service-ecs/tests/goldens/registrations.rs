//! Concurrent registrations of one family.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::world::World;

const REQUEST: &str = r#"{"family": "web", "containerDefinitions":
    [{"name": "web", "image": "nginx", "memory": 64}]}"#;

async fn register(world: &World) -> i64 {
    let response = world.call("RegisterTaskDefinition", REQUEST.to_owned()).await;
    let body: Value = serde_json::from_slice(&response.body).unwrap();
    assert_eq!(response.status, 200, "{body}");
    body["taskDefinition"]["revision"].as_i64().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_one_of_many_gets_a_revision_of_its_own() {
    let world = Arc::new(World::new().await);
    let calls: Vec<_> = (0..500)
        .map(|_| {
            let world = Arc::clone(&world);
            tokio::spawn(async move { register(&world).await })
        })
        .collect();
    let mut revisions = BTreeSet::new();
    for call in calls {
        revisions.insert(call.await.unwrap());
    }
    assert_eq!(revisions, (1..=500).collect());
}

#[tokio::test]
async fn a_caller_that_goes_away_holds_nobody_up() {
    let world = World::new().await;
    tokio::select! {
        biased;
        _ = register(&world) => panic!("a registration needs more than one poll"),
        () = std::future::ready(()) => {}
    }
    let next = tokio::time::timeout(Duration::from_secs(10), register(&world));
    assert_eq!(next.await.unwrap(), 2);
}
