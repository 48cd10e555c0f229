use std::collections::BTreeMap;
use std::sync::Arc;

use domain::{Cluster, ClusterStatus, Document};
use store::{HistoryLimits, MemoryStore, NoFaults};

use crate::{Change, State, StateError, Touched};

async fn open() -> Arc<State> {
    let (state, follower) =
        State::open(Arc::new(MemoryStore::new(HistoryLimits::default(), Arc::new(NoFaults))))
            .await
            .unwrap();
    tokio::spawn(follower.run());
    state
}

fn cluster(name: &str) -> Cluster {
    Cluster {
        name: name.to_owned(),
        status: ClusterStatus::Active,
        deleted_at: None,
        settings: Document::default(),
        configuration: None,
        service_connect_defaults: None,
        capacity_providers: None,
        tags: BTreeMap::new(),
    }
}

#[tokio::test]
async fn a_writer_reads_what_it_wrote() {
    let state = open().await;
    let mut change = Change::new();
    change.create(&cluster("a"));
    state.commit(change).await.unwrap();
    assert_eq!(state.view().cluster("a").map(|row| row.name.clone()), Some("a".to_owned()));
}

#[tokio::test]
async fn a_change_built_on_old_state_conflicts() {
    let state = open().await;
    let mut change = Change::new();
    change.create(&cluster("a"));
    state.commit(change).await.unwrap();
    let row = state.view().cluster("a").cloned().unwrap();
    for expected in [true, false] {
        let mut change = Change::new();
        change.update(&row, &cluster("a"));
        let result = state.commit(change).await;
        assert_eq!(result.is_ok(), expected, "{result:?}");
    }
    let mut again = Change::new();
    again.create(&cluster("a"));
    assert!(matches!(state.commit(again).await, Err(StateError::Conflict { .. })));
}

#[tokio::test]
async fn two_placements_with_the_same_fence_cannot_both_be_made() {
    let state = open().await;
    let place = |fence: Option<crate::Row<crate::Fence>>| {
        let mut change = Change::new();
        change.fence("instance", fence.as_ref());
        change
    };
    state.commit(place(None)).await.unwrap();
    assert!(state.commit(place(None)).await.is_err());
    let fence = state.view().fence("instance").cloned();
    state.commit(place(fence.clone())).await.unwrap();
    assert!(state.commit(place(fence)).await.is_err());
}

#[tokio::test]
async fn a_subscriber_is_told_which_service_was_touched() {
    let state = open().await;
    let mut subscription = state.subscribe();
    let mut change = Change::new();
    let deployment: domain::ServiceDeployment = serde_json::from_value(serde_json::json!({
        "id": "d", "cluster": "a", "service": "s", "deployment_id": "ecs-svc/1",
        "status": "Pending", "status_reason": null, "target_revision_id": "1",
        "source_revision_ids": [], "requested_count": 1, "rollback": null,
        "breaker_triggered": false, "breaker_failures": 0, "configuration": {},
        "created_at": 0, "started_at": null, "finished_at": null, "stopped_at": null,
        "updated_at": 0
    }))
    .unwrap();
    change.create(&deployment);
    state.commit(change).await.unwrap();
    let expected = Touched::Service { cluster: "a".to_owned(), service: "s".to_owned() };
    assert_eq!(subscription.next().await.into_iter().collect::<Vec<_>>(), [expected]);
    assert_eq!(state.view().deployments_of("a", "s").count(), 1);
}

#[tokio::test]
async fn after_a_conflict_the_view_shows_what_was_in_the_way() {
    let store = Arc::new(MemoryStore::new(HistoryLimits::default(), Arc::new(NoFaults)));
    let (state, follower) = State::open(Arc::clone(&store) as Arc<dyn store::Store>).await.unwrap();
    tokio::spawn(follower.run());
    let (other, other_follower) = State::open(store).await.unwrap();
    tokio::spawn(other_follower.run());
    let create = || {
        let mut change = Change::new();
        change.create(&cluster("a"));
        change
    };
    other.commit(create()).await.unwrap();
    assert!(matches!(state.commit(create()).await, Err(StateError::Conflict { .. })));
    assert!(state.view().cluster("a").is_some());
}

#[tokio::test]
async fn the_mark_of_identities_is_as_new_as_what_was_read() {
    let store = Arc::new(MemoryStore::new(HistoryLimits::default(), Arc::new(NoFaults)));
    let (state, follower) = State::open(Arc::<MemoryStore>::clone(&store) as _).await.unwrap();
    tokio::spawn(follower.run());
    let alias =
        iam::AccountAlias { account: "123456789012".parse().unwrap(), alias: "blue".to_owned() };
    let mut change = Change::new();
    change.create(&alias);
    state.commit(change).await.unwrap();
    let made = state.view().identities().modified();
    let row = state.view().identities().account_alias("123456789012").cloned().unwrap();
    let mut change = Change::new();
    change.delete(&row);
    state.commit(change).await.unwrap();
    // Nothing is left that tells of the deletion.
    let (read_again, _follower) = State::open(store).await.unwrap();
    assert!(read_again.view().identities().modified() > made);
}

#[tokio::test]
async fn the_view_tells_whose_placements_changed_after_a_revision() {
    let state = open().await;
    let instance = |id: &str| -> domain::ContainerInstance {
        serde_json::from_value(serde_json::json!({
            "id": id, "cluster": "c", "status": "Active", "status_reason": null,
            "agent_connected": true, "agent_version": "1",
            "registered": {"cpu_units": 1, "memory_mib": 1, "ports": []}, "attributes": {},
            "registered_at": 0, "ec2_instance_id": "i", "fargate_isolation": null, "system": {},
            "tags": {}, "version": 1
        }))
        .unwrap()
    };
    let changed = |after| -> Vec<String> {
        state.view().placements_changed_after(after).map(|(_, id)| id.to_owned()).collect()
    };
    let mut change = Change::new();
    change.create(&instance("a"));
    change.create(&instance("b"));
    let first = state.commit(change).await.unwrap();
    assert_eq!(changed(store::Revision(0)), ["a", "b"]);
    let row = state.view().instance("a").cloned().unwrap();
    let mut change = Change::new();
    change.update(&row, &row.value.as_ref().clone());
    let second = state.commit(change).await.unwrap();
    assert_eq!(changed(first), ["a"]);
    assert_eq!(changed(second), Vec::<String>::new());
}
