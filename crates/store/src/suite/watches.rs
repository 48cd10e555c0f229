//! Cases about `watch`.

use std::sync::Arc;

use futures_util::FutureExt;

use super::{Fixture, key, next, readable, run};
use crate::{
    Batch, Change, MAX_VALUE_BYTES, Query, Revision, Span, Transaction, WATCH_BUFFER_BYTES, Watch,
    WatchError,
};

/// `+key=value` and `-key`.
fn told(batch: &Batch) -> Vec<String> {
    let told = |change: &Change| match change {
        Change::Put(entry) => {
            let (name, value) = readable(entry);
            format!("+{name}={value}")
        }
        Change::Deleted(key) => format!("-{key}"),
    };
    batch.changes.iter().map(told).collect()
}

/// Receives up to `last`, included; repeated batches are ignored.
async fn until(watch: &mut Watch, after: Revision, last: Revision) -> Vec<Arc<Batch>> {
    let mut batches: Vec<Arc<Batch>> = Vec::new();
    let mut seen = after;
    while seen < last {
        let batch = next(watch).await.unwrap();
        if batch.revision > seen {
            seen = batch.revision;
            batches.push(batch);
        }
    }
    batches
}

/// Other keys do not disturb; puts and deletions are told apart.
pub fn a_watch_gives_the_changes_of_its_span_only(fixture: &dyn Fn() -> Fixture) {
    run(async {
        let fixture = fixture();
        let before = fixture.put("w/0", "before").await;
        let mut watch = fixture.watch("w/", before).await;
        fixture.put("other", "x").await;
        fixture.put("w/1", "a").await;
        let mixed = Transaction::new().put(key("v"), "x").put(key("w/2"), "b").delete(key("w/0"));
        fixture.store.commit(mixed).await.unwrap();
        let last = fixture.delete("w/1").await;
        let batches = until(&mut watch, before, last).await;
        let all: Vec<_> = batches.iter().map(|batch| told(batch)).collect();
        assert_eq!(all, [vec!["+w/1=a"], vec!["-w/0", "+w/2=b"], vec!["-w/1"]]);
    });
}

/// What was committed together comes together, with the commit's revision, ordered by key.
pub fn a_watch_gives_a_transaction_as_one_batch(fixture: &dyn Fn() -> Fixture) {
    run(async {
        let fixture = fixture();
        let before = fixture.store.revision();
        let mut watch = fixture.watch("", before).await;
        let three = Transaction::new().put(key("c"), "3").put(key("a"), "1").put(key("b"), "2");
        let revision = fixture.store.commit(three).await.unwrap();
        let batch = next(&mut watch).await.unwrap();
        assert_eq!(batch.revision, revision);
        assert_eq!(told(&batch), ["+a=1", "+b=2", "+c=3"]);
        let modified = batch.changes.iter().map(|change| match change {
            Change::Put(entry) => Some((entry.created, entry.modified)),
            Change::Deleted(_) => None,
        });
        assert!(modified.eq([Some((revision, revision)); 3]));
    });
}

/// From every revision on, a new watch gives exactly what followed.
pub fn a_watch_resumes_after_any_revision(fixture: &dyn Fn() -> Fixture) {
    run(async {
        let fixture = fixture();
        let mut revisions = vec![fixture.store.revision()];
        for index in 0..5 {
            revisions.push(fixture.put("r/key", &index.to_string()).await);
        }
        for (index, after) in revisions.iter().enumerate() {
            let mut watch = fixture.watch("r/", *after).await;
            let batches = until(&mut watch, *after, revisions[5]).await;
            let found: Vec<_> = batches.iter().map(|batch| batch.revision).collect();
            assert_eq!(found, revisions[index + 1..]);
        }
    });
}

/// A read and a watch after its revision give every change exactly once.
pub fn a_watch_and_a_read_join_without_a_gap(fixture: &dyn Fn() -> Fixture) {
    const COMMITS: usize = 60;
    run(async {
        let fixture = fixture();
        let store = Arc::clone(&fixture.store);
        let writer = tokio::spawn(async move {
            for index in 0..COMMITS {
                let put = Transaction::new().put(key(&format!("j/{index}")), "x");
                store.commit(put).await.unwrap();
            }
            store.revision()
        });
        tokio::task::yield_now().await;
        let page = fixture.store.range(Query::new(Span::prefix("j/"))).await.unwrap();
        let mut watch = fixture.watch("j/", page.revision).await;
        let last = writer.await.unwrap();
        let followed = until(&mut watch, page.revision, last).await;
        assert_eq!(page.entries.len() + followed.len(), COMMITS);
    });
}

