//! Cases about `get` and `range`.

use super::{Fixture, key, pairs, readable, run};
use crate::{Query, Revision, Span, StoreError, Transaction};

/// Nothing is there, and that is no error.
pub fn an_empty_store_has_no_entries(fixture: &dyn Fn() -> Fixture) {
    run(async {
        let fixture = fixture();
        let page = fixture.store.range(Query::new(Span::all())).await.unwrap();
        assert_eq!((page.entries.len(), page.more), (0, false));
        assert_eq!(page.revision, fixture.store.revision());
    });
}

/// The order is that of bytes, and a span has its ends where it says.
pub fn entries_come_in_the_order_of_their_keys(fixture: &dyn Fn() -> Fixture) {
    run(async {
        let fixture = fixture();
        let names = ["b", "a/2", "a/10", "a", "a0", "a/é", "B"];
        let all = names.iter().fold(Transaction::new(), |all, name| all.put(key(name), "-"));
        fixture.store.commit(all).await.unwrap();
        let check = async |span: Span, expected: &[&str]| {
            let page = fixture.store.range(Query::new(span.clone())).await.unwrap();
            let found: Vec<_> = page.entries.iter().map(|entry| entry.key.as_str()).collect();
            assert_eq!((found.as_slice(), page.more), (expected, false), "{span:?}");
        };
        check(Span::all(), &["B", "a", "a/10", "a/2", "a/é", "a0", "b"]).await;
        check(Span::prefix("a/"), &["a/10", "a/2", "a/é"]).await;
        check(Span::prefix("a/").after(&key("a/10")), &["a/2", "a/é"]).await;
        check(Span::between(&key("a/2"), &key("b")), &["a/2", "a/é", "a0"]).await;
        check(Span::between(&key("b"), &key("a")), &[]).await;
        check(Span::prefix("c"), &[]).await;
    });
}

/// Pages that follow each other belong to one revision, whatever is committed between them.
pub fn pages_show_one_state_while_it_changes(fixture: &dyn Fn() -> Fixture) {
    run(async {
        let fixture = fixture();
        for name in ["p/1", "p/2", "p/3", "p/4", "p/5"] {
            fixture.put(name, "old").await;
        }
        let query = Query::new(Span::prefix("p/")).limit(2);
        let first = fixture.store.range(query.clone()).await.unwrap();
        assert_eq!((first.entries.len(), first.more), (2, true));
        for name in ["p/0", "p/3", "p/4a"] {
            fixture.put(name, "new").await;
        }
        fixture.delete("p/5").await;
        let mut found: Vec<_> = first.entries.iter().map(readable).collect();
        let mut following = query.following(&first);
        while let Some(query) = following {
            let page = fixture.store.range(query.clone()).await.unwrap();
            assert_eq!(page.revision, first.revision);
            found.extend(page.entries.iter().map(readable));
            following = query.following(&page);
        }
        let old = ["p/1", "p/2", "p/3", "p/4", "p/5"].map(|name| (name, "old"));
        assert_eq!(found, pairs(&old));
        let new = [("p/0", "new"), ("p/1", "old"), ("p/2", "old"), ("p/3", "new"), ("p/4", "old")];
        assert_eq!(fixture.list("p/").await, pairs(&[&new[..], &[("p/4a", "new")]].concat()));
    });
}

/// Reading at a revision gives what was there, or says that it is no longer known.
pub fn the_past_can_be_read_until_it_is_compacted(fixture: &dyn Fn() -> Fixture) {
    run(async {
        let fixture = fixture();
        let first = fixture.put("a", "1").await;
        let second = fixture.put("a", "2").await;
        fixture.delete("a").await;
        fixture.put("a", "4").await;
        let at = async |revision| {
            let page = fixture.store.range(Query::new(Span::prefix("a")).at(revision)).await?;
            Ok::<Vec<_>, StoreError>(page.entries.iter().map(readable).collect())
        };
        assert_eq!(at(first).await, Ok(pairs(&[("a", "1")])));
        assert_eq!(at(second).await, Ok(pairs(&[("a", "2")])));
        assert_eq!(at(second.next()).await, Ok(pairs(&[])));
        fixture.compact(second).await;
        match at(first).await {
            Err(StoreError::Compacted { asked, oldest }) => {
                assert_eq!(asked, first);
                assert!(oldest >= second, "{oldest} is before {second}");
            }
            other => panic!("expected `Compacted`, got {other:?}"),
        }
        assert_eq!(at(fixture.store.revision()).await, Ok(pairs(&[("a", "4")])));
    });
}

/// A revision that does not exist yet is an error, not a wait.
pub fn a_future_revision_cannot_be_read(fixture: &dyn Fn() -> Fixture) {
    run(async {
        let fixture = fixture();
        let current = fixture.put("a", "1").await;
        let asked = Revision(current.0 + 1);
        let answer = fixture.store.range(Query::new(Span::all()).at(asked)).await;
        assert_eq!(answer, Err(StoreError::FutureRevision { asked, current }));
    });
}
