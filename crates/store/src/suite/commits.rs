//! Cases about `commit`.

use super::{Fixture, key, pairs, run};
use crate::{
    CommitError, Limit, MAX_OPERATIONS, MAX_TRANSACTION_BYTES, MAX_VALUE_BYTES, Revision,
    Transaction,
};

/// Value, creation and modification are those of the commits.
pub fn what_is_put_can_be_read_with_its_revisions(fixture: &dyn Fn() -> Fixture) {
    run(async {
        let fixture = fixture();
        let first = fixture.put("a", "1").await;
        let second = fixture.put("a", "2").await;
        let entry = fixture.get("a").await.unwrap();
        assert_eq!(entry.value, "2");
        assert_eq!((entry.created, entry.modified), (first, second));
        assert_eq!(fixture.get("b").await, None);
    });
}

/// Deletion ends an entry's life; the next put begins another.
pub fn an_entry_deleted_and_put_again_is_a_new_one(fixture: &dyn Fn() -> Fixture) {
    run(async {
        let fixture = fixture();
        let first = fixture.put("a", "1").await;
        fixture.delete("a").await;
        assert_eq!(fixture.get("a").await, None);
        let again = fixture.put("a", "1").await;
        let entry = fixture.get("a").await.unwrap();
        assert_eq!((entry.created, entry.modified), (again, again));
        let stale = Transaction::new().unchanged(key("a"), first).put(key("a"), "2");
        let conflict = CommitError::Conflict { key: key("a"), found: Some(again) };
        assert_eq!(fixture.store.commit(stale).await, Err(conflict));
    });
}

/// Revisions count the transactions, not the writes.
pub fn every_change_makes_the_next_revision(fixture: &dyn Fn() -> Fixture) {
    run(async {
        let fixture = fixture();
        let first = fixture.put("a", "1").await;
        let two = Transaction::new().put(key("b"), "1").put(key("c"), "1");
        assert_eq!(fixture.store.commit(two).await, Ok(first.next()));
        assert_eq!(fixture.delete("a").await, first.next().next());
        assert_eq!(fixture.put("c", "1").await, first.next().next().next());
        assert_eq!(fixture.store.revision(), first.next().next().next());
    });
}

/// An empty transaction, a check alone, and the deletion of nothing succeed without a revision.
pub fn no_change_makes_no_revision(fixture: &dyn Fn() -> Fixture) {
    run(async {
        let fixture = fixture();
        let now = fixture.put("a", "1").await;
        for transaction in [
            Transaction::new(),
            Transaction::new().present(key("a")).unchanged(key("a"), now),
            Transaction::new().delete(key("absent")),
        ] {
            assert_eq!(fixture.store.commit(transaction).await, Ok(now));
        }
        assert_eq!(fixture.store.revision(), now);
    });
}

/// Each kind of precondition can fail; the error names the key and what was found.
pub fn a_broken_precondition_stops_every_write(fixture: &dyn Fn() -> Fixture) {
    run(async {
        let fixture = fixture();
        let first = fixture.put("a", "1").await;
        let second = fixture.put("a", "2").await;
        let put = || Transaction::new().put(key("new"), "x").present(key("a"));
        let cases = [
            (put().absent(key("a")), "a", Some(second)),
            (put().unchanged(key("a"), first), "a", Some(second)),
            (put().unchanged(key("a"), Revision(second.0 + 1)), "a", Some(second)),
            (put().unchanged(key("gone"), first), "gone", None),
            (put().present(key("gone")), "gone", None),
        ];
        for (transaction, name, found) in cases {
            let conflict = CommitError::Conflict { key: key(name), found };
            assert!(conflict.retryable());
            assert_eq!(fixture.store.commit(transaction).await, Err(conflict));
        }
        assert_eq!(fixture.list("").await, pairs(&[("a", "2")]));
        assert_eq!(fixture.store.revision(), second);
    });
}

/// A transaction may create what it requires to be absent and delete what it requires.
pub fn preconditions_see_the_state_before_the_writes(fixture: &dyn Fn() -> Fixture) {
    run(async {
        let fixture = fixture();
        fixture.put("old", "1").await;
        let swap = Transaction::new()
            .delete(key("old"))
            .put(key("new"), "1")
            .absent(key("new"))
            .present(key("old"));
        fixture.store.commit(swap).await.unwrap();
        assert_eq!(fixture.list("").await, pairs(&[("new", "1")]));
    });
}

