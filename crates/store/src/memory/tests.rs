//! The memory store keeps the contract, and breaks it nowhere when told to fail.

use std::sync::Arc;

use crate::suite::Fixture;
use crate::{
    CommitError, CommitFault, DeliveryFault, FaultScript, HistoryLimits, Key, MemoryStore, Query,
    ReadFault, Revision, Span, Store, StoreError, Transaction, Watch, WatchError,
};
use futures_util::FutureExt;

fn fixture() -> Fixture {
    let store = Arc::new(MemoryStore::default());
    let compacted = Arc::clone(&store);
    let compact = move |revision| {
        compacted.compact(revision);
        async {}.boxed()
    };
    Fixture::new(store, Box::new(compact), ())
}

mod contract {
    crate::contract_suite!(super::fixture);
}

fn faulty(limits: HistoryLimits) -> (MemoryStore, Arc<FaultScript>) {
    let script = Arc::new(FaultScript::default());
    (MemoryStore::new(limits, Arc::<FaultScript>::clone(&script)), script)
}

fn key(name: &str) -> Key {
    Key::new(name).unwrap()
}

fn commit(store: &MemoryStore, transaction: Transaction) -> Result<Revision, CommitError> {
    store.commit(transaction).now_or_never().unwrap()
}

fn put(store: &MemoryStore) -> Revision {
    commit(store, Transaction::new().put(key("a"), "x")).unwrap()
}

fn watch(store: &MemoryStore, after: Revision) -> Watch {
    store.watch(Span::all(), after).now_or_never().unwrap().unwrap()
}

/// All that has come so far.
fn received(watch: &mut Watch) -> Vec<u64> {
    std::iter::from_fn(|| watch.next().now_or_never())
        .map_while(Result::ok)
        .map(|batch| batch.revision.0)
        .collect()
}

#[test]
fn a_commit_fails_as_it_is_told() {
    let (store, script) = faulty(HistoryLimits::default());
    let create = || Transaction::new().absent(key("a")).put(key("a"), "x");
    script.commits([
        CommitFault::Conflict,
        CommitFault::Unavailable,
        CommitFault::LostRequest,
        CommitFault::LostResponse,
    ]);
    let conflict = CommitError::Conflict { key: key("a"), found: None };
    assert_eq!(commit(&store, create()), Err(conflict));
    assert!(matches!(commit(&store, create()), Err(CommitError::Unavailable { .. })));
    assert!(matches!(commit(&store, create()), Err(CommitError::OutcomeUnknown { .. })));
    assert_eq!(store.revision(), Revision(0));
    assert!(matches!(commit(&store, create()), Err(CommitError::OutcomeUnknown { .. })));
    assert_eq!(store.revision(), Revision(1));
    let conflict = CommitError::Conflict { key: key("a"), found: Some(Revision(1)) };
    assert_eq!(commit(&store, create()), Err(conflict));
}

#[test]
fn a_read_fails_as_it_is_told() {
    let (store, script) = faulty(HistoryLimits::default());
    script.reads([ReadFault::Unavailable; 3]);
    let unavailable = |error| matches!(error, StoreError::Unavailable { .. });
    assert!(unavailable(store.get(&key("a")).now_or_never().unwrap().unwrap_err()));
    let query = Query::new(Span::all());
    assert!(unavailable(store.range(query).now_or_never().unwrap().unwrap_err()));
    let watch = store.watch(Span::all(), Revision(0)).now_or_never().unwrap();
    assert!(matches!(watch, Err(WatchError::Unavailable { .. })));
    assert_eq!(store.get(&key("a")).now_or_never().unwrap(), Ok(None));
}

#[test]
fn a_batch_comes_twice_when_told() {
    let (store, script) = faulty(HistoryLimits::default());
    let mut watch = watch(&store, Revision(0));
    script.deliveries([DeliveryFault::None, DeliveryFault::Duplicate]);
    for _ in 0..3 {
        put(&store);
    }
    assert_eq!(received(&mut watch), [1, 2, 2, 3]);
}

#[test]
fn held_batches_come_later_in_order_and_once() {
    let (store, script) = faulty(HistoryLimits::default());
    let mut early = watch(&store, Revision(0));
    script.deliveries([DeliveryFault::Hold { commits: 2 }]);
    put(&store);
    put(&store);
    assert_eq!(received(&mut early), []);
    let mut late = watch(&store, Revision(0));
    assert_eq!(received(&mut late), [1, 2]);
    put(&store);
    assert_eq!(received(&mut early), [1, 2, 3]);
    assert_eq!(received(&mut late), [3]);
    script.deliveries([DeliveryFault::Hold { commits: 9 }]);
    put(&store);
    assert_eq!(received(&mut early), []);
    store.release_watches();
    assert_eq!(received(&mut early), [4]);
}

#[track_caller]
fn check_end(fault: DeliveryFault, expected: WatchError) {
    let (store, script) = faulty(HistoryLimits::default());
    let mut watch = watch(&store, Revision(0));
    script.deliveries([DeliveryFault::None, fault]);
    put(&store);
    put(&store);
    assert_eq!(watch.next().now_or_never().unwrap().unwrap().revision, Revision(1));
    assert_eq!(watch.next().now_or_never().unwrap(), Err(expected));
}

#[test]
fn a_watch_ends_as_it_is_told() {
    check_end(DeliveryFault::Lag, WatchError::Lagged);
    let compacted = WatchError::Compacted { after: Revision(1), oldest: Revision(2) };
    check_end(DeliveryFault::Compact, compacted);
}

#[test]
fn history_is_bounded_by_count_and_by_bytes() {
    let oldest = |limits: HistoryLimits| {
        let (store, _) = faulty(limits);
        for _ in 0..10 {
            commit(&store, Transaction::new().put(key("a"), vec![0; 1_000])).unwrap();
        }
        match store.watch(Span::all(), Revision(0)).now_or_never().unwrap() {
            Err(WatchError::Compacted { oldest, .. }) => oldest,
            other => panic!("expected `Compacted`, got {other:?}"),
        }
    };
    assert_eq!(oldest(HistoryLimits { batches: 3, bytes: 1_000_000 }), Revision(7));
    let by_bytes = oldest(HistoryLimits { batches: 1_000, bytes: 5_000 });
    assert_eq!(by_bytes, Revision(8));
}

#[test]
fn a_closed_store_ends_its_watches() {
    let store = MemoryStore::default();
    let mut watch = watch(&store, Revision(0));
    drop(store);
    let end = watch.next().now_or_never().unwrap();
    assert!(matches!(end, Err(WatchError::Unavailable { .. })), "{end:?}");
}
