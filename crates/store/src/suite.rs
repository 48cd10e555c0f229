//! The contract of [`Store`] as test cases. Every backend runs all of them:
//!
//! ```text
//! store::contract_suite!(fixture); // fn fixture() -> Fixture, at the top of a test module
//! ```

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code for the tests of other crates: a panic is how a test fails"
)]

pub mod commits;
pub mod model;
pub mod reads;
pub mod watches;

use std::any::Any;
use std::fmt::Debug;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::{Batch, Entry, Key, Query, Revision, Span, Store, Transaction, Watch, WatchError};

/// The longest a case waits for something that should come at once.
const PATIENCE: Duration = Duration::from_secs(20);

/// Forgets the changes up to a revision.
pub type Compact = Box<dyn Fn(Revision) -> BoxFuture<'static, ()> + Send + Sync>;

/// An empty store of its own for one case.
pub struct Fixture {
    /// The store.
    pub store: Arc<dyn Store>,
    compact: Compact,
    /// Dropped after the store: a directory, a server.
    _keep: Box<dyn Any + Send>,
}

impl Fixture {
    /// A fixture. `compact` must make the store forget the changes up to a revision, and may commit
    /// entries under `filler/` to do so; `keep` is dropped after the store.
    pub fn new(store: Arc<dyn Store>, compact: Compact, keep: impl Any + Send) -> Self {
        Self { store, compact, _keep: Box::new(keep) }
    }

    async fn compact(&self, revision: Revision) {
        (self.compact)(revision).await;
    }

    async fn put(&self, name: &str, value: &str) -> Revision {
        let transaction = Transaction::new().put(key(name), value.to_owned());
        self.store.commit(transaction).await.unwrap()
    }

    async fn delete(&self, name: &str) -> Revision {
        self.store.commit(Transaction::new().delete(key(name))).await.unwrap()
    }

    async fn get(&self, name: &str) -> Option<Entry> {
        self.store.get(&key(name)).await.unwrap()
    }

    async fn watch(&self, prefix: &str, after: Revision) -> Watch {
        self.store.watch(Span::prefix(prefix), after).await.unwrap()
    }

    /// Names and values of a prefix, now.
    async fn list(&self, prefix: &str) -> Vec<(String, String)> {
        let page = self.store.range(Query::new(Span::prefix(prefix))).await.unwrap();
        page.entries.iter().map(readable).collect()
    }
}

impl Debug for Fixture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fixture").field("store", &self.store).finish_non_exhaustive()
    }
}

fn key(name: &str) -> Key {
    Key::new(name).unwrap()
}

fn readable(entry: &Entry) -> (String, String) {
    (entry.key.to_string(), String::from_utf8_lossy(&entry.value).into_owned())
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// Runs a case on two threads.
fn run(case: impl Future<Output = ()>) {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(2).enable_time().build().unwrap().block_on(case);
}

/// The next batch, or a failed test.
async fn next(watch: &mut Watch) -> Result<Arc<Batch>, WatchError> {
    match tokio::time::timeout(PATIENCE, watch.next()).await {
        Ok(batch) => batch,
        Err(_) => panic!("nothing came in {PATIENCE:?} from {watch:?}"),
    }
}

/// Makes one `#[test]` for each case of the contract. The argument is a function or closure that
/// returns a new [`Fixture`].
#[macro_export]
macro_rules! contract_suite {
    ($fixture:expr) => {
        $crate::contract_suite!($fixture; commits:
            what_is_put_can_be_read_with_its_revisions
            an_entry_deleted_and_put_again_is_a_new_one
            every_change_makes_the_next_revision
            no_change_makes_no_revision
            a_broken_precondition_stops_every_write
            preconditions_see_the_state_before_the_writes
            a_transaction_at_the_limits_passes
            a_transaction_above_a_limit_is_refused
            a_key_is_written_once_in_a_transaction
            concurrent_increments_are_never_lost
        );
        $crate::contract_suite!($fixture; reads:
            an_empty_store_has_no_entries
            entries_come_in_the_order_of_their_keys
            pages_show_one_state_while_it_changes
            the_past_can_be_read_until_it_is_compacted
            a_future_revision_cannot_be_read
        );
        $crate::contract_suite!($fixture; watches:
            a_watch_gives_the_changes_of_its_span_only
            a_watch_gives_a_transaction_as_one_batch
            a_watch_resumes_after_any_revision
            a_watch_and_a_read_join_without_a_gap
            a_compacted_past_cannot_be_watched
            a_future_revision_cannot_be_watched
            concurrent_commits_are_watched_in_their_order
            a_slow_watcher_gets_an_error_and_resumes
            an_abandoned_wait_loses_nothing
        );
        $crate::contract_suite!($fixture; model:
            random_transactions_agree_with_a_simple_model
        );
    };
    ($fixture:expr; $module:ident: $($case:ident)+) => {
        $(
            #[test]
            fn $case() {
                $crate::suite::$module::$case(&$fixture);
            }
        )+
    };
}