/// Exactly at each limit is still possible.
pub fn a_transaction_at_the_limits_passes(fixture: &dyn Fn() -> Fixture) {
    run(async {
        let fixture = fixture();
        fixture.store.commit(operations(MAX_OPERATIONS)).await.unwrap();
        let value = Transaction::new().put(key("v"), vec![1; MAX_VALUE_BYTES]);
        fixture.store.commit(value).await.unwrap();
        assert_eq!(fixture.get("v").await.unwrap().value.len(), MAX_VALUE_BYTES);
        fixture.store.commit(sized(MAX_TRANSACTION_BYTES)).await.unwrap();
    });
}

/// One above each limit is refused, and nothing of it is applied.
pub fn a_transaction_above_a_limit_is_refused(fixture: &dyn Fn() -> Fixture) {
    run(async {
        let fixture = fixture();
        let value = Transaction::new().put(key("v"), vec![1; MAX_VALUE_BYTES + 1]);
        let cases = [
            (operations(MAX_OPERATIONS + 1), Limit::Operations, MAX_OPERATIONS + 1, None),
            (value, Limit::ValueBytes, MAX_VALUE_BYTES + 1, Some(key("v"))),
            (
                sized(MAX_TRANSACTION_BYTES + 1),
                Limit::TransactionBytes,
                MAX_TRANSACTION_BYTES + 1,
                None,
            ),
        ];
        for (transaction, limit, actual, key) in cases {
            let refusal = CommitError::TooLarge { limit, actual, key };
            assert!(!refusal.retryable());
            assert_eq!(fixture.store.commit(transaction).await, Err(refusal));
        }
        assert_eq!(fixture.list("").await, pairs(&[]));
    });
}

/// Two writes to a key in one transaction have no order, so they are refused.
pub fn a_key_is_written_once_in_a_transaction(fixture: &dyn Fn() -> Fixture) {
    run(async {
        let fixture = fixture();
        let twice = Transaction::new().put(key("a"), "1").delete(key("a"));
        let refusal = CommitError::DuplicateKey { key: key("a") };
        assert_eq!(fixture.store.commit(twice).await, Err(refusal));
    });
}

/// Eight clients increment a counter by compare-and-set; the sum is exact.
pub fn concurrent_increments_are_never_lost(fixture: &dyn Fn() -> Fixture) {
    const CLIENTS: u32 = 8;
    const EACH: u32 = 25;
    run(async {
        let fixture = fixture();
        fixture.put("counter", "0").await;
        let mut clients = Vec::new();
        for _ in 0..CLIENTS {
            let store = std::sync::Arc::clone(&fixture.store);
            clients.push(tokio::spawn(async move {
                for _ in 0..EACH {
                    increment(&*store).await;
                }
            }));
        }
        for client in clients {
            client.await.unwrap();
        }
        assert_eq!(fixture.list("").await, pairs(&[("counter", &(CLIENTS * EACH).to_string())]));
    });
}

async fn increment(store: &dyn crate::Store) {
    loop {
        let entry = store.get(&key("counter")).await.unwrap().unwrap();
        let count: u32 = std::str::from_utf8(&entry.value).unwrap().parse().unwrap();
        let transaction = Transaction::new()
            .unchanged(key("counter"), entry.modified)
            .put(key("counter"), (count + 1).to_string());
        match store.commit(transaction).await {
            Ok(_) => return,
            Err(error) => assert!(error.retryable(), "{error}"),
        }
    }
}

/// Half preconditions, half writes.
fn operations(count: usize) -> Transaction {
    (0..count).fold(Transaction::new(), |transaction, index| {
        let key = key(&format!("operations/{index}"));
        if index % 2 == 0 { transaction.absent(key) } else { transaction.put(key, "x") }
    })
}

fn sized(bytes: usize) -> Transaction {
    let full = (0..15).fold(Transaction::new(), |transaction, index| {
        transaction.put(key(&format!("sized/{index:02}")), vec![1; MAX_VALUE_BYTES])
    });
    let last = key("sized/last");
    let empty = full.clone().put(last.clone(), Vec::new()).size_bytes();
    full.put(last, vec![1; bytes - empty])
}