/// A watch that would miss something is refused.
pub fn a_compacted_past_cannot_be_watched(fixture: &dyn Fn() -> Fixture) {
    run(async {
        let fixture = fixture();
        let first = fixture.put("a", "1").await;
        let second = fixture.put("a", "2").await;
        fixture.put("a", "3").await;
        fixture.compact(second).await;
        match fixture.store.watch(Span::all(), first).await {
            Err(WatchError::Compacted { after, oldest }) => {
                assert_eq!(after, first);
                assert!(oldest >= second, "{oldest} is before {second}");
                let mut watch = fixture.watch("", oldest).await;
                let last = fixture.put("a", "4").await;
                assert_eq!(until(&mut watch, oldest, last).await.last().unwrap().revision, last);
            }
            other => panic!("expected `Compacted`, got {other:?}"),
        }
    });
}

/// A revision from another store is noticed instead of waited for.
pub fn a_future_revision_cannot_be_watched(fixture: &dyn Fn() -> Fixture) {
    run(async {
        let fixture = fixture();
        let current = fixture.put("a", "1").await;
        let after = Revision(current.0 + 1);
        match fixture.store.watch(Span::all(), after).await {
            Err(error) => assert_eq!(error, WatchError::FutureRevision { after, current }),
            Ok(watch) => panic!("expected `FutureRevision`, got {watch:?}"),
        }
    });
}

/// Every revision comes, in order, and is what its client was told.
pub fn concurrent_commits_are_watched_in_their_order(fixture: &dyn Fn() -> Fixture) {
    const CLIENTS: usize = 8;
    const EACH: usize = 20;
    run(async {
        let fixture = fixture();
        let before = fixture.store.revision();
        let mut watch = fixture.watch("o/", before).await;
        let mut clients = Vec::new();
        for client in 0..CLIENTS {
            let store = Arc::clone(&fixture.store);
            clients.push(tokio::spawn(async move {
                let mut told = Vec::new();
                for index in 0..EACH {
                    let name = format!("o/{client}/{index}");
                    let put = Transaction::new().put(key(&name), "x");
                    told.push((store.commit(put).await.unwrap(), vec![format!("+{name}=x")]));
                }
                told
            }));
        }
        let mut expected = Vec::new();
        for client in clients {
            expected.extend(client.await.unwrap());
        }
        expected.sort();
        let batches = until(&mut watch, before, expected.last().unwrap().0).await;
        let found: Vec<_> = batches.iter().map(|batch| (batch.revision, told(batch))).collect();
        assert_eq!(found, expected);
    });
}

/// A full buffer ends the watch after what is in it; from there the next one goes on.
pub fn a_slow_watcher_gets_an_error_and_resumes(fixture: &dyn Fn() -> Fixture) {
    run(async {
        let fixture = fixture();
        let before = fixture.store.revision();
        let mut watch = fixture.watch("s/", before).await;
        let mut last = before;
        for index in 0..=WATCH_BUFFER_BYTES / MAX_VALUE_BYTES {
            let value = vec![u8::try_from(index % 256).unwrap(); MAX_VALUE_BYTES];
            last = fixture.store.commit(Transaction::new().put(key("s/1"), value)).await.unwrap();
        }
        let mut seen = before;
        let error = loop {
            match next(&mut watch).await {
                Ok(batch) => {
                    assert_eq!(batch.revision, seen.next());
                    seen = batch.revision;
                }
                Err(error) => break error,
            }
        };
        assert_eq!(error, WatchError::Lagged);
        assert_eq!(next(&mut watch).await, Err(WatchError::Lagged));
        assert!(seen > before && seen < last, "{before} {seen} {last}");
        match fixture.store.watch(Span::prefix("s/"), seen).await {
            Ok(mut watch) => {
                assert_eq!(until(&mut watch, seen, last).await.last().unwrap().revision, last);
            }
            Err(error) => panic!("the rest is not known: {error}"),
        }
    });
}

/// Dropping the future of `next` before it is ready keeps the batch for the following call.
pub fn an_abandoned_wait_loses_nothing(fixture: &dyn Fn() -> Fixture) {
    run(async {
        let fixture = fixture();
        let mut watch = fixture.watch("", fixture.store.revision()).await;
        for _ in 0..20 {
            assert_eq!(watch.next().now_or_never(), None);
            let revision = fixture.put("a", "x").await;
            assert_eq!(next(&mut watch).await.unwrap().revision, revision);
        }
    });
}
